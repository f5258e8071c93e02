// Positions of boxes and the lines between them. Two things keep large networks quick: chains of boxes
// are placed as one tall box, and the graph is cut where all lines meet, as between residual blocks.
import dagre from "@dagrejs/dagre";
import { push } from "./report";

export interface Point {
  x: number;
  y: number;
}

/** Where a line goes so that it avoids other boxes. */
export interface Bends {
  from: string;
  to: string;
  points: Point[];
}

export interface Layout {
  at: Map<string, Point>; // centres
  lines: Map<string, Bends>; // by lineKey()
  width: number;
  height: number;
}

export const kBox = { width: 196, height: 46, gap: 22, side: 28 };

export const lineKey = (from: string, to: string): string => `${from}→${to}`;

export function layOut(boxes: string[], edges: [string, string][]): Layout {
  const next = new Map<string, string[]>();
  const previous = new Map<string, string[]>();
  const known = new Set(boxes);
  const seen = new Set<string>();
  for (const [from, to] of edges) {
    if (from === to || !known.has(from) || !known.has(to) || seen.has(lineKey(from, to))) continue;
    seen.add(lineKey(from, to));
    push(next, from, to);
    push(previous, to, from);
  }
  const only = (list: string[] | undefined) => (list?.length === 1 ? list[0] : undefined);
  /** The box that continues the chain of this one. */
  const continuation = (box: string) => {
    const to = only(next.get(box));
    return to !== undefined && only(previous.get(to)) === box ? to : undefined;
  };
  const isContinued = new Set(boxes.map(continuation).filter((box) => box !== undefined));
  const chains = new Map<string, string[]>();
  const chainOf = new Map<string, string>();
  const start = (box: string) => {
    const chain: string[] = [];
    for (let at: string | undefined = box; at !== undefined; at = continuation(at)) {
      if (chainOf.has(at)) break;
      chainOf.set(at, box);
      chain.push(at);
    }
    chains.set(box, chain);
  };
  for (const box of boxes) if (!isContinued.has(box)) start(box);
  for (const box of boxes) if (!chainOf.has(box)) start(box); // on a cycle
  return place(chains, chainOf, next);
}

interface Chains {
  members: Map<string, string[]>; // by the first
  next: Map<string, string[]>; // chains that the last one leads to
}

function place(
  members: Map<string, string[]>,
  chainOf: Map<string, string>,
  next: Map<string, string[]>,
): Layout {
  const chains: Chains = { members, next: new Map() };
  for (const [name, chain] of members) {
    const targets = (next.get(chain[chain.length - 1]) ?? []).map((box) => chainOf.get(box)!);
    chains.next.set(name, targets.filter((target) => target !== name));
  }
  const whole: Layout = { at: new Map(), lines: new Map(), width: 0, height: 0 };
  const pieces = new Pieces(chains);
  for (const piece of piecesOf(chains)) append(whole, pieces.layOut(piece), piece[0]);
  let left = Infinity;
  let right = -Infinity;
  for (const { x } of whole.at.values()) {
    left = Math.min(left, x);
    right = Math.max(right, x);
  }
  for (const { points } of whole.lines.values())
    for (const { x } of points) {
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
  const shift = kBox.width / 2 - left;
  for (const point of whole.at.values()) point.x += shift;
  for (const { points } of whole.lines.values()) for (const point of points) point.x += shift;
  whole.width = Math.max(right - left, 0) + kBox.width;
  return whole;
}

/** In topological order; chains on cycles come last. */
function ordered({ members, next }: Chains): string[] {
  const missing = new Map<string, number>();
  for (const targets of next.values())
    for (const target of targets) missing.set(target, (missing.get(target) ?? 0) + 1);
  const order = [...members.keys()].filter((name) => !missing.get(name));
  for (let i = 0; i < order.length; i++)
    for (const target of next.get(order[i])!) {
      missing.set(target, missing.get(target)! - 1);
      if (missing.get(target) === 0) order.push(target);
    }
  const known = new Set(order);
  return [...order, ...[...members.keys()].filter((name) => !known.has(name))];
}

const kPiece = 16; // chains at least, where the graph can be cut

/** Cuts the graph at chains that every line meets. Each piece begins with the last of the one before. */
function piecesOf(chains: Chains): string[][] {
  const order = ordered(chains);
  const position = new Map(order.map((name, i) => [name, i]));
  const pieces: string[][] = [];
  let reach = 0; // the furthest chain that those so far lead to
  let begin = 0;
  order.forEach((name, i) => {
    if (i > 0 && reach <= i && i - begin >= kPiece) {
      pieces.push(order.slice(begin, i + 1));
      begin = i;
    }
    for (const target of chains.next.get(name)!) reach = Math.max(reach, position.get(target)!);
  });
  if (begin < order.length - 1 || pieces.length === 0) pieces.push(order.slice(begin));
  return pieces.filter((piece) => piece.length > 0);
}

/** Puts a piece below what there is, its first chain on itself. */
function append(whole: Layout, piece: Layout, first: string): void {
  const joint = whole.at.get(first);
  const own = piece.at.get(first)!;
  const dx = joint ? joint.x - own.x : 0;
  const dy = joint ? joint.y - own.y : 0;
  for (const [box, { x, y }] of piece.at) whole.at.set(box, { x: x + dx, y: y + dy });
  for (const [key, { from, to, points }] of piece.lines)
    whole.lines.set(key, { from, to, points: points.map(({ x, y }) => ({ x: x + dx, y: y + dy })) });
  whole.height = Math.max(whole.height, piece.height + dy);
}

const heightOf = (chain: string[]): number => chain.length * (kBox.height + kBox.gap) - kBox.gap;
const kMostForDagre = 500; // chains in all: it takes a millisecond each, and recurses

/** Pieces of the same form, as networks repeat them, are laid out once. */
class Pieces {
  private readonly known = new Map<string, { piece: string[]; layout: Layout }>();
  private left = kMostForDagre;

  constructor(private readonly chains: Chains) {}

  layOut(piece: string[]): Layout {
    const form = this.formOf(piece);
    const known = this.known.get(form);
    if (known) return this.renamed(known.layout, known.piece, piece);
    const isSmall = piece.length <= this.left;
    const layout = isSmall ? byDagre(piece, this.chains) : inLayers(piece, this.chains);
    if (isSmall) this.left -= piece.length;
    this.known.set(form, { piece, layout });
    return layout;
  }

  /** The lengths of the chains and what leads to what, without names. */
  private formOf(piece: string[]): string {
    const index = new Map(piece.map((name, i) => [name, i]));
    return piece
      .map((name) => {
        const targets = this.chains.next.get(name)!.map((target) => index.get(target) ?? "");
        return `${this.chains.members.get(name)!.length}:${targets.join()}`;
      })
      .join(" ");
  }

  private renamed(layout: Layout, from: string[], to: string[]): Layout {
    const names = new Map<string, string>();
    from.forEach((name, i) =>
      this.chains.members.get(name)!.forEach((box, k) =>
        names.set(box, this.chains.members.get(to[i])![k]),
      ),
    );
    const lines = new Map<string, Bends>();
    for (const bends of layout.lines.values()) {
      const [a, b] = [names.get(bends.from)!, names.get(bends.to)!];
      lines.set(lineKey(a, b), { from: a, to: b, points: bends.points });
    }
    const at = new Map([...layout.at].map(([box, point]) => [names.get(box)!, point]));
    return { ...layout, at, lines };
  }
}

function byDagre(piece: string[], { members, next }: Chains): Layout {
  const { width, gap, side } = kBox;
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ ranksep: gap * 1.6, nodesep: side, edgesep: 14 });
  graph.setDefaultEdgeLabel(() => ({}));
  const inside = new Set(piece);
  for (const name of piece) graph.setNode(name, { width, height: heightOf(members.get(name)!) });
  for (const name of piece)
    for (const target of next.get(name)!) if (inside.has(target)) graph.setEdge(name, target);
  dagre.layout(graph);
  const layout: Layout = { at: new Map(), lines: new Map(), width: 0, height: graph.graph().height ?? 0 };
  for (const name of piece) {
    const node = graph.node(name);
    stack(layout, members.get(name)!, node.x, node.y - node.height / 2);
    for (const target of next.get(name)!) {
      const points: Point[] | undefined = inside.has(target) && graph.edge(name, target)?.points;
      const chain = members.get(name)!;
      const from = chain[chain.length - 1];
      if (points && points.length > 3)
        layout.lines.set(lineKey(from, target), { from, to: target, points: points.slice(1, -1) });
    }
  }
  return layout;
}

