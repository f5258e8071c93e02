// What every pass did and refused, with its reasons.
import { number, plural } from "./format";
import { useShown } from "./state";
import { Table } from "./table";

export function Passes() {
  const { shown, act } = useShown();
  const { report } = shown;
  const { data } = report;
  return (
    <div class="page wide">
      <h1>Passes</h1>
      <table class="grid">
        <thead><tr><th>stage</th><th>pass</th><th class="number">ops</th><th class="number">rewrites</th><th class="number">ms</th><th>what it does</th></tr></thead>
        <tbody>
          {data.graph.stages.map((stage, i) => (
            <tr class="chooses" tabIndex={0} onClick={() => { act.setStage(i); act.show("graph"); }}>
              <td>{i}</td>
              <td>{stage.pass || "as imported"}</td>
              <td class="number">{stage.ops.length}</td>
              <td class="number">{i > 0 ? stage.rewrites : ""}</td>
              <td class="number">{i > 0 ? number(stage.ms, 2) : ""}</td>
              <td class="muted">{data.passes[stage.pass] ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {data.idle_passes.length > 0 && (
        <p class="muted">{plural(data.idle_passes.length, "pass", "passes")} found nothing to change: {data.idle_passes.join(", ")}.</p>
      )}
      <h2>Candidates</h2>
      <Table
        label="Candidates"
        rows={data.remarks}
        filter={(r) => `${r.pass} ${r.outcome} ${r.reason} ${r.nodes.join(" ")} ${r.message}`}
        columns={[
          { title: "pass", value: (r) => r.pass },
          { title: "outcome", value: (r) => r.outcome, cell: (r) => (
            <span class={`chip ${r.outcome}`} title={data.reasons[r.reason]}>{r.outcome === "applied" ? "✓" : "✕"} {r.reason}</span>) },
          { title: "nodes", value: (r) => r.nodes.join(" + ") },
          { title: "why", value: (r) => r.message },
        ]}
        onChoose={(r) => {
          const op = r.nodes.map((node) => report.opOfNode.get(node)).find((index) => index !== undefined);
          if (op !== undefined) act.select(op, "graph");
        }}
      />
    </div>
  );
}
