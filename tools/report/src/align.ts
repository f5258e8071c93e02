// Two reports side by side: ops that do the work of the same nodes belong together.
import type { Report } from "./report";

export interface Pair {
  nodes: string[];
  a: number[]; // ops of the last stages
  b: number[];
  usA: number;
  usB: number;
  isSameGraph: boolean; // the same ops with the same epilogues
  isSameAlgorithm: boolean;
}

export function align(a: Report, b: Report): Pair[] {
  const parent = new Map<string, string>();
  const root = (key: string): string => {
    let at = key;
    while (parent.has(at) && parent.get(at) !== at) at = parent.get(at)!;
    if (at !== key) parent.set(key, at);
    return at;
  };
  const unite = (x: string, y: string) => parent.set(root(x), root(y));
  const keysOf = (report: Report, op: number) => {
    const { nodes } = report.op(op);
    return nodes.length > 0 ? nodes.map((node) => `n${node}`) : [`v${report.name(report.op(op))}`];
  };
  for (const report of [a, b])
    for (const op of report.last) {
      const keys = keysOf(report, op);
      for (const key of keys) unite(key, keys[0]);
    }
  const pairs = new Map<string, Pair>();
  [a, b].forEach((report, side) => {
    for (const op of report.last) {
      const keys = keysOf(report, op);
      const group = root(keys[0]);
      let pair = pairs.get(group);
      if (!pair) {
        pair = { nodes: [], a: [], b: [], usA: 0, usB: 0, isSameGraph: false, isSameAlgorithm: false };
        pairs.set(group, pair);
      }
      (side === 0 ? pair.a : pair.b).push(op);
      for (const key of keys) if (!pair.nodes.includes(key.slice(1))) pair.nodes.push(key.slice(1));
    }
  });
  for (const pair of pairs.values()) {
    const time = (report: Report, ops: number[]) =>
      ops.reduce((sum, op) => sum + (report.cost(op)?.us ?? 0), 0);
    pair.usA = time(a, pair.a);
    pair.usB = time(b, pair.b);
    pair.isSameGraph = titles(a, pair.a) === titles(b, pair.b);
    pair.isSameAlgorithm = algorithms(a, pair.a) === algorithms(b, pair.b);
  }
  return [...pairs.values()];
}

export const titles = (report: Report, ops: number[]): string =>
  ops.map((op) => report.title(report.op(op))).join(", ");

export const algorithms = (report: Report, ops: number[]): string =>
  ops
    .flatMap((op) => report.cost(op)?.steps ?? [])
    .map((step) => report.step(step).algorithm)
    .join(", ");
