// The memory plan: which step holds what where, the peak, and the weights.
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { kindColor } from "./colors";
import { bytes, percent, plural, shortened } from "./format";
import type { Report } from "./report";
import type { Buffer } from "./schema";
import { useShown } from "./state";
import { Bar, Table } from "./table";
import { useWidth } from "./width";

interface Peak {
  step: number;
  bytes: number; // alive at that step
  alive: number[]; // by step
}

export function peakOf(report: Report): Peak {
  const alive = new Array<number>(report.data.steps.length).fill(0);
  for (const buffer of arena(report))
    for (let step = buffer.first; step <= buffer.last; step++) alive[step] += buffer.bytes;
  let step = 0;
  for (let i = 0; i < alive.length; i++) if (alive[i] > alive[step]) step = i;
  return { step, bytes: alive[step] ?? 0, alive };
}

const arena = (report: Report): Buffer[] =>
  report.data.buffers.filter((buffer) => buffer.space === "arena" && buffer.first >= 0);

export function Memory() {
  const { shown, act } = useShown();
  const { report } = shown;
  const { data } = report;
  const peak = useMemo(() => peakOf(report), [report]);
  const maker = data.steps[peak.step]?.op ?? -1;
  const waste = data.arena_bytes > 0 ? 1 - peak.bytes / data.arena_bytes : 0;
  return (
    <div class="page wide">
      <h1>Memory</h1>
      {data.arena_bytes === 0 ? <p>No tensor is kept between steps.</p> : (
        <>
          <p>
            Tensors between steps share one block of <b>{bytes(data.arena_bytes)}</b>. The most that lives at a time
            is {bytes(peak.bytes)}, at step {peak.step}
            {maker >= 0 && <>, which computes <button class="link" onClick={() => act.select(maker, "graph")}>{report.name(report.op(maker))}</button></>}
            {waste > 0.005 ? `; ${percent(waste)} of the block is lost to gaps.` : "."}
            {data.scratch_bytes > 0 && ` Each thread has ${bytes(data.scratch_bytes)} of its own besides.`}
          </p>
          <BufferMap report={report} peak={peak} onChoose={(op) => act.select(op, "graph")} />
        </>
      )}
      <Weights report={report} />
    </div>
  );
}

function BufferMap(props: { report: Report; peak: Peak; onChoose(op: number): void }) {
  const { report, peak, onChoose } = props;
  const { data } = report;
  const [frame, width] = useWidth();
  const axes = useRef<SVGGElement>(null);
  const height = 380;
  const margin = { left: 64, right: 12, top: 10, bottom: 34 };
  const x = scaleLinear([0, data.steps.length], [margin.left, width - margin.right]);
  const y = scaleLinear([0, data.arena_bytes], [height - margin.bottom, margin.top]);
  useEffect(() => {
    if (!axes.current) return;
    const root = select(axes.current);
    root.selectAll("*").remove();
    root.append("g").attr("transform", `translate(0,${height - margin.bottom})`).call(axisBottom(x).ticks(Math.min(12, data.steps.length)));
    root.append("g").attr("transform", `translate(${margin.left},0)`).call(axisLeft(y).ticks(6).tickFormat((v) => bytes(Number(v))));
  }, [width, report]);
  const kinds = useMemo(() => [...new Set(report.last.map((op) => report.op(op).op))], [report]);
  const line = peak.alive.map((size, i) => `${x(i)},${y(size)} ${x(i + 1)},${y(size)}`).join(" ");
  return (
    <div ref={frame} class="chart">
      <svg width={width} height={height} role="img" aria-label="Buffers by step and place">
        <rect class="peak" x={x(peak.step)} y={margin.top} width={Math.max(x(1) - x(0), 2)} height={height - margin.top - margin.bottom} />
        {arena(report).map((buffer) => {
          const op = data.steps[buffer.first].op;
          const box = {
            x: x(buffer.first),
            y: y(buffer.offset + buffer.bytes),
            width: Math.max(x(buffer.last + 1) - x(buffer.first) - 0.5, 1),
            height: Math.max(y(buffer.offset) - y(buffer.offset + buffer.bytes) - 0.5, 0.5),
          };
          const name = op >= 0 ? report.name(report.op(op)) : "";
          return (
            <g class="buffer" onClick={() => op >= 0 && onChoose(op)}>
              <title>{`${name}\n${bytes(buffer.bytes)} at ${bytes(buffer.offset)}, steps ${buffer.first} to ${buffer.last}`}</title>
              <rect {...box} style={{ fill: kindColor(kinds, op >= 0 ? report.op(op).op : "") }} />
              {box.height > 15 && box.width > 60 && (
                <text x={box.x + 4} y={box.y + 12}>{shortened(name, Math.floor(box.width / 7))}</text>
              )}
            </g>
          );
        })}
        <polyline class="alive" points={line} />
        <g ref={axes} class="axes" />
        <text class="axis-name" x={(width + margin.left) / 2} y={height - 2} text-anchor="middle">step</text>
      </svg>
      <p class="muted">
        A rectangle is a tensor: from the step that writes it to the last that reads it, at its place in the block; colours
        are kinds of ops. The line is what lives in all; the bar marks the peak.
      </p>
    </div>
  );
}

function Weights({ report }: { report: Report }) {
  const { act } = useShown();
  const rows = useMemo(() => weightsOf(report), [report]);
  const total = rows.reduce((sum, row) => sum + row.bytes, 0);
  const most = Math.max(...rows.map((row) => row.bytes), 1);
  return (
    <>
      <h2>Weights</h2>
      <p>
        {plural(rows.length, "constant")} of {bytes(total)} in the optimized graph;
        {" "}{bytes(report.data.constant_bytes)} as the kernels read them.
      </p>
      <Table
        label="Weights"
        rows={rows}
        sortBy={2}
        isDescending
        filter={(row) => `${row.name} ${row.user}`}
        columns={[
          { title: "name", value: (row) => row.name },
          { title: "type", value: (row) => row.type },
          { title: "size", value: (row) => row.bytes, isNumber: true, cell: (row) => <Bar share={row.bytes / most}>{bytes(row.bytes)}</Bar> },
          { title: "share", value: (row) => row.bytes, isNumber: true, cell: (row) => percent(row.bytes / total) },
          { title: "read by", value: (row) => row.user },
        ]}
        onChoose={(row) => act.select(row.op, "graph")}
      />
    </>
  );
}

interface Weight {
  name: string;
  type: string;
  bytes: number;
  user: string;
  op: number;
}

function weightsOf(report: Report): Weight[] {
  const found = new Map<number, Weight>();
  for (const index of report.last)
    for (const operand of report.op(index).operands) {
      if (operand < 0 || found.has(operand)) continue;
      const { name, type, bytes: size, source } = report.value(operand);
      if (source === "constant")
        found.set(operand, { name, type, bytes: size, user: report.name(report.op(index)), op: index });
    }
  return [...found.values()];
}
