// The same network measured unfused.
import type { Report } from "./report";
import type { Arm } from "./schema";

export function unfusedArm(report: Report): Arm | undefined {
  return report.data.arms?.find((arm, i) => i > 0 && arm.name === "unfused" && arm.steps.length > 0);
}

const cache = new WeakMap<Report, Map<number, number>>();

/** By op of the last stage: the time of the same nodes unfused, in microseconds. */
export function unfusedTimes(report: Report): Map<number, number> {
  const known = cache.get(report);
  if (known) return known;
  const times = new Map<number, number>();
  for (const step of unfusedArm(report)?.steps ?? []) {
    const first = step.nodes.split(" + ")[0];
    const op = report.opOfNode.get(step.nodes) ?? report.opOfNode.get(first);
    if (op !== undefined) times.set(op, (times.get(op) ?? 0) + step.us.p50);
  }
  cache.set(report, times);
  return times;
}
