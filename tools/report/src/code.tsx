// The kernels of an op: Kernel IR, LLVM IR and assembly side by side. Lines that belong together are
// lit together.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { highlighted } from "./highlight";
import type { Kernel } from "./schema";
import { useShown } from "./state";

interface Pane {
  title: string;
  html: string[];
  origin: number[]; // line of Kernel IR, by line; 0: none
}

export function CodeView({ op }: { op: number }) {
  const { shown } = useShown();
  const { report } = shown;
  const steps = report.cost(op)?.steps ?? [];
  const slowest = steps.reduce(
    (best, step, i) =>
      (report.step(step).us?.p50 ?? 0) > (report.step(steps[best]).us?.p50 ?? 0) ? i : best,
    0,
  );
  const [chosen, setChosen] = useState(slowest);
  const [kernel, setKernel] = useState<Kernel | null>(null);
  const [shownPane, setShownPane] = useState(2);
  const step = steps[Math.min(chosen, steps.length - 1)];
  const number = step === undefined ? -1 : report.step(step).kernel;
  useEffect(() => setChosen(slowest), [op]);
  useEffect(() => {
    let isCurrent = true;
    setKernel(null);
    if (number >= 0) void report.kernel(number).then((text) => isCurrent && setKernel(text));
    return () => void (isCurrent = false);
  }, [report, number]);
  const isArm = /aarch64/i.test(report.data.target.isa);
  const panes = useMemo(() => kernel && panesOf(kernel, isArm ? "armasm" : "x86asm"), [kernel]);
  return (
    <section class="code" aria-label="Code">
      <div class="bar">
        <strong>Code</strong>
        {steps.length > 1 && (
          <select aria-label="Kernel" value={chosen} onChange={(e) => setChosen(Number(e.currentTarget.value))}>
            {steps.map((s, i) => (
              <option value={i}>{`${i + 1} of ${steps.length}: ${report.step(s).algorithm}`}</option>
            ))}
          </select>
        )}
        {kernel && <span class="muted">kernel @{kernel.name}</span>}
        <span class="spring" />
        <span class="pane-tabs" role="group" aria-label="Form of the code">
          {["Kernel IR", "LLVM IR", "Assembly"].map((title, i) => (
            <button aria-pressed={i === shownPane} onClick={() => setShownPane(i)}>{title}</button>
          ))}
        </span>
      </div>
      {panes ? (
        <Panes panes={panes} shownPane={shownPane} />
      ) : (
        <p class="empty">
          {number >= 0
            ? "…"
            : steps.length > 0
              ? "This op runs as its reference function, which has no generated code."
              : "This op takes no time: its result lies in memory that another op writes."}
        </p>
      )}
    </section>
  );
}

function panesOf(kernel: Kernel, assembly: string): Pane[] {
  const kir = highlighted(kernel.kir, "kir");
  return [
    { title: "Kernel IR", html: kir, origin: kir.map((_, i) => i + 1) },
    { title: "LLVM IR", html: highlighted(kernel.llvm.text, "llvm"), origin: kernel.llvm.origin },
    { title: "Assembly", html: highlighted(kernel.assembly.text, assembly), origin: kernel.assembly.origin },
  ];
}

function Panes({ panes, shownPane }: { panes: Pane[]; shownPane: number }) {
  const root = useRef<HTMLDivElement>(null);
  const pinned = useRef(0);
  const light = (line: number, from: Element | null) => {
    for (const lit of root.current!.querySelectorAll(".lit")) lit.classList.remove("lit");
    if (line <= 0) return;
    for (const pane of root.current!.children) {
      const lines = pane.querySelectorAll<HTMLElement>(`[data-line="${line}"]`);
      for (const each of lines) each.classList.add("lit");
      if (pane !== from && lines.length > 0) scrollInto(pane as HTMLElement, lines);
    }
  };
  const lineAt = (event: Event) => {
    const row = (event.target as Element).closest<HTMLElement>("[data-line]");
    return { line: Number(row?.dataset.line ?? 0), pane: row?.closest("pre") ?? null };
  };
  useEffect(() => {
    pinned.current = 0;
    light(0, null);
  }, [panes]);
  return (
    <div
      ref={root}
      class="panes"
      onMouseOver={(e) => {
        if (pinned.current > 0) return;
        const { line, pane } = lineAt(e);
        light(line, pane);
      }}
      onClick={(e) => {
        const { line, pane } = lineAt(e);
        pinned.current = pinned.current === line ? 0 : line;
        light(line, pane);
      }}
    >
      {panes.map(({ title, html, origin }, i) => (
        <pre class={i === shownPane ? "shown" : ""} tabIndex={0} aria-label={title}>
          <span class="form">{title}</span>
          <code dangerouslySetInnerHTML={{ __html: rows(html, origin) }} />
        </pre>
      ))}
    </div>
  );
}

const rows = (html: string[], origin: number[]): string =>
  html.map((line, i) => `<span class="row" data-row="${i + 1}" data-line="${origin[i] ?? 0}">${line || " "}</span>`).join("");

/** Scrolls no further than needed to see one of the lines. */
function scrollInto(pane: HTMLElement, lines: NodeListOf<HTMLElement>): void {
  const top = pane.scrollTop;
  const bottom = top + pane.clientHeight;
  const isSeen = [...lines].some(
    (line) => line.offsetTop >= top && line.offsetTop + line.offsetHeight <= bottom,
  );
  if (!isSeen) pane.scrollTop = lines[0].offsetTop - pane.clientHeight / 3;
}
