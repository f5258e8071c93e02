// What is shown, shared by all views.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Report } from "./report";
import type { Places } from "./places";

export type View =
  | "summary" | "graph" | "kernels" | "passes" | "memory" | "roofline" | "timeline" | "compare";

export interface Shown {
  report: Report;
  against: Report | null;
  places: Places;
  view: View;
  stage: number;
  selected: number; // op of the stage shown or of the last one; -1: none
}

export interface Actions {
  show(view: View): void;
  setStage(stage: number): void;
  /** Selects an op; in the graph its place comes into view. */
  select(op: number, view?: View): void;
  compareWith(report: Report | null): void;
}

export const ShownContext = createContext<{ shown: Shown; act: Actions } | null>(null);

export function useShown(): { shown: Shown; act: Actions } {
  return useContext(ShownContext)!;
}
