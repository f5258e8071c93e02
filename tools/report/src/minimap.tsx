// The whole graph in a strip, and what of it is in view.
import type { ZoomTransform } from "d3-zoom";
import { useEffect, useRef } from "preact/hooks";
import { kBox } from "./layout";
import type { Box, Scene } from "./scene";

interface Props {
  scene: Scene;
  colorOf(box: Box): string | undefined;
  version: string; // of the colours
  moves: Set<() => void>; // told when the view moves
  transform(): ZoomTransform;
  size(): DOMRect | undefined; // of the view; none any more
  onMove(x: number, y: number): void;
}

export function MiniMap(props: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const { scene } = props;
  const scale = () => {
    const { width, height } = canvas.current!.getBoundingClientRect();
    return { x: width / Math.max(scene.layout.width, 1), y: height / Math.max(scene.layout.height, 1) };
  };
  const showFrame = () => {
    if (!canvas.current || !frame.current) return;
    const view = props.size();
    if (!view) return;
    const [x0, y0] = props.transform().invert([0, 0]);
    const [x1, y1] = props.transform().invert([view.width, view.height]);
    const s = scale();
    const map = canvas.current.getBoundingClientRect();
    const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    const [left, right] = [clamp(x0 * s.x, map.width), clamp(x1 * s.x, map.width)];
    const [top, bottom] = [clamp(y0 * s.y, map.height), clamp(y1 * s.y, map.height)];
    Object.assign(frame.current.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${Math.max(right - left, 3)}px`,
      height: `${Math.max(bottom - top, 3)}px`,
    });
  };
  const draw = () => {
    const element = canvas.current;
    if (!element) return;
    const { width, height } = element.getBoundingClientRect();
    const ratio = devicePixelRatio;
    element.width = width * ratio;
    element.height = height * ratio;
    const paint = element.getContext("2d")!;
    paint.scale(ratio, ratio);
    const plain = getComputedStyle(element).color;
    const s = scale();
    for (const box of scene.boxes) {
      const at = scene.layout.at.get(box.key)!;
      const color = props.colorOf(box);
      paint.fillStyle = color ?? plain;
      paint.globalAlpha = color ? 1 : 0.25;
      paint.fillRect(
        (at.x - kBox.width / 2) * s.x,
        (at.y - kBox.height / 2) * s.y,
        Math.max(kBox.width * s.x, 2),
        Math.max(kBox.height * s.y, 1),
      );
    }
    showFrame();
  };
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(draw, [scene, props.version]);
  useEffect(() => {
    const moved = () => showFrame();
    props.moves.add(moved);
    return () => void props.moves.delete(moved);
  }, [scene]);
  useEffect(() => {
    const watch = new ResizeObserver(() => latest.current());
    watch.observe(canvas.current!);
    return () => watch.disconnect();
  }, []);
  const go = (event: PointerEvent) => {
    if (event.buttons === 0) return;
    const map = canvas.current!.getBoundingClientRect();
    const s = scale();
    props.onMove((event.clientX - map.left) / s.x, (event.clientY - map.top) / s.y);
  };
  return (
    <div class="minimap" onPointerDown={go} onPointerMove={go} aria-hidden="true">
      <canvas ref={canvas} />
      <div ref={frame} class="frame" />
    </div>
  );
}
