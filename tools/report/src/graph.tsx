// The graph in one stage, with a slider over the stages.
import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { coloring, modesOf, modeTitle, type Coloring, type Mode } from "./colors";
import { micros, percent, plural, shortened } from "./format";
import { curve, kBox, lineKey } from "./layout";
import { MiniMap } from "./minimap";
import type { Occupant } from "./places";
import type { Remark } from "./schema";
import { depthFor, foldedAt, linesOf, sceneOf, scopesOf, type Box, type Line, type Scene } from "./scene";
import { StageBar } from "./stages";
import { useShown } from "./state";

/** What is drawn, in the graph's coordinates; it changes before its edge comes into view. */
interface Window {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  isDetailed: boolean;
}

const kDetailScale = 0.33; // below it text cannot be read
const kMostBoxes = 900; // unfolded at first

function windowOf(transform: ZoomTransform, svg: SVGSVGElement): Window {
  const { width, height } = svg.getBoundingClientRect();
  const [x0, y0] = transform.invert([-width, -height]);
  const [x1, y1] = transform.invert([2 * width, 2 * height]);
  return { x0, y0, x1, y1, isDetailed: transform.k >= kDetailScale };
}

function covers(window: Window, transform: ZoomTransform, svg: SVGSVGElement): boolean {
  const { width, height } = svg.getBoundingClientRect();
  const [x0, y0] = transform.invert([0, 0]);
  const [x1, y1] = transform.invert([width, height]);
  return window.x0 <= x0 && window.y0 <= y0 && window.x1 >= x1 && window.y1 >= y1 &&
    window.isDetailed === transform.k >= kDetailScale;
}

