// Finds ops by the names of their nodes and tensors, and by kind.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { shortened } from "./format";
import { useShown } from "./state";

interface Entry {
  op: number; // to be selected
  text: string;
  haystack: string;
}

const kMost = 40;

export function Search() {
  const { shown, act } = useShown();
  const { report } = shown;
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [isOpen, setIsOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const entries = useMemo<Entry[]>(() => {
    const all: Entry[] = [];
    const known = new Set<string>();
    for (const index of [...report.last, ...report.data.graph.stages[0].ops]) {
      const op = report.op(index);
      for (const node of op.nodes.length > 0 ? op.nodes : [report.name(op)]) {
        if (known.has(node)) continue;
        known.add(node);
        const tensors = op.results.map((value) => report.value(value).name).join(" ");
        const final = report.opOfNode.get(node);
        all.push({ op: final ?? index, text: node, haystack: `${node} ${tensors} ${report.title(op)}`.toLowerCase() });
      }
    }
    return all;
  }, [report]);
  const found = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return words.length === 0 ? [] : entries.filter((e) => words.every((word) => e.haystack.includes(word)));
  }, [text, entries]);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const isTyping = (event.target as HTMLElement).matches?.("input, select, textarea");
      if (event.key !== "/" || isTyping) return;
      event.preventDefault();
      input.current!.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  const choose = (entry: Entry | undefined) => {
    if (!entry) return;
    act.select(entry.op, "graph");
    setIsOpen(false);
    input.current!.blur();
  };
  const key = (event: KeyboardEvent) => {
    const most = Math.min(found.length, kMost) - 1;
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, most));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") choose(found[at]);
    else if (event.key === "Escape") input.current!.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="search">
      <input
        ref={input}
        type="search"
        aria-label="Search"
        aria-controls="found"
        placeholder="Search nodes, tensors, kinds  (/)"
        value={text}
        onInput={(e) => { setText(e.currentTarget.value); setAt(0); setIsOpen(true); }}
        onFocus={() => setIsOpen(true)}
        onBlur={() => setTimeout(() => setIsOpen(false), 150)}
        onKeyDown={key}
      />
      {isOpen && text && (
        <ul id="found" role="listbox">
          {found.slice(0, kMost).map((entry, i) => (
            <li role="option" aria-selected={i === at} onMouseDown={() => choose(entry)}>
              <b>{shortened(entry.text, 60)}</b> <span class="muted">{report.title(report.op(entry.op))}</span>
            </li>
          ))}
          {found.length === 0 && <li class="muted">Nothing has that name.</li>}
          {found.length > kMost && <li class="muted">and {found.length - kMost} more</li>}
        </ul>
      )}
    </div>
  );
}
