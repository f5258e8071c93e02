// The width of an element as it changes.
import type { Ref } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function useWidth(): [Ref<HTMLDivElement>, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(entry.contentRect.width, 200)));
    watch.observe(element.current!);
    return () => watch.disconnect();
  }, []);
  return [element, width];
}
