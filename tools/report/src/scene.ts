// What the graph view draws in one stage: boxes, some of which stand for whole scopes, and lines.
import type { Edge, Places, StageView } from "./places";
import type { Layout } from "./layout";
import { layOut } from "./layout";
import { push } from "./report";

export interface Box {
  key: string;
  places: number[]; // one, or those of a folded scope
  scope?: string; // that it stands for
}

export interface Line {
  from: string;
  to: string;
  isInner: boolean;
}

export interface Scene {
  boxes: Box[];
  layout: Layout;
  boxOf: Map<number, string>; // by place
}

const join = (parts: string[]): string => parts.join("/");

/** All scopes with more than one place, outer ones first. */
export function scopesOf(places: Places): Map<string, number[]> {
  const scopes = new Map<string, number[]>();
  places.places.forEach(({ scope }, place) => {
    for (let depth = 1; depth <= scope.length; depth++)
      push(scopes, join(scope.slice(0, depth)), place);
  });
  for (const [scope, members] of scopes) if (members.length < 2) scopes.delete(scope);
  return scopes;
}

/** The scopes at so many levels below the root. */
export function foldedAt(scopes: Map<string, number[]>, depth: number): Set<string> {
  return new Set([...scopes.keys()].filter((scope) => scope.split("/").length === depth));
}

/** So that a large network begins with few boxes; 0: nothing is folded. */
export function depthFor(places: Places, scopes: Map<string, number[]>, most: number): number {
  if (places.places.length <= most) return 0;
  const deepest = Math.max(0, ...[...scopes.keys()].map((scope) => scope.split("/").length));
  for (let depth = deepest; depth >= 1; depth--) {
    const folded = foldedAt(scopes, depth);
    if (boxesOf(places, scopes, folded, () => true).length <= most) return depth;
  }
  return deepest > 0 ? 1 : 0;
}

function boxesOf(
  places: Places,
  scopes: Map<string, number[]>,
  folded: Set<string>,
  isShown: (place: number) => boolean,
): Box[] {
  const boxes = new Map<string, Box>();
  places.places.forEach(({ scope }, place) => {
    if (!isShown(place)) return;
    for (let depth = 1; depth <= scope.length; depth++) {
      const prefix = join(scope.slice(0, depth));
      if (!folded.has(prefix) || !scopes.has(prefix)) continue;
      const key = `s${prefix}`;
      const box = boxes.get(key);
      if (box) box.places.push(place);
      else boxes.set(key, { key, places: [place], scope: prefix });
      return;
    }
    boxes.set(`p${place}`, { key: `p${place}`, places: [place] });
  });
  return [...boxes.values()];
}

/** Edges that decide on positions: as imported, and those of places that passes added. */
function edgesOfAllStages(places: Places): [number, number][] {
  const imported = places.stages[0].occupants.size;
  const isNew = (place: number) => place >= imported;
  const added = new Map<number, { into: Set<number>; outOf: Set<number> }>();
  const edges: [number, number][] = [];
  for (const stage of places.stages.slice(1))
    for (const { from, to } of stage.edges) {
      if (!isNew(from) && !isNew(to)) continue;
      edges.push([from, to]);
      for (const [place, side, other] of [[to, "into", from], [from, "outOf", to]] as const) {
        if (!isNew(place)) continue;
        if (!added.has(place)) added.set(place, { into: new Set(), outOf: new Set() });
        added.get(place)![side].add(other);
      }
    }
  const bridged = new Set<string>();
  for (const { into, outOf } of added.values())
    for (const from of into) for (const to of outOf) bridged.add(`${from} ${to}`);
  for (const { from, to } of places.stages[0].edges)
    if (!bridged.has(`${from} ${to}`)) edges.push([from, to]);
  return edges;
}

/** `stage`: whose ops alone are placed, without ghosts; null: one scene for all stages. */
export function sceneOf(
  places: Places,
  scopes: Map<string, number[]>,
  folded: Set<string>,
  stage: StageView | null,
): Scene {
  const isShown = (place: number) => !stage || stage.occupants.get(place)?.isGhost === false;
  const boxes = boxesOf(places, scopes, folded, isShown);
  const boxOf = new Map<number, string>();
  for (const box of boxes) for (const place of box.places) boxOf.set(place, box.key);
  const edges: [number, number][] = stage
    ? stage.edges.map((edge) => withoutGhosts(stage, edge))
    : edgesOfAllStages(places);
  const lines: [string, string][] = [];
  for (const [from, to] of edges) {
    const [a, b] = [boxOf.get(from), boxOf.get(to)];
    if (a !== undefined && b !== undefined && a !== b) lines.push([a, b]);
  }
  return { boxes, boxOf, layout: layOut(boxes.map((box) => box.key), lines) };
}

/** Between ops themselves. */
function withoutGhosts(stage: StageView, edge: Edge): [number, number] {
  const own = (place: number) => {
    const occupant = stage.occupants.get(place);
    return occupant?.isGhost ? (stage.placeOf.get(occupant.op) ?? place) : place;
  };
  return [own(edge.from), own(edge.to)];
}

/** The lines of a stage in a scene, each once. */
export function linesOf(scene: Scene, stage: StageView, hasGhosts: boolean): Line[] {
  const lines = new Map<string, Line>();
  for (const edge of stage.edges) {
    if (edge.isInner && !hasGhosts) continue;
    const [a, b] = hasGhosts ? [edge.from, edge.to] : withoutGhosts(stage, edge);
    const [from, to] = [scene.boxOf.get(a), scene.boxOf.get(b)];
    if (from === undefined || to === undefined || from === to) continue;
    const key = `${from}→${to}`;
    const known = lines.get(key);
    if (known) known.isInner &&= edge.isInner;
    else lines.set(key, { from, to, isInner: edge.isInner });
  }
  return [...lines.values()];
}
