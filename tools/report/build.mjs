// Bundles the page into dist/page.html, one file with script and style inside, and the licences of
// what is bundled into dist/LICENSES.txt. The policy in the page allows that script and that style,
// by their hashes, and nothing else.
//
//   npm ci && npm run build
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(folder, "dist");

const bundled = await build({
  absWorkingDir: folder,
  entryPoints: ["src/main.tsx"],
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
});
const styled = await build({
  absWorkingDir: folder,
  entryPoints: ["src/style.css"],
  minify: true,
  write: false,
  charset: "ascii",
});

// Text that would end the element stays inside strings when written this way.
const script = bundled.outputFiles[0].text.replace(/<(?=\/script|!--)/gi, "\\x3c").trim();
const style = styled.outputFiles[0].text.trim();
const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const page = readFileSync(join(folder, "src/page.html"), "utf8")
  .replace("<!-- policy -->", () => `<meta http-equiv="Content-Security-Policy" content="${policy}">`)
  .replace("<!-- style -->", () => `<style>${style}</style>`)
  .replace("<!-- script -->", () => `<script>${script}</script>`);

/** The packages that the bundle has code of. */
function packages() {
  const names = new Set();
  for (const path of Object.keys(bundled.metafile.inputs)) {
    const match = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (match) names.add(match[1]);
  }
  return [...names].sort();
}

function licence(name) {
  const home = join(folder, "node_modules", name);
  const file = readdirSync(home).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const { version, license } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const text = file && existsSync(join(home, file)) ? readFileSync(join(home, file), "utf8") : "";
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

mkdirSync(output, { recursive: true });
writeFileSync(join(output, "page.html"), page);
writeFileSync(
  join(output, "LICENSES.txt"),
  `The page contains code of these packages.\n\n${packages().map(licence).join(`\n${"-".repeat(80)}\n\n`)}`,
);
console.log(`${relative(process.cwd(), join(output, "page.html"))}: ${page.length} bytes`);
