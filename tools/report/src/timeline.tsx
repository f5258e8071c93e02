// The steps of one run over time.
import { axisBottom } from "d3-axis";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { kindColor } from "./colors";
import { micros, shortened } from "./format";
import type { Report } from "./report";
import { useShown } from "./state";
import { useWidth } from "./width";

interface Span {
  step: number;
  begin: number; // microseconds
  end: number;
}

/** The steps one after the other, each as long as its median. */
function spansOf(report: Report): Span[] {
  let at = 0;
  return report.data.steps.flatMap((step, i) => {
    if (!step.us) return [];
    const span = { step: i, begin: at, end: at + step.us.p50 };
    at = span.end;
    return [span];
  });
}

export function Timeline() {
  const { shown, act } = useShown();
  const { report } = shown;
  const spans = useMemo(() => spansOf(report), [report]);
  const [frame, width] = useWidth();
  const svg = useRef<SVGSVGElement>(null);
  const axis = useRef<SVGGElement>(null);
  const [transform, setTransform] = useState(zoomIdentity);
  const end = spans.reduce((most, span) => Math.max(most, span.end), 0);
  const row = 90;
  const margin = { left: 24, right: 24 };
  const height = row + 40;
  const whole = scaleLinear([0, end || 1], [margin.left, width - margin.right]);
  const x = transform.rescaleX(whole);
  const kinds = useMemo(() => [...new Set(report.last.map((op) => report.op(op).op))], [report]);
  useEffect(() => {
    if (!svg.current) return;
    const behavior = zoom<SVGSVGElement, unknown>()
      .scaleExtent([1, 2000])
      .extent([[margin.left, 0], [width - margin.right, height]])
      .translateExtent([[margin.left, 0], [width - margin.right, height]])
      .on("zoom", (event) => setTransform(event.transform));
    select(svg.current).call(behavior);
  }, [width, height]);
  useEffect(() => {
    if (axis.current) select(axis.current).call(axisBottom(x).ticks(8).tickFormat((v) => micros(Number(v))));
  }, [transform, width, report]);
  if (spans.length === 0)
    return <div class="page"><h1>Timeline</h1><p>Nothing was measured.</p></div>;
  const visible = spans.filter((span) => x(span.end) >= margin.left && x(span.begin) <= width);
  return (
    <div class="page wide">
      <h1>Timeline</h1>
      <p>
        The steps one after the other, with the median of their times: {micros(end)} in all. Turn the wheel to zoom,
        drag to move.
      </p>
      <div ref={frame} class="chart">
        <svg ref={svg} width={width} height={height} role="img" aria-label="Steps over time">
          <clipPath id="inside"><rect x={margin.left} y={0} width={width - margin.left - margin.right} height={height} /></clipPath>
          <g clip-path="url(#inside)">
            {visible.map((span) => {
              const step = report.step(span.step);
              const [left, right] = [x(span.begin), x(span.end)];
              const size = Math.max(right - left - 0.5, 0.7);
              const kind = step.op >= 0 ? report.op(step.op).op : "";
              return (
                <g class="buffer" onClick={() => step.op >= 0 && act.select(step.op, "graph")}>
                  <title>{`${step.nodes}\n${step.algorithm}\n${micros(span.end - span.begin)}`}</title>
                  <rect x={left} y={4} width={size} height={row - 8} style={{ fill: kindColor(kinds, kind) }} />
                  {size > 50 && <text x={left + 4} y={26}>{shortened(step.nodes.split(" + ")[0] || step.algorithm, Math.floor(size / 7))}</text>}
                </g>
              );
            })}
          </g>
          <g ref={axis} class="axes" transform={`translate(0,${row + 4})`} />
        </svg>
      </div>
    </div>
  );
}
