// The first page: what matters, in words and a few numbers.
import type { ComponentChildren } from "preact";
import { unfusedArm } from "./arms";
import { kindColor } from "./colors";
import { bytes, count, flops, micros, number, percent, plural, shortened } from "./format";
import { peakOf } from "./memory";
import type { Report } from "./report";
import { push } from "./report";
import { useShown } from "./state";
import { Bar } from "./table";

export function Summary() {
  const { shown } = useShown();
  const { report } = shown;
  const { data } = report;
  const arm = data.arms?.[0];
  const work = data.steps.reduce((sum, step) => sum + step.flops, 0);
  const peak = peakOf(report);
  return (
    <div class="page">
      <h1>{data.model}</h1>
      <p class="lead">{sentences(report)}</p>
      {data.complaints?.length ? <p class="warning">The times are not to be trusted: {data.complaints.join("; ")}.</p> : null}
      <div class="tiles">
        {arm && <Tile name="one run" value={`${number(arm.latency_ms.p50)} ms`}>
          {number(arm.latency_ms.p5)} to {number(arm.latency_ms.p90)} ms in 85 % of {arm.samples} runs, {plural(data.threads ?? 1, "thread")}
        </Tile>}
        {arm && work > 0 && <Tile name="speed" value={`${number(work / arm.latency_ms.p50 / 1e6)} GFLOP/s`}>
          {flops(work)} in a run{data.limits && `; this machine can do ${number(data.limits.gflops)} GFLOP/s`}
        </Tile>}
        {!arm && <Tile name="arithmetic" value={flops(work)}>in one run; nothing was measured</Tile>}
        <Tile name="graph" value={`${data.graph.stages[0].ops.length} → ${report.last.length} ops`}>
          {plural(data.steps.length, "kernel call")} of {plural(data.kernels.length, "different kernel")}
        </Tile>
        <Tile name="memory" value={bytes(data.arena_bytes + data.constant_bytes)}>
          {bytes(data.arena_bytes)} for tensors in between, at most {bytes(peak.bytes)} at a time; {bytes(data.constant_bytes)} of weights
        </Tile>
        <Tile name="parameters" value={count(data.parameters)}>{bytes(data.parameter_bytes)} in the model</Tile>
        <Tile name="compiled for" value={data.target.cpu}>
          {data.target.isa}{data.compile_ms && `, in ${number((data.compile_ms.passes + data.compile_ms.lowering + data.compile_ms.codegen) / 1000, 2)} s`}
        </Tile>
      </div>
      {report.isMeasured && <TimeByKind report={report} />}
      {report.isMeasured && <Slowest report={report} />}
      <Refused report={report} />
      {data.notes.length > 0 && <><h2>Notes</h2><ul>{data.notes.map((note) => <li>{note}</li>)}</ul></>}
      <p class="muted">Made by enfold {data.enfold}. Passes: {data.pipeline}.</p>
    </div>
  );
}

function Tile(props: { name: string; value: string; children?: ComponentChildren }) {
  return (
    <div class="tile">
      <span class="muted">{props.name}</span>
      <strong>{props.value}</strong>
      <span class="muted">{props.children}</span>
    </div>
  );
}

