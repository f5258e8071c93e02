// Code as lines of HTML with its tokens marked.
import hljs from "highlight.js/lib/core";
import armasm from "highlight.js/lib/languages/armasm";
import llvm from "highlight.js/lib/languages/llvm";
import x86asm from "highlight.js/lib/languages/x86asm";

hljs.registerLanguage("armasm", armasm);
hljs.registerLanguage("llvm", llvm);
hljs.registerLanguage("x86asm", x86asm);
hljs.registerLanguage("kir", () => ({
  name: "Kernel IR",
  keywords: {
    keyword: "kernel parallel for in step unrolled if else var local scratch at lane stride",
    type: "read write readwrite",
    literal: "true false",
  },
  contains: [
    { className: "symbol", begin: /@[\w.$-]+/ },
    { className: "variable", begin: /%[\w.]+/ },
    { className: "type", begin: /\b(f16|bf16|f32|f64|[iu](8|16|32|64)|bool|index)(x\d+)?\b/ },
    { className: "number", begin: /\b\d+(\.\d+)?(e[+-]?\d+)?\b/ },
    { className: "built_in", begin: /\b[a-z_]+(?=[ .](f|i|u|b|index))/ },
  ],
}));

const kEscapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text: string): string => text.replace(/[&<>"]/g, (c) => kEscapes[c]);
const kLongest = 400_000; // characters; beyond, code stays plain

/** One piece of HTML a line; spans that go over several lines are closed and opened again. */
export function highlighted(text: string, language: string): string[] {
  const code = text.replace(/\n$/, "");
  if (code.length > kLongest) return code.split("\n").map(escape);
  const open: string[] = [];
  return hljs.highlight(code, { language }).value.split("\n").map((line) => {
    const before = open.join("");
    for (const [tag] of line.matchAll(/<span[^>]*>|<\/span>/g))
      if (tag === "</span>") open.pop();
      else open.push(tag);
    return before + line + "</span>".repeat(open.length);
  });
}
