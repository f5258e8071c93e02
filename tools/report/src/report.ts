// A report with what the views look up: which op of the last stage does a node's work, what it costs,
// what was said about it.
import type { Kernel, Op, Remark, ReportData, Step, Value } from "./schema";
import { kVersion } from "./schema";

export interface Cost {
  us: number; // median
  flops: number;
  bytes: number;
  percentOfLimit: number; // weighted by time
  error: number; // relative to the largest magnitude; NaN: unknown
  steps: number[];
}

export class Report {
  readonly last: number[]; // ops of the last stage
  readonly opOfNode = new Map<string, number>(); // op of the last stage that does a node's work
  readonly costs = new Map<number, Cost>(); // by op of the last stage
  readonly remarksOfNode = new Map<string, Remark[]>();
  readonly how = new Map<number, ReportData["ops"][number]>();
  readonly totalUs: number;
  readonly isMeasured: boolean;
  private readonly texts = new Map<number, Promise<Kernel>>();

  constructor(readonly data: ReportData) {
    if (data.schema !== "enfold-report") throw new Error("This file is not a report of enfold.");
    if (data.version !== kVersion)
      throw new Error(
        `The report has version ${data.version} of its format; this page reads ${kVersion}.`,
      );
    this.last = data.graph.stages[data.graph.stages.length - 1].ops;
    for (const index of this.last)
      for (const node of this.op(index).nodes)
        if (!this.opOfNode.has(node)) this.opOfNode.set(node, index);
    for (const remark of data.remarks)
      for (const node of remark.nodes) push(this.remarksOfNode, node, remark);
    for (const row of data.ops) this.how.set(row.op, row);
    this.isMeasured = data.steps.some((step) => step.us);
    this.addCosts();
    this.totalUs = data.steps.reduce((sum, step) => sum + (step.us?.p50 ?? 0), 0);
  }

  op(index: number): Op {
    return this.data.graph.ops[index];
  }
  value(index: number): Value {
    return this.data.graph.values[index];
  }
  step(index: number): Step {
    return this.data.steps[index];
  }

  /** "conv + add + relu" */
  title(op: Op): string {
    return [op.op, ...op.epilogue].join(" + ");
  }
  /** The first node it comes from, or else its result. */
  name(op: Op): string {
    return op.nodes[0] ?? `%${this.value(op.results[0]).name}`;
  }
  resultType(op: Op): string {
    return this.value(op.results[0]).type;
  }

  /** The op of the last stage that does the work of an op of any stage; -1 if none does. */
  finalOf(index: number): number {
    if (this.costs.has(index)) return index;
    const op = this.op(index);
    for (const node of op.nodes) {
      const found = this.opOfNode.get(node);
      if (found !== undefined) return found;
    }
    return -1;
  }

  cost(index: number): Cost | undefined {
    return this.costs.get(index);
  }

  /** What passes said about any of the nodes, in their order. */
  remarksOf(nodes: readonly string[]): Remark[] {
    const found = new Set<Remark>();
    for (const node of nodes)
      for (const remark of this.remarksOfNode.get(node) ?? []) found.add(remark);
    return this.data.remarks.filter((remark) => found.has(remark));
  }

  kernel(index: number): Promise<Kernel> {
    let text = this.texts.get(index);
    if (!text) {
      text = inflate(this.data.kernels[index].packed).then(JSON.parse);
      this.texts.set(index, text);
    }
    return text;
  }

  private addCosts(): void {
    const errors = new Map(
      (this.data.errors ?? []).map((e) => [e.value, e.error / Math.max(e.scale, 1e-30)]),
    );
    for (const index of this.last) {
      const result = this.op(index).results[0];
      const error = errors.get(this.value(result).name) ?? NaN;
      this.costs.set(index, { us: 0, flops: 0, bytes: 0, percentOfLimit: 0, error, steps: [] });
    }
    this.data.steps.forEach((step, i) => {
      const cost = this.costs.get(step.op);
      if (!cost) return;
      const us = step.us?.p50 ?? 0;
      cost.us += us;
      cost.flops += step.flops;
      cost.bytes += step.bytes;
      cost.percentOfLimit += us * (step.percent_of_limit ?? 0);
      cost.steps.push(i);
    });
    for (const cost of this.costs.values()) if (cost.us > 0) cost.percentOfLimit /= cost.us;
  }
}

export function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

async function inflate(base64: string): Promise<string> {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

/** The report in an element of this page, or of another page's text. */
export function embedded(id: string, page: Document = document): Report | null {
  const text = page.getElementById(id)?.textContent;
  return text ? new Report(JSON.parse(text)) : null;
}