/** What a reader who knows no kernels wants to know. */
function sentences(report: Report): string {
  const { data } = report;
  const parts: string[] = [];
  const arm = data.arms?.[0];
  if (arm) {
    const perSecond = 1000 / arm.latency_ms.p50;
    parts.push(`One run takes ${number(arm.latency_ms.p50)} ms, which is ${number(perSecond)} runs a second.`);
  }
  const before = data.graph.stages[0].ops.length;
  parts.push(
    before === report.last.length
      ? `The network keeps its ${before} operations.`
      : `Of the ${before} operations in the model, ${report.last.length} are left; the others became part of them or were computed ahead of time.`,
  );
  const unfused = unfusedArm(report);
  if (unfused && unfused.ratio.low > 1)
    parts.push(
      `That makes it ${number(unfused.ratio.median)} times as fast as without fusion (95 % interval ${number(unfused.ratio.low)} to ${number(unfused.ratio.high)}).`,
    );
  else if (unfused && unfused.ratio.high < 1)
    parts.push(`Without fusion it would be faster: ${number(unfused.ratio.median)} of the time.`);
  const { total, folded } = data.batch_norms;
  if (total === 1 && folded === 1)
    parts.push("The batch normalization is folded into weights and costs nothing.");
  else if (total > 0)
    parts.push(
      folded === total
        ? `All ${plural(total, "batch normalization")} are folded into weights and cost nothing.`
        : `Of ${plural(total, "batch normalization")}, ${folded} are folded into weights and cost nothing.`,
    );
  const references = data.steps.filter((step) => step.kernel < 0).length;
  if (references > 0)
    parts.push(`${plural(references, "operation")} run${references === 1 ? "s" : ""} as slow reference functions.`);
  if (report.isMeasured) {
    const hot = [...report.costs.entries()].sort((a, b) => b[1].us - a[1].us)[0];
    parts.push(
      `The slowest operation, ${report.name(report.op(hot[0]))}, takes ${percent(hot[1].us / report.totalUs)} of the time.`,
    );
  }
  return parts.join(" ");
}

function TimeByKind({ report }: { report: Report }) {
  const times = new Map<string, number>();
  for (const [op, cost] of report.costs) {
    const kind = report.op(op).op;
    times.set(kind, (times.get(kind) ?? 0) + cost.us);
  }
  const kinds = [...times.keys()].sort((a, b) => times.get(b)! - times.get(a)!);
  const shown = kinds.filter((kind) => times.get(kind)! > 0);
  return (
    <>
      <h2>Where the time goes</h2>
      <div class="stack" role="img" aria-label="Time by kind of op">
        {shown.map((kind) => (
          <i title={`${kind}: ${micros(times.get(kind)!)}`}
             style={{ width: `${(100 * times.get(kind)!) / report.totalUs}%`, background: kindColor(kinds, kind) }} />
        ))}
      </div>
      <div class="legend inline">
        {shown.slice(0, 7).map((kind) => (
          <span><i style={{ background: kindColor(kinds, kind) }} />{kind} {percent(times.get(kind)! / report.totalUs)}</span>
        ))}
        {shown.length > 7 && <span><i style={{ background: kindColor(kinds, "") }} />others</span>}
      </div>
    </>
  );
}

function Slowest({ report }: { report: Report }) {
  const { act } = useShown();
  const hot = [...report.costs.entries()].sort((a, b) => b[1].us - a[1].us).slice(0, 8);
  const most = hot[0][1].us;
  return (
    <>
      <h2>The slowest operations</h2>
      <table class="grid">
        <tbody>
          {hot.filter(([, cost]) => cost.us > 0).map(([op, cost]) => (
            <tr class="chooses" tabIndex={0} onClick={() => act.select(op, "graph")}
                onKeyDown={(e) => e.key === "Enter" && act.select(op, "graph")}>
              <td><Bar share={cost.us / most}>{micros(cost.us)} · {percent(cost.us / report.totalUs)}</Bar></td>
              <td>{shortened(report.name(report.op(op)), 48)}</td>
              <td class="muted">{report.title(report.op(op))}</td>
              <td class="number muted">{Math.round(cost.percentOfLimit)} % of limit</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Refused({ report }: { report: Report }) {
  const { act } = useShown();
  const byReason = new Map<string, number>();
  const nodes = new Map<string, string[]>();
  for (const remark of report.data.remarks) {
    if (remark.outcome !== "refused") continue;
    const key = `${remark.pass}|${remark.reason}`;
    byReason.set(key, (byReason.get(key) ?? 0) + 1);
    push(nodes, key, remark.nodes[0]);
  }
  if (byReason.size === 0) return null;
  const rows = [...byReason].sort((a, b) => b[1] - a[1]).slice(0, 8);
  return (
    <>
      <h2>What was not fused, and why</h2>
      <table class="grid">
        <tbody>
          {rows.map(([key, times]) => {
            const [pass, reason] = key.split("|");
            return (
              <tr class="chooses" tabIndex={0} onClick={() => act.show("passes")}>
                <td class="number">{times} ×</td>
                <td><span class="chip refused">✕ {reason}</span> <span class="muted">{pass}</span></td>
                <td>{report.data.reasons[reason]}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}