export function GraphView() {
  const { shown, act } = useShown();
  const { report, places, stage, selected } = shown;
  const [mode, setMode] = useState<Mode>(modesOf(report)[0]);
  const [hasGhosts, setHasGhosts] = useState(true);
  const scopes = useMemo(() => scopesOf(places), [places]);
  const depths = useMemo(
    () => Math.max(0, ...[...scopes.keys()].map((scope) => scope.split("/").length)),
    [scopes],
  );
  const [folded, setFolded] = useState(() => foldedAt(scopes, depthFor(places, scopes, kMostBoxes)));
  const view = places.stages[stage];
  const scene = useMemo(
    () => sceneOf(places, scopes, folded, hasGhosts ? null : view),
    [places, scopes, folded, hasGhosts, hasGhosts ? null : view],
  );
  const lines = useMemo(() => linesOf(scene, view, hasGhosts), [scene, view, hasGhosts]);
  const colors = useMemo(() => coloring(report, mode), [report, mode]);
  const refusals = useMemo(() => refusalsByNode(report.data.remarks), [report]);

  const svg = useRef<SVGSVGElement>(null);
  const layer = useRef<SVGGElement>(null);
  const behavior = useRef<ZoomBehavior<SVGSVGElement, unknown> | undefined>(undefined);
  const transform = useRef<ZoomTransform>(zoomIdentity);
  const listener = useRef<((t: ZoomTransform) => void) | undefined>(undefined);
  const [window, setWindow] = useState<Window | null>(null);
  listener.current = (t) => {
    transform.current = t;
    layer.current!.setAttribute("transform", t.toString());
    if (!window || !covers(window, t, svg.current!)) setWindow(windowOf(t, svg.current!));
  };
  const [moves] = useState(() => new Set<() => void>());

  useEffect(() => {
    behavior.current = zoom<SVGSVGElement, unknown>()
      .scaleExtent([0.02, 3])
      .on("zoom", (event) => {
        listener.current!(event.transform);
        for (const moved of moves) moved();
      });
    select(svg.current!).call(behavior.current).on("dblclick.zoom", null);
  }, []);
  const moveTo = (t: ZoomTransform) => select(svg.current!).call(behavior.current!.transform, t);

  // The selection comes into view; without one, the beginning of the graph.
  const home = () => {
    const { width, height } = svg.current!.getBoundingClientRect();
    const whole = Math.min((width - 110) / (scene.layout.width + 40), height / (scene.layout.height + 40));
    const k = Math.min(1, Math.max(whole, Math.min(0.8, (width - 110) / (scene.layout.width + 40), 0.8)));
    const x = (width - 90 - scene.layout.width * k) / 2;
    moveTo(zoomIdentity.translate(Math.max(x, 10), 16).scale(k));
  };
  const boxOfSelected = selected < 0 ? undefined : scene.boxOf.get(placeOf(view, report, selected));
  const reveal = (key: string) => {
    const at = scene.layout.at.get(key);
    if (!at) return;
    const { width, height } = svg.current!.getBoundingClientRect();
    const t = transform.current;
    const [x, y] = t.apply([at.x, at.y]);
    const isIn = x > 60 && y > 30 && x < width - 150 && y < height - 40;
    if (isIn && t.k >= 0.4) return;
    const k = Math.max(t.k, 0.7);
    moveTo(zoomIdentity.translate((width - 90) / 2 - at.x * k, height / 2 - at.y * k).scale(k));
  };
  useEffect(() => {
    if (boxOfSelected) reveal(boxOfSelected);
    else home();
  }, [scene]);
  useEffect(() => {
    if (boxOfSelected) reveal(boxOfSelected);
  }, [boxOfSelected]);

  const unfold = (scope: string) => {
    const next = new Set(folded);
    next.delete(scope);
    for (const inner of scopes.keys())
      if (inner.startsWith(`${scope}/`) && !inner.slice(scope.length + 1).includes("/"))
        next.add(inner);
    setFolded(next);
  };
  const choose = (box: Box) => {
    if (box.scope !== undefined) return unfold(box.scope);
    const occupant = view.occupants.get(box.places[0]);
    if (occupant && occupant.op >= 0) act.select(occupant.op);
  };
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const stageOps = report.data.graph.stages[stage].ops;
    if (selected < 0) return act.select(stageOps[0]);
    const from = placeOf(view, report, selected);
    const edge = view.edges.find((e) => !e.isInner && ownerOf(view, step > 0 ? e.from : e.to) === view.occupants.get(from)?.op);
    const other = edge && ownerOf(view, step > 0 ? edge.to : edge.from);
    if (other !== undefined && other >= 0) act.select(other);
  };

  const inside = (x: number, y: number) =>
    window && x >= window.x0 && x <= window.x1 && y >= window.y0 && y <= window.y1;
  const boxes = scene.boxes.filter((box) => {
    const at = scene.layout.at.get(box.key)!;
    return inside(at.x, at.y);
  });
  const isChanged = changedIn(report.data.graph.stages, stage);
  return (
    <div class="graph">
      <StageBar />
      <div class="bar">
        <label>
          Colour{" "}
          <select value={mode} onChange={(e) => setMode(e.currentTarget.value as Mode)}>
            {modesOf(report).map((m) => <option value={m}>{modeTitle(m)}</option>)}
          </select>
        </label>
        {depths > 0 && (
          <label>
            Scopes{" "}
            <select
              aria-label="Fold scopes"
              onChange={(e) => setFolded(foldedAt(scopes, Number(e.currentTarget.value)))}
            >
              <option value="0" selected={folded.size === 0}>unfolded</option>
              {Array.from({ length: depths }, (_, i) => (
                <option value={i + 1} selected={sameSet(folded, foldedAt(scopes, i + 1))}>
                  folded at level {i + 1}
                </option>
              ))}
            </select>
          </label>
        )}
        <label title="Ops keep their places in all stages; what was fused or removed stays as an outline">
          <input type="checkbox" checked={hasGhosts} onChange={(e) => setHasGhosts(e.currentTarget.checked)} />
          {" "}keep places
        </label>
        <span class="spring" />
        <button title="Zoom out (-)" onClick={() => select(svg.current!).call(behavior.current!.scaleBy, 0.7)}>−</button>
        <button title="Zoom in (+)" onClick={() => select(svg.current!).call(behavior.current!.scaleBy, 1.4)}>+</button>
        <button title="To the beginning (0)" onClick={home}>Reset</button>
      </div>
      <div class="canvas">
        <svg ref={svg} tabIndex={0} role="group" aria-label="Graph" onKeyDown={walk}
             class={window?.isDetailed ? "" : "far"}>
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0,0.5 L8,4 L0,7.5 z" />
            </marker>
          </defs>
          <g ref={layer}>
            <Lines lines={lines} scene={scene} window={window} chosen={boxOfSelected} />
            {boxes.map((box) => (
              <BoxView
                key={box.key}
                box={box}
                scene={scene}
                occupant={view.occupants.get(box.places[0])}
                title={(o) => report.title(report.op(o))}
                name={(o) => report.name(report.op(o))}
                shade={(o) => { const f = report.finalOf(o); return f < 0 ? undefined : colors.of(f); }}
                share={groupShare(report, view.occupants, box)}
                isSelected={box.key === boxOfSelected}
                isChanged={isChanged}
                refusal={refusalOf(report, refusals, view.occupants.get(box.places[0]))}
                isDetailed={window!.isDetailed}
                isOriginal={places.stages[0].occupants.has(box.places[0])}
                onChoose={choose}
              />
            ))}
          </g>
        </svg>
        <MiniMap
          scene={scene}
          colorOf={(box) => boxColor(box, view.occupants, report, colors)}
          version={`${mode} ${stage}`}
          moves={moves}
          transform={() => transform.current}
          size={() => svg.current?.getBoundingClientRect()}
          onMove={(x, y) => {
            const { width, height } = svg.current!.getBoundingClientRect();
            const k = transform.current.k;
            moveTo(zoomIdentity.translate((width - 90) / 2 - x * k, height / 2 - y * k).scale(k));
          }}
        />
        <Legend colors={colors} />
      </div>
    </div>
  );
}

