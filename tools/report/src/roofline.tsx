// Every kernel call in the roofline model: speed over arithmetic intensity, below the machine's limits.
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLog, scaleSqrt } from "d3-scale";
import { select } from "d3-selection";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { kindColor } from "./colors";
import { micros, number } from "./format";
import { useShown } from "./state";
import { useWidth } from "./width";

export function Roofline() {
  const { shown, act } = useShown();
  const { report } = shown;
  const { limits, steps } = report.data;
  const [frame, width] = useWidth();
  const axes = useRef<SVGGElement>(null);
  const points = useMemo(
    () =>
      steps
        .filter((step) => step.us && step.us.p50 > 0 && step.flops > 0 && step.bytes > 0)
        .map((step) => ({
          step,
          intensity: step.flops / step.bytes,
          gflops: step.flops / step.us!.p50 / 1e3,
          us: step.us!.p50,
        }))
        .sort((a, b) => b.us - a.us),
    [report],
  );
  const height = 480;
  const margin = { left: 56, right: 16, top: 14, bottom: 40 };
  const kinds = useMemo(() => [...new Set(points.map((p) => (p.step.op >= 0 ? report.op(p.step.op).op : "copy")))], [points]);
  const low = (values: number[], floor: number) => Math.min(...values, floor) / 1.6;
  const high = (values: number[], ceiling: number) => Math.max(...values, ceiling) * 1.6;
  const ridge = limits ? limits.gflops / limits.gbps : 1;
  const x = scaleLog([low(points.map((p) => p.intensity), ridge / 4), high(points.map((p) => p.intensity), ridge * 4)], [margin.left, width - margin.right]);
  const y = scaleLog([low(points.map((p) => p.gflops), 1), high(points.map((p) => p.gflops), Math.max(...Object.values(limits?.peaks ?? {}), 1))], [height - margin.bottom, margin.top]);
  const radius = scaleSqrt([0, points[0]?.us ?? 1], [2.5, 18]);
  useEffect(() => {
    if (!axes.current) return;
    const root = select(axes.current);
    root.selectAll("*").remove();
    root.append("g").attr("transform", `translate(0,${height - margin.bottom})`).call(axisBottom(x).ticks(6, "~g"));
    root.append("g").attr("transform", `translate(${margin.left},0)`).call(axisLeft(y).ticks(6, "~g"));
  }, [width, report]);
  if (!limits || points.length === 0)
    return <div class="page"><h1>Roofline</h1><p>Nothing was measured.</p></div>;
  const x1 = x.domain()[1];
  const x0 = Math.max(x.domain()[0], y.domain()[0] / limits.gbps); // where the roof leaves the floor
  const roofOf = (peak: number) =>
    `M${x(x0)},${y(Math.min(x0 * limits.gbps, peak))} L${x(peak / limits.gbps)},${y(peak)} L${x(x1)},${y(peak)}`;
  const peaks = Object.entries(limits.peaks).sort(([, a], [, b]) => a - b);
  return (
    <div class="page wide">
      <h1>Roofline</h1>
      <p>
        This machine does {peaks.map(([type, peak]) => `${number(peak)} GFLOP/s in ${type}`).join(", ")} and reads
        {" "}{number(limits.gbps)} GB/s from memory with {report.data.threads} {report.data.threads === 1 ? "thread" : "threads"}. Kernels left of the ridge wait for memory, right of it for arithmetic.
        Points above their line found their data in caches or save arithmetic, as Winograd's algorithm does.
      </p>
      <div ref={frame} class="chart">
        <svg width={width} height={height} role="img" aria-label="Roofline of all kernels">
          {peaks.map(([type, peak]) => (
            <>
              <path class="roof" d={roofOf(peak)} />
              {peaks.length > 1 && <text x={width - margin.right} y={y(peak) - 4} text-anchor="end">{type}</text>}
            </>
          ))}
          {points.map((p) => {
            const kind = p.step.op >= 0 ? report.op(p.step.op).op : "copy";
            return (
              <circle class="point" cx={x(p.intensity)} cy={y(p.gflops)} r={radius(p.us)}
                      style={{ fill: kindColor(kinds, kind) }}
                      onClick={() => p.step.op >= 0 && act.select(p.step.op, "graph")}>
                <title>{`${p.step.nodes}\n${p.step.algorithm}\n${micros(p.us)}, ${number(p.gflops)} GFLOP/s, ${number(p.intensity)} FLOP/B, ${Math.round(p.step.percent_of_limit ?? 0)} % of limit`}</title>
              </circle>
            );
          })}
          <g ref={axes} class="axes" />
          <text class="axis-name" x={(width + margin.left) / 2} y={height - 4} text-anchor="middle">arithmetic intensity, FLOP per byte</text>
          <text class="axis-name" transform={`translate(13,${height / 2}) rotate(-90)`} text-anchor="middle">GFLOP/s</text>
        </svg>
        <div class="legend inline">
          {kinds.slice(0, 7).map((kind) => <span><i style={{ background: kindColor(kinds, kind) }} />{kind}</span>)}
        </div>
      </div>
    </div>
  );
}