/** Each chain as far down as those that lead to it demand, beside others below their middle. */
function inLayers(piece: string[], { members, next }: Chains): Layout {
  const { width, gap, side } = kBox;
  const inside = new Set(piece);
  const layer = new Map<string, number>(piece.map((name) => [name, 0]));
  const above = new Map<string, string[]>();
  for (const name of piece)
    for (const target of next.get(name)!) {
      if (!inside.has(target)) continue;
      layer.set(target, Math.max(layer.get(target)!, layer.get(name)! + 1));
      push(above, target, name);
    }
  const layers: string[][] = [];
  for (const name of piece) (layers[layer.get(name)!] ??= []).push(name);
  const layout: Layout = { at: new Map(), lines: new Map(), width: 0, height: 0 };
  const middle = new Map<string, number>();
  for (const names of layers) {
    if (!names) continue;
    const wish = new Map(
      names.map((name) => {
        const parents = (above.get(name) ?? []).map((parent) => middle.get(parent) ?? 0);
        return [name, parents.reduce((a, b) => a + b, 0) / Math.max(parents.length, 1)];
      }),
    );
    names.sort((a, b) => wish.get(a)! - wish.get(b)!);
    const start = -((names.length - 1) * (width + side)) / 2;
    names.forEach((name, i) => {
      middle.set(name, start + i * (width + side));
      stack(layout, members.get(name)!, middle.get(name)!, layout.height);
    });
    layout.height += Math.max(...names.map((name) => heightOf(members.get(name)!))) + gap * 1.6;
  }
  return layout;
}

/** The boxes of a chain below each other. */
function stack(layout: Layout, chain: string[], x: number, top: number): void {
  chain.forEach((box, i) =>
    layout.at.set(box, { x, y: top + kBox.height / 2 + i * (kBox.height + kBox.gap) }),
  );
}

/** A smooth line from the bottom of one box to the top of another. */
export function curve(from: Point, to: Point, bends: Point[] = []): string {
  const half = kBox.height / 2;
  const points = [{ x: from.x, y: from.y + half }, ...bends, { x: to.x, y: to.y - half }];
  let path = `M${points[0].x},${points[0].y}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const middle = (a.y + b.y) / 2;
    path +=
      a.x === b.x && b.y > a.y
        ? `V${b.y}`
        : b.y > a.y
          ? `C${a.x},${middle} ${b.x},${middle} ${b.x},${b.y}`
          : `C${a.x},${a.y + 40} ${b.x},${b.y - 40} ${b.x},${b.y}`;
  }
  return path;
}
