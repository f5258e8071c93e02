// Everything about one op: what became of its nodes, how it runs, what it costs and what it reads.
import { bytes, flops, micros, number, percent } from "./format";
import type { Report } from "./report";
import type { Op, Remark } from "./schema";
import { useShown } from "./state";
import { unfusedTimes } from "./arms";

export function Detail({ op }: { op: number }) {
  const { shown, act } = useShown();
  const { report } = shown;
  const final = report.finalOf(op);
  const what = report.op(op);
  return (
    <aside class="detail" aria-label="Details">
      <div class="bar">
        <h2>{report.title(what)}</h2>
        <span class="spring" />
        <button aria-label="Close" title="Close (Esc)" onClick={() => act.select(-1)}>✕</button>
      </div>
      <Nodes what={what} />
      {final < 0 && <p>Nothing does its work any more: it was removed or computed at compile time.</p>}
      {final >= 0 && <Cost report={report} op={final} />}
      {final >= 0 && <How report={report} op={final} />}
      <Tensors report={report} what={what} />
      <Remarks remarks={report.remarksOf(what.nodes.length > 0 ? what.nodes : (final >= 0 ? report.op(final).nodes : []))} />
      <details>
        <summary>As text</summary>
        <pre class="text">{what.text}</pre>
      </details>
    </aside>
  );
}

function Nodes({ what }: { what: Op }) {
  if (what.nodes.length === 0)
    return <p class="muted">Added by the compiler; it comes from no node of the model.</p>;
  return (
    <ul class="nodes">
      {what.nodes.map((node) => <li>{node}</li>)}
    </ul>
  );
}

function Cost({ report, op }: { report: Report; op: number }) {
  const cost = report.cost(op)!;
  const steps = cost.steps.map((i) => report.step(i));
  const seconds = cost.us * 1e-6;
  const unfused = unfusedTimes(report).get(op);
  const interval = (at: "min" | "p5" | "p90") => steps.reduce((sum, s) => sum + (s.us?.[at] ?? 0), 0);
  return (
    <table class="facts">
      {cost.us > 0 && (
        <>
          <tr>
            <th>time</th>
            <td>
              <b>{micros(cost.us)}</b> median, {percent(cost.us / report.totalUs)} of the network
              <div class="muted">
                {micros(interval("p5"))} to {micros(interval("p90"))} in 85 % of the runs, least {micros(interval("min"))}
              </div>
            </td>
          </tr>
          <tr>
            <th>speed</th>
            <td>
              {number(cost.flops / seconds / 1e9)} GFLOP/s, {number(cost.bytes / seconds / 1e9)} GB/s
              <div class="muted">
                {Math.round(cost.percentOfLimit)} % of this machine's limit, bound by {steps[0].bound_by}
              </div>
            </td>
          </tr>
        </>
      )}
      {unfused !== undefined && cost.us > 0 && (
        <tr>
          <th>unfused</th>
          <td>{micros(unfused)}, {number(unfused / cost.us, 3)} times as long</td>
        </tr>
      )}
      {cost.flops > 0 && <tr><th>arithmetic</th><td>{flops(cost.flops)}</td></tr>}
      {cost.bytes > 0 && (
        <tr>
          <th>traffic</th>
          <td>{bytes(cost.bytes)} at least{cost.flops > 0 && `, ${number(cost.flops / cost.bytes)} FLOP per byte`}</td>
        </tr>
      )}
      {Number.isFinite(cost.error) && (
        <tr><th>error</th><td>{number(cost.error, 2)} of the largest magnitude, against the reference</td></tr>
      )}
    </table>
  );
}

function How({ report, op }: { report: Report; op: number }) {
  const how = report.how.get(op);
  const cost = report.cost(op)!;
  if (!how) return null;
  const steps = cost.steps.map((i) => report.step(i));
  return (
    <table class="facts">
      <tr><th>runs as</th><td>{how.runs_as}</td></tr>
      {steps.map((step) => (
        <tr>
          <th>{steps.length > 1 ? "kernel" : "algorithm"}</th>
          <td>
            {step.algorithm}
            {steps.length > 1 && step.us && <span class="muted"> {micros(step.us.p50)}</span>}
            {step.next_best && <div class="muted">second choice: {step.next_best}</div>}
          </td>
        </tr>
      ))}
      {Object.entries(how.refused).map(([family, reason]) => (
        <tr><th class="refused">not {family}</th><td class="muted">{reason}</td></tr>
      ))}
    </table>
  );
}

function Tensors({ report, what }: { report: Report; what: Op }) {
  const { act, shown } = useShown();
  const stageOps = report.data.graph.stages[shown.stage].ops;
  const producerOf = (value: number) =>
    stageOps.find((index) => report.op(index).results.some((r) => report.value(r).name === report.value(value).name));
  const row = (value: number, role: string) => {
    const { name, type, bytes: size, source } = report.value(value);
    const producer = role === "in" && source === "computed" ? producerOf(value) : undefined;
    return (
      <tr>
        <th>{source === "constant" ? "weights" : role}</th>
        <td>
          {producer === undefined ? <span class="tensor">{name}</span> : (
            <button class="link" onClick={() => act.select(producer)}>{name}</button>
          )}
          <div class="muted">{type} · {bytes(size)}</div>
        </td>
      </tr>
    );
  };
  return (
    <table class="facts">
      {what.operands.filter((value) => value >= 0).map((value) => row(value, "in"))}
      {what.results.map((value) => row(value, "out"))}
    </table>
  );
}

export function Remarks({ remarks }: { remarks: Remark[] }) {
  const { shown } = useShown();
  if (remarks.length === 0) return null;
  return (
    <>
      <h3>What the passes did</h3>
      <ol class="remarks">
        {remarks.map((remark) => (
          <li>
            <span class={`chip ${remark.outcome}`} title={shown.report.data.reasons[remark.reason]}>
              {remark.outcome === "applied" ? "✓" : "✕"} {remark.reason}
            </span>{" "}
            <span class="muted">{remark.pass}</span>
            <div>{remark.nodes[0] && <b>{remark.nodes[0]}</b>} {remark.message}</div>
            {remark.outcome === "refused" && <div class="muted">{shown.report.data.reasons[remark.reason]}</div>}
          </li>
        ))}
      </ol>
    </>
  );
}
