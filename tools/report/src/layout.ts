// Positions of boxes and the lines between them. Dagre places chains of boxes as one tall box, which
// keeps large networks quick: most of a network is chains.
import dagre from "@dagrejs/dagre";
import { push } from "./report";

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  at: Map<string, Point>; // centres
  lines: Map<string, Point[]>; // by "from→to": bends that avoid other boxes
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

function place(
  chains: Map<string, string[]>,
  chainOf: Map<string, string>,
  next: Map<string, string[]>,
): Layout {
  const { width, height, gap, side } = kBox;
  const graph = new dagre.graphlib.Graph();
  const isLarge = chains.size > 400;
  graph.setGraph({
    ranksep: gap * 1.6,
    nodesep: side,
    edgesep: 14,
    ranker: isLarge ? "longest-path" : "network-simplex",
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [name, chain] of chains)
    graph.setNode(name, { width, height: chain.length * (height + gap) - gap });
  for (const [name, chain] of chains)
    for (const to of next.get(chain[chain.length - 1]) ?? []) {
      const target = chainOf.get(to)!;
      if (target !== name) graph.setEdge(name, target);
    }
  dagre.layout(graph);
  const at = new Map<string, Point>();
  const lines = new Map<string, Point[]>();
  for (const [name, chain] of chains) {
    const node = graph.node(name);
    const top = node.y - node.height / 2 + height / 2;
    chain.forEach((box, i) => at.set(box, { x: node.x, y: top + i * (height + gap) }));
  }
  for (const [name, chain] of chains)
    for (const to of next.get(chain[chain.length - 1]) ?? []) {
      const points: Point[] | undefined = graph.edge(name, chainOf.get(to)!)?.points;
      if (points && points.length > 3)
        lines.set(lineKey(chain[chain.length - 1], to), points.slice(1, -1));
    }
  const size = graph.graph();
  return { at, lines, width: size.width ?? 0, height: size.height ?? 0 };
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
