// Fused against unfused, and this report against another.
import { useMemo, useState } from "preact/hooks";
import { algorithms, align, titles, type Pair } from "./align";
import { unfusedArm, unfusedTimes } from "./arms";
import { bytes, firstOf, micros, number, plural } from "./format";
import { embedded, type Report } from "./report";
import { useShown } from "./state";
import { Table } from "./table";

export function Compare() {
  const { shown } = useShown();
  return (
    <div class="page wide">
      <h1>Comparison</h1>
      <Chooser />
      {shown.against && <Against a={shown.report} b={shown.against} />}
      <Fusion report={shown.report} />
    </div>
  );
}

/** Reads another report from a file that the reader chooses. */
function Chooser() {
  const { shown, act } = useShown();
  const [problem, setProblem] = useState("");
  const read = async (file: File | undefined) => {
    if (!file) return;
    try {
      const page = new DOMParser().parseFromString(await file.text(), "text/html");
      const report = embedded("report", page);
      if (!report) throw new Error(`${file.name} is not a report of enfold.`);
      setProblem("");
      act.compareWith(report);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <p>
      <label>
        {shown.against ? "Compare with another report: " : "Compare with the report in a file: "}
        <input type="file" accept=".html" onChange={(e) => void read(e.currentTarget.files?.[0])} />
      </label>
      {problem && <span role="alert" class="problem"> {problem}</span>}
    </p>
  );
}

const ratio = (a: number, b: number): string => (a > 0 && b > 0 ? `${number(b / a)} ×` : "");

function Against({ a, b }: { a: Report; b: Report }) {
  const { act } = useShown();
  const pairs = useMemo(() => align(a, b), [a, b]);
  const [onlyChanged, setOnlyChanged] = useState(false);
  const changed = pairs.filter((pair) => !pair.isSameGraph || !pair.isSameAlgorithm);
  const [armA, armB] = [a.data.arms?.[0], b.data.arms?.[0]];
  const work = (report: Report) => report.data.steps.reduce((sum, step) => sum + step.flops, 0);
  const facts: [string, string, string, string][] = [
    ["ops after passes", String(a.last.length), String(b.last.length), ratio(a.last.length, b.last.length)],
    ["kernel calls", String(a.data.steps.length), String(b.data.steps.length), ratio(a.data.steps.length, b.data.steps.length)],
    ["arithmetic, GFLOP", number(work(a) / 1e9), number(work(b) / 1e9), ratio(work(a), work(b))],
    ["tensors in between", bytes(a.data.arena_bytes), bytes(b.data.arena_bytes), ratio(a.data.arena_bytes, b.data.arena_bytes)],
    ["weights", bytes(a.data.constant_bytes), bytes(b.data.constant_bytes), ratio(a.data.constant_bytes, b.data.constant_bytes)],
    ["processor", a.data.target.cpu, b.data.target.cpu, ""],
  ];
  if (armA && armB)
    facts.unshift(["one run, ms", number(armA.latency_ms.p50), number(armB.latency_ms.p50), ratio(armA.latency_ms.p50, armB.latency_ms.p50)]);
  const label = (ops: number[], report: Report) => titles(report, ops) || "–";
  return (
    <>
      <table class="grid against">
        <thead><tr><th /><th class="number">A: {a.data.model}</th><th class="number">B: {b.data.model}</th><th class="number">B / A</th></tr></thead>
        <tbody>
          {facts.map(([name, x, y, r]) => (
            <tr><th>{name}</th><td class="number">{x}</td><td class="number">{y}</td><td class="number">{r}</td></tr>
          ))}
        </tbody>
      </table>
      <h2>Node by node</h2>
      <p>
        {changed.length === 0 ? "Both have the same ops and algorithms." : `${plural(changed.length, "group")} of nodes ${changed.length === 1 ? "differs" : "differ"} in ops or algorithms.`}
        {" "}Times were measured one after the other: small differences are noise.{" "}
        <label><input type="checkbox" checked={onlyChanged} onChange={(e) => setOnlyChanged(e.currentTarget.checked)} /> only what differs</label>
      </p>
      <Table<Pair>
        label="Node by node"
        key={String(onlyChanged)}
        rows={onlyChanged ? changed : pairs}
        filter={(pair) => `${pair.nodes.join(" ")} ${titles(a, pair.a)} ${titles(b, pair.b)}`}
        columns={[
          { title: "nodes", value: (pair) => pair.nodes.join(" + "), cell: (pair) => <span title={pair.nodes.join("\n")}>{firstOf(pair.nodes, 40)}</span> },
          { title: "A", value: (pair) => label(pair.a, a) },
          { title: "B", value: (pair) => label(pair.b, b), cell: (pair) => (pair.isSameGraph ? <span class="muted">same</span> : <b>{label(pair.b, b)}</b>) },
          { title: "algorithm A", value: (pair) => algorithms(a, pair.a) },
          { title: "algorithm B", value: (pair) => algorithms(b, pair.b), cell: (pair) => (pair.isSameAlgorithm ? <span class="muted">same</span> : <b>{algorithms(b, pair.b) || "–"}</b>) },
          { title: "time A", isNumber: true, value: (pair) => pair.usA, cell: (pair) => micros(pair.usA) },
          { title: "time B", isNumber: true, value: (pair) => pair.usB, cell: (pair) => micros(pair.usB) },
          { title: "B − A", isNumber: true, value: (pair) => pair.usB - pair.usA, cell: (pair) => <Change us={pair.usB - pair.usA} /> },
        ]}
        onChoose={(pair) => pair.a.length > 0 && act.select(pair.a[0], "graph")}
      />
    </>
  );
}

function Change({ us }: { us: number }) {
  if (us === 0) return <>0</>;
  return <span class={us > 0 ? "slower" : "faster"}>{us > 0 ? "▲ +" : "▼ −"}{micros(Math.abs(us))}</span>;
}

function Fusion({ report }: { report: Report }) {
  const { act } = useShown();
  const arm = unfusedArm(report);
  const rows = useMemo(() => {
    const times = unfusedTimes(report);
    return report.last
      .filter((op) => times.has(op) || report.cost(op)!.us > 0)
      .map((op) => ({ op, fused: report.cost(op)!.us, unfused: times.get(op) ?? 0 }));
  }, [report]);
  if (!arm) return null;
  return (
    <>
      <h2>Fused against unfused</h2>
      <p>
        Without fusion one run takes {number(arm.latency_ms.p50)} ms, {number(arm.ratio.median)} times as long
        (95 % interval {number(arm.ratio.low)} to {number(arm.ratio.high)}).
      </p>
      <Table
        label="Fused against unfused"
        rows={rows}
        sortBy={4}
        isDescending
        columns={[
          { title: "nodes", value: (row) => report.op(row.op).nodes.join(" + "), cell: (row) => firstOf(report.op(row.op).nodes, 56) || report.name(report.op(row.op)) },
          { title: "op", value: (row) => report.title(report.op(row.op)) },
          { title: "unfused", isNumber: true, value: (row) => row.unfused, cell: (row) => micros(row.unfused) },
          { title: "fused", isNumber: true, value: (row) => row.fused, cell: (row) => micros(row.fused) },
          { title: "saved", isNumber: true, value: (row) => row.unfused - row.fused, cell: (row) => <Change us={row.fused - row.unfused} /> },
        ]}
        onChoose={(row) => act.select(row.op, "graph")}
      />
    </>
  );
}