type View = import("./places").StageView;
type Report = import("./report").Report;

const ownerOf = (view: View, place: number): number => view.occupants.get(place)?.op ?? -1;

/** The place of an op of this stage, or of what does or did its work. */
function placeOf(view: View, report: Report, op: number): number {
  const own = view.placeOf.get(op);
  if (own !== undefined) return own;
  const nodes = new Set(report.op(op).nodes);
  for (const [place, occupant] of view.occupants)
    if (!occupant.isGhost && report.op(occupant.op).nodes.some((node) => nodes.has(node))) return place;
  for (const [place, occupant] of view.occupants)
    if (report.op(occupant.was).nodes.some((node) => nodes.has(node))) return place;
  return -1;
}

function changedIn(stages: { ops: number[] }[], stage: number): (op: number) => boolean {
  if (stage === 0) return () => false;
  const before = new Set(stages[stage - 1].ops);
  return (op) => !before.has(op);
}

function refusalsByNode(remarks: Remark[]): Map<string, Remark> {
  const byNode = new Map<string, Remark>();
  for (const remark of remarks)
    if (remark.outcome === "refused" && remark.nodes.length > 0) byNode.set(remark.nodes[0], remark);
  return byNode;
}

function refusalOf(report: Report, refusals: Map<string, Remark>, occupant?: Occupant): Remark | undefined {
  if (!occupant || occupant.op < 0) return undefined;
  return report.op(occupant.was).nodes.map((node) => refusals.get(node)).find((remark) => remark);
}

const sameSet = (a: Set<string>, b: Set<string>): boolean =>
  a.size === b.size && [...a].every((item) => b.has(item));

/** Time of a folded scope. */
function groupShare(report: Report, occupants: Map<number, Occupant>, box: Box): string {
  if (box.scope === undefined) return "";
  const ops = new Set(box.places.map((place) => occupants.get(place)?.op ?? -1));
  let us = 0;
  for (const op of ops) us += report.cost(op)?.us ?? 0;
  const size = plural(box.places.length, "op");
  return us > 0 ? `${size} · ${micros(us)} · ${percent(us / report.totalUs)}` : size;
}

function boxColor(box: Box, occupants: Map<number, Occupant>, report: Report, colors: Coloring): string | undefined {
  if (box.scope !== undefined) return undefined;
  const occupant = occupants.get(box.places[0]);
  if (!occupant || occupant.isGhost) return undefined;
  const op = report.finalOf(occupant.op);
  return op < 0 ? undefined : colors.of(op)?.fill;
}

interface BoxProps {
  box: Box;
  scene: Scene;
  occupant?: Occupant;
  title(op: number): string;
  name(op: number): string;
  shade(op: number): import("./colors").Shade | undefined;
  share: string;
  isSelected: boolean;
  isChanged(op: number): boolean;
  refusal?: Remark;
  isDetailed: boolean;
  isOriginal: boolean;
  onChoose(box: Box): void;
}

