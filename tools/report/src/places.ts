// Where ops stand, the same in every stage: each op of the imported graph has a place. An op of a
// later stage takes the place of one of the nodes whose work it does; the places of the others stay
// as its ghosts. What has no place among the imported ops gets one of its own.
import type { Report } from "./report";
import { push } from "./report";

export interface Place {
  key: string; // stable text
  scope: string[]; // path of the scopes around it
}

/** What stands in a place in one stage. */
export interface Occupant {
  op: number; // that stands there, or whose ghost does; -1: nothing does its work any more
  isGhost: boolean;
  was: number; // the op that stood there first
}

export interface StageView {
  occupants: Map<number, Occupant>; // by place
  placeOf: Map<number, number>; // by op
  edges: Edge[];
}

export interface Edge {
  from: number; // places
  to: number;
  value: number;
  isInner: boolean; // between an op and its own ghosts
}

export class Places {
  readonly places: Place[] = [];
  readonly stages: StageView[] = [];
  private readonly first: number[] = []; // op that stood first in each place
  private readonly ofNode = new Map<string, number[]>();
  private readonly ofValue = new Map<string, number>(); // place that first computed the value
  private readonly separator: string;

  constructor(private readonly report: Report) {
    const { stages, ops } = report.data.graph;
    this.separator = ops.some((op) => op.nodes[0]?.includes("/")) ? "/" : ".";
    for (const index of stages[0].ops) this.addPlace(index);
    for (let i = 0; i < stages.length; i++) this.stages.push(this.view(stages[i].ops, i));
  }

  private addPlace(index: number): number {
    const op = this.report.op(index);
    const place = this.places.length;
    const path = (op.nodes[0] ?? "").split(this.separator).filter((part) => part);
    let scope = path.slice(0, -1);
    if (op.nodes.length === 0)
      for (const operand of op.operands) {
        const producer = operand < 0 ? undefined : this.ofValue.get(this.report.value(operand).name);
        if (producer !== undefined) scope = this.places[producer].scope;
      }
    this.places.push({ key: `${this.report.name(op)}#${place}`, scope });
    this.first.push(index);
    for (const node of op.nodes) push(this.ofNode, node, place);
    for (const result of op.results) {
      const name = this.report.value(result).name;
      if (!this.ofValue.has(name)) this.ofValue.set(name, place);
    }
    return place;
  }

  private view(ops: number[], stage: number): StageView {
    const before = this.stages[stage - 1];
    const placeOf = new Map<number, number>();
    const taken = new Set<number>();
    const put = (index: number, place: number) => {
      placeOf.set(index, place);
      taken.add(place);
    };
    for (const index of ops) {
      const place = stage === 0 ? placeOf.size : before.placeOf.get(index);
      if (place !== undefined) put(index, place);
    }
    for (const index of ops)
      if (!placeOf.has(index)) put(index, this.choose(index, taken) ?? this.addPlace(index));
    return this.finish(ops, placeOf);
  }

  /** A free place of an op that becomes this one: of the same kind if there is one. */
  private choose(index: number, taken: Set<number>): number | undefined {
    const op = this.report.op(index);
    const free = op.nodes
      .flatMap((node) => this.ofNode.get(node) ?? [])
      .filter((place) => !taken.has(place));
    const same = free.find((place) => this.report.op(this.first[place]).op === op.op);
    if (same !== undefined) return same;
    const byValue = this.ofValue.get(this.report.value(op.results[0]).name);
    if (byValue !== undefined && !taken.has(byValue)) return byValue;
    return free[0];
  }

  private finish(ops: number[], placeOf: Map<number, number>): StageView {
    const occupants = new Map<number, Occupant>();
    const opOfNode = new Map<string, number>();
    const opOfValue = new Map<string, number>();
    for (const index of ops) {
      const place = placeOf.get(index)!;
      occupants.set(place, { op: index, isGhost: false, was: this.first[place] });
      for (const node of this.report.op(index).nodes)
        if (!opOfNode.has(node)) opOfNode.set(node, index);
      for (const result of this.report.op(index).results)
        opOfValue.set(this.report.value(result).name, index);
    }
    for (let place = 0; place < this.places.length; place++) {
      if (occupants.has(place)) continue;
      const was = this.first[place];
      const { nodes, results } = this.report.op(was);
      const node = nodes.find((name) => opOfNode.has(name));
      const op = node
        ? opOfNode.get(node)
        : nodes.length === 0 && opOfValue.get(this.report.value(results[0]).name);
      occupants.set(place, { op: typeof op === "number" ? op : -1, isGhost: true, was });
    }
    return { occupants, placeOf, edges: this.edges(ops, placeOf, occupants) };
  }

  /** Edges meet an op in the ghost that first computed or read the value. */
  private edges(
    ops: number[],
    placeOf: Map<number, number>,
    occupants: Map<number, Occupant>,
  ): Edge[] {
    const edges: Edge[] = [];
    const producer = new Map<string, number>();
    for (const index of ops)
      for (const result of this.report.op(index).results)
        producer.set(this.report.value(result).name, index);
    const ghosts = new Map<number, number[]>();
    for (const [place, occupant] of occupants)
      if (occupant.isGhost && occupant.op >= 0) push(ghosts, occupant.op, place);
    for (const index of ops) {
      const own = placeOf.get(index)!;
      const mine = [own, ...(ghosts.get(index) ?? [])];
      for (const operand of new Set(this.report.op(index).operands)) {
        if (operand < 0) continue;
        const name = this.report.value(operand).name;
        const source = producer.get(name);
        if (source === undefined) continue;
        const exit = this.ofValue.get(name);
        const isOwnExit = exit !== undefined && occupants.get(exit)?.op === source;
        const from = isOwnExit ? exit : placeOf.get(source)!;
        const to = mine.find((place) => this.reads(this.first[place], name)) ?? own;
        edges.push({ from, to, value: operand, isInner: false });
      }
      for (const to of mine)
        for (const operand of this.report.op(this.first[to]).operands) {
          if (operand < 0) continue;
          const from = this.ofValue.get(this.report.value(operand).name);
          if (from !== undefined && from !== to && mine.includes(from))
            edges.push({ from, to, value: operand, isInner: true });
        }
    }
    return edges;
  }

  private reads(index: number, value: string): boolean {
    return this.report
      .op(index)
      .operands.some((operand) => operand >= 0 && this.report.value(operand).name === value);
  }
}
