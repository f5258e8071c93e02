// What each thread did when, in one run.
import { axisBottom } from "d3-axis";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { kindColor } from "./colors";
import { firstOf, micros, percent, plural, shortened } from "./format";
import type { Report } from "./report";
import type { Span } from "./schema";
import { useShown } from "./state";
import { Bar, Table } from "./table";
import { useWidth } from "./width";

/** A step in the run. */
interface Wait {
  step: number;
  us: number; // from its first thread's beginning to its last thread's end
  wait: number; // of all threads together, outside the kernel meanwhile
}

function waitsOf(spans: Span[], threads: number): Wait[] {
  const rows = new Map<number, { begin: number; end: number; busy: number }>();
  for (const span of spans) {
    const row = rows.get(span.kernel) ?? { begin: span.begin_us, end: 0, busy: 0 };
    row.begin = Math.min(row.begin, span.begin_us);
    row.end = Math.max(row.end, span.end_us);
    row.busy += span.busy_us;
    rows.set(span.kernel, row);
  }
  return [...rows].map(([step, { begin, end, busy }]) => {
    const us = end - begin;
    return { step, us, wait: Math.max(us * threads - busy, 0) };
  });
}

/** Those that can be told apart: in a row, what ends within half a pixel of another is left out. */
function visible(spans: Span[], x: (us: number) => number, left: number, right: number): Span[] {
  const ends = new Map<number, number>();
  return spans.filter((span) => {
    const end = x(span.end_us);
    if (end < left || x(span.begin_us) > right) return false;
    if (end - (ends.get(span.thread) ?? -1) < 0.5) return false;
    ends.set(span.thread, end);
    return true;
  });
}

const kMargin = { left: 30, right: 12 };

export function Timeline() {
  const { report } = useShown().shown;
  const { timeline } = report.data;
  if (!timeline || timeline.spans.length === 0)
    return <div class="page"><h1>Timeline</h1><p>Nothing was measured.</p></div>;
  const busy = timeline.spans.reduce((sum, span) => sum + span.busy_us, 0);
  const share = busy / (timeline.us * timeline.threads);
  return (
    <div class="page wide">
      <h1>Timeline</h1>
      <p>
        The fastest of the runs that were profiled: {micros(timeline.us)} on {plural(timeline.threads, "thread")},
        {" "}which spent {percent(share)} of that time in kernels. Each row is a thread, the first one the caller's.
        Turn the wheel to zoom, drag to move.
      </p>
      <Rows report={report} spans={timeline.spans} threads={timeline.threads} us={timeline.us} />
      {timeline.threads > 1 && <Waits report={report} spans={timeline.spans} threads={timeline.threads} />}
    </div>
  );
}