function BoxView(props: BoxProps) {
  const { box, scene, occupant, isSelected, isDetailed, onChoose } = props;
  const { x, y } = scene.layout.at.get(box.key)!;
  const { width, height } = kBox;
  const at = { transform: `translate(${x - width / 2},${y - height / 2})`, onClick: () => onChoose(box) };
  if (box.scope !== undefined)
    return (
      <g {...at} class="box scope" data-scope={box.scope}>
        <title>{`${box.scope}: click to unfold`}</title>
        <rect x={4} y={4} width={width} height={height} rx={5} />
        <rect width={width} height={height} rx={5} />
        {isDetailed && <text x={10} y={19} class="strong">▸ {shortened(box.scope, 24)}</text>}
        {isDetailed && <text x={10} y={36}>{props.share}</text>}
      </g>
    );
  if (!occupant) return null;
  const { op, isGhost, was } = occupant;
  if (isGhost) {
    if (op < 0 && !props.isOriginal) return null;
    const fate = op < 0 ? "removed" : `in ${props.title(op)}`;
    return (
      <g {...at} class={`box ghost ${op < 0 ? "removed" : ""}`} data-node={props.name(was)}>
        <title>{`${props.name(was)}: ${fate}`}</title>
        <rect width={width} height={height} rx={5} />
        {isDetailed && <text x={10} y={19}>{props.title(was)}</text>}
        {isDetailed && <text x={10} y={36}>{shortened(fate, 32)}</text>}
        {isDetailed && props.refusal && <Refusal remark={props.refusal} />}
      </g>
    );
  }
  const shade = props.shade(op);
  const classes = ["box", isSelected && "selected", props.isChanged(op) && "changed"];
  const name = props.name(op);
  return (
    <g {...at} class={classes.filter(Boolean).join(" ")} data-node={name}>
      <title>{`${name}\n${props.title(op)}${shade ? `\n${shade.label}` : ""}`}</title>
      <rect width={width} height={height} rx={5} style={shade && { fill: shade.fill }} />
      {isDetailed && (
        <text x={10} y={19} class="strong" style={shade && { fill: shade.text }}>
          {cut(props.title(op), 27)}
        </text>
      )}
      {isDetailed && (
        <text x={10} y={36} style={shade && { fill: shade.text }}>
          {shade && shade.label !== props.title(op) && !props.title(op).startsWith(shade.label)
            ? shade.label
            : shortened(name, 29)}
        </text>
      )}
      {isDetailed && props.refusal && <Refusal remark={props.refusal} />}
    </g>
  );
}

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`;

function Refusal({ remark }: { remark: Remark }) {
  return (
    <g class="refusal" transform={`translate(${kBox.width - 12},8)`}>
      <title>{`${remark.pass} refused [${remark.reason}]: ${remark.message}`}</title>
      <circle r={7} />
      <text y={4} text-anchor="middle">!</text>
    </g>
  );
}

function Lines(props: { lines: Line[]; scene: Scene; window: Window | null; chosen?: string }) {
  const { lines, scene, window, chosen } = props;
  if (!window) return null;
  let plain = "";
  let inner = "";
  let lit = "";
  for (const { from, to, isInner } of lines) {
    const [a, b] = [scene.layout.at.get(from)!, scene.layout.at.get(to)!];
    if (Math.max(a.y, b.y) < window.y0 || Math.min(a.y, b.y) > window.y1) continue;
    const path = curve(a, b, scene.layout.lines.get(lineKey(from, to))?.points);
    if (isInner) inner += path;
    else if (chosen && (from === chosen || to === chosen)) lit += path;
    else plain += path;
  }
  const arrow = window.isDetailed ? "url(#arrow)" : undefined;
  return (
    <>
      <path class="inner" d={inner} />
      <path class="line" d={plain} />
      <path class="line lit" d={lit} marker-end={arrow} />
    </>
  );
}

function Legend({ colors }: { colors: Coloring }) {
  if (colors.legend.length === 0) return null;
  return (
    <div class="legend" aria-label={`Colours: ${colors.title}`}>
      {colors.legend.map(({ fill, label }) => (
        <span><i style={{ background: fill }} />{label}</span>
      ))}
    </div>
  );
}
