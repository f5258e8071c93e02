// The slider over the stages, and what the pass that led to one did.
import { useMemo } from "preact/hooks";
import { plural } from "./format";
import { useShown } from "./state";

export function StageBar() {
  const { shown, act } = useShown();
  const { report, stage } = shown;
  const { stages } = report.data.graph;
  const current = stages[stage];
  const said = useMemo(() => {
    const counts = new Map<string, number>();
    for (const remark of report.data.remarks)
      if (remark.pass === current.pass) {
        const key = `${remark.outcome}|${remark.reason}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    return [...counts].map(([key, count]) => ({ outcome: key.split("|")[0], reason: key.split("|")[1], count }));
  }, [report, stage]);
  const before = stage > 0 ? stages[stage - 1].ops.length : current.ops.length;
  const change = current.ops.length - before;
  return (
    <div class="stages">
      <div class="bar">
        <button aria-label="Previous stage" disabled={stage === 0} onClick={() => act.setStage(stage - 1)}>◀</button>
        <input
          type="range"
          aria-label="Stage"
          min={0}
          max={stages.length - 1}
          value={stage}
          onInput={(e) => act.setStage(Number(e.currentTarget.value))}
        />
        <button aria-label="Next stage" disabled={stage === stages.length - 1} onClick={() => act.setStage(stage + 1)}>▶</button>
        <strong class="stage-name">
          {stage}/{stages.length - 1} {current.pass || "as imported"}
        </strong>
        <span class="muted">
          {plural(current.ops.length, "op")}
          {change !== 0 && ` (${change > 0 ? "+" : "−"}${Math.abs(change)})`}
        </span>
        {said.map(({ outcome, reason, count }) => (
          <span class={`chip ${outcome}`} title={report.data.reasons[reason]}>
            {outcome === "applied" ? "✓" : "✕"} {count} {reason}
          </span>
        ))}
        {current.pass && (
          <span class="muted summary">{report.data.passes[current.pass] ?? ""}</span>
        )}
      </div>
    </div>
  );
}
