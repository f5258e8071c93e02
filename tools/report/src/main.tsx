// The page: reads its data, and switches between views.
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { CodeView } from "./code";
import { Compare } from "./compare";
import { Detail } from "./detail";
import { GraphView } from "./graph";
import { Kernels } from "./kernels";
import { Memory } from "./memory";
import { Passes } from "./passes";
import { Places } from "./places";
import { embedded, type Report } from "./report";
import { Roofline } from "./roofline";
import { Search } from "./search";
import { ShownContext, type Actions, type View } from "./state";
import { Summary } from "./summary";
import { Timeline } from "./timeline";

const kViews: [View, string][] = [
  ["summary", "Summary"],
  ["graph", "Graph"],
  ["kernels", "Kernels"],
  ["passes", "Passes"],
  ["memory", "Memory"],
  ["roofline", "Roofline"],
  ["timeline", "Timeline"],
  ["compare", "Compare"],
];

/** Of an earlier visit, where the browser keeps that for files. */
function storedTheme(): string {
  try {
    return localStorage.getItem("enfold-theme") ?? "auto";
  } catch {
    return "auto";
  }
}

function useTheme(): [string, () => void] {
  const [theme, setTheme] = useState(storedTheme);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("enfold-theme", theme);
    } catch {
      // It lasts as long as the page.
    }
  }, [theme]);
  const order = ["auto", "light", "dark"];
  return [theme, () => setTheme(order[(order.indexOf(theme) + 1) % order.length])];
}

function App(props: { report: Report; against: Report | null }) {
  const { report } = props;
  const [against, setAgainst] = useState(props.against);
  const [view, setView] = useState<View>(against ? "compare" : "summary");
  const lastStage = report.data.graph.stages.length - 1;
  const [stage, setStage] = useState(lastStage);
  const [selected, setSelected] = useState(-1);
  const [theme, nextTheme] = useTheme();
  const places = useMemo(() => new Places(report), [report]);
  const act: Actions = {
    show: setView,
    setStage: (to) => setStage(Math.min(Math.max(to, 0), lastStage)),
    select: (op, where) => {
      setSelected(op);
      if (where) setView(where);
    },
    compareWith: setAgainst,
  };
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      const isTyping = (event.target as HTMLElement).matches?.("input, select, textarea");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const number = Number(event.key);
      if (number >= 1 && number <= kViews.length) setView(kViews[number - 1][0]);
      else if (event.key === "Escape") setSelected(-1);
      else if (event.key === "ArrowLeft" && view === "graph") act.setStage(stage - 1);
      else if (event.key === "ArrowRight" && view === "graph") act.setStage(stage + 1);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });
  const codeOf = selected < 0 ? -1 : report.finalOf(selected);
  return (
    <ShownContext.Provider value={{ shown: { report, against, places, view, stage, selected }, act }}>
      <header>
        <span class="brand" title={report.data.model}>enfold</span>
        <nav aria-label="Views">
          {kViews.map(([name, title], i) => (
            <button aria-current={view === name ? "page" : undefined} title={`${title} (${i + 1})`} onClick={() => setView(name)}>
              {title}
            </button>
          ))}
        </nav>
        <Search />
        <button class="theme" title="Light or dark" onClick={nextTheme} aria-label={`Theme: ${theme}`}>
          {{ auto: "◐", light: "☀", dark: "☾" }[theme]}
        </button>
      </header>
      <main class={view === "graph" && selected >= 0 ? "with-detail" : ""}>
        {view === "summary" && <Summary />}
        {view === "graph" && <GraphView />}
        {view === "graph" && selected >= 0 && <Detail op={selected} />}
        {view === "graph" && codeOf >= 0 && <CodeView op={codeOf} />}
        {view === "kernels" && <Kernels />}
        {view === "passes" && <Passes />}
        {view === "memory" && <Memory />}
        {view === "roofline" && <Roofline />}
        {view === "timeline" && <Timeline />}
        {view === "compare" && <Compare />}
      </main>
    </ShownContext.Provider>
  );
}

function start(): void {
  const root = document.getElementById("app")!;
  try {
    const report = embedded("report");
    if (!report) throw new Error("This page holds no report: enfold report MODEL -o FILE writes one.");
    document.title = `${report.data.model} · enfold`;
    render(<App report={report} against={embedded("against")} />, root);
  } catch (error) {
    root.textContent = (error as Error).message;
  }
}

start();