function Rows(props: { report: Report; spans: Span[]; threads: number; us: number }) {
  const { report, spans, threads } = props;
  const { act } = useShown();
  const [frame, width] = useWidth();
  const svg = useRef<SVGSVGElement>(null);
  const axis = useRef<SVGGElement>(null);
  const [transform, setTransform] = useState(zoomIdentity);
  const [lit, setLit] = useState(-1); // step
  const row = Math.min(Math.max(Math.floor(400 / threads), 12), 80);
  const height = threads * row + 36;
  const right = width - kMargin.right;
  const x = transform.rescaleX(scaleLinear([0, props.us], [kMargin.left, right]));
  const kinds = useMemo(() => [...new Set(report.last.map((op) => report.op(op).op))], [report]);
  useEffect(() => {
    if (!svg.current) return;
    const behavior = zoom<SVGSVGElement, unknown>()
      .scaleExtent([1, 2000])
      .extent([[kMargin.left, 0], [right, height]])
      .translateExtent([[kMargin.left, 0], [right, height]])
      .on("zoom", (event) => setTransform(event.transform));
    select(svg.current).call(behavior);
  }, [width, height]);
  useEffect(() => {
    if (!axis.current) return;
    const ticks = Math.max(2, Math.min(8, Math.floor(width / 110)));
    select(axis.current).call(axisBottom(x).ticks(ticks).tickFormat((v) => micros(Number(v))));
  }, [transform, width, report]);
  return (
    <div ref={frame} class="chart">
      <svg ref={svg} width={width} height={height} role="img" aria-label="Threads over time">
        <clipPath id="inside"><rect x={kMargin.left} y={0} width={right - kMargin.left} height={height} /></clipPath>
        {Array.from({ length: threads }, (_, thread) => (
          <>
            <rect class="lane" x={kMargin.left} y={thread * row + 2} width={right - kMargin.left} height={row - 4} />
            {row >= 14 && <text x={kMargin.left - 6} y={(thread + 0.5) * row + 4} text-anchor="end">{thread}</text>}
          </>
        ))}
        <g clip-path="url(#inside)">
          {visible(spans, x, kMargin.left, right).map((span) => {
            const step = report.step(span.kernel);
            const left = x(span.begin_us);
            const size = Math.max(x(span.end_us) - left, 0.7);
            const kind = step.op >= 0 ? report.op(step.op).op : "";
            const name = step.nodes.split(" + ")[0] || step.algorithm;
            return (
              <g class={span.kernel === lit ? "buffer lit" : "buffer"}
                 onMouseEnter={() => setLit(span.kernel)} onMouseLeave={() => setLit(-1)}
                 onClick={() => step.op >= 0 && act.select(step.op, "graph")}>
                <title>{`${step.nodes}\n${step.algorithm}\nthread ${span.thread}: ${micros(span.end_us - span.begin_us)}, in the kernel ${micros(span.busy_us)}`}</title>
                <rect x={left} y={span.thread * row + 2} width={size} height={row - 4} style={{ fill: kindColor(kinds, kind) }} />
                {size > 50 && row >= 16 && <text x={left + 4} y={span.thread * row + Math.min(row / 2 + 4, 20)}>{shortened(name, Math.floor(size / 7))}</text>}
              </g>
            );
          })}
        </g>
        <g ref={axis} class="axes" transform={`translate(0,${threads * row + 4})`} />
      </svg>
      <div class="legend inline">
        {kinds.slice(0, 7).map((kind) => <span><i style={{ background: kindColor(kinds, kind) }} />{kind}</span>)}
      </div>
    </div>
  );
}

function Waits(props: { report: Report; spans: Span[]; threads: number }) {
  const { report, threads } = props;
  const { act } = useShown();
  const rows = useMemo(() => waitsOf(props.spans, threads), [props.spans]);
  const most = Math.max(...rows.map((row) => row.wait), 1e-9);
  const step = (row: Wait) => report.step(row.step);
  const used = (row: Wait) => (row.us > 0 ? 1 - row.wait / (row.us * threads) : 1);
  return (
    <>
      <h2>Where threads wait</h2>
      <p class="muted">
        For work to share, for the slowest among them, or for a processor that another program has.
      </p>
      <Table
        label="Where threads wait"
        rows={rows}
        sortBy={4}
        isDescending
        columns={[
          { title: "#", value: (row) => row.step, isNumber: true },
          { title: "nodes", value: (row) => step(row).nodes,
            cell: (row) => <span title={step(row).nodes}>{firstOf(step(row).nodes.split(" + "), 40)}</span> },
          { title: "algorithm", value: (row) => step(row).algorithm },
          { title: "time", value: (row) => row.us, cell: (row) => micros(row.us), isNumber: true },
          { title: "waits", value: (row) => row.wait, isNumber: true,
            cell: (row) => <Bar share={row.wait / most}>{micros(row.wait)}</Bar> },
          { title: "threads used", value: used, cell: (row) => percent(used(row)), isNumber: true },
        ]}
        onChoose={(row) => step(row).op >= 0 && act.select(step(row).op, "graph")}
      />
    </>
  );
}
