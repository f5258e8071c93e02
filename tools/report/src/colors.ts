// What the colours of boxes mean. Scales are told apart by people with any kind of colour vision:
// amounts go from dark to light as in cividis (Nunez, Anderton and Renslow, PLOS ONE 13(7), 2018),
// kinds have the colours of Okabe and Ito ("Color Universal Design", 2008).
import { scaleLinear } from "d3-scale";
import type { Report } from "./report";
import { bytes, micros, number, percent } from "./format";

export interface Shade {
  fill: string;
  text: string; // readable on it
  label: string; // the amount in words
}

export type Mode = "time" | "limit" | "bytes" | "intensity" | "error" | "type";

const kCividis = [
  "#00224e", "#1d3a6c", "#3e4c6d", "#575d6d", "#6f7073", "#898477", "#a69b75", "#c4b56c", "#e4cf5b",
  "#fee838",
];
const kKinds = [
  "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999",
];

const ramp = scaleLinear<string>()
  .domain(kCividis.map((_, i) => i / (kCividis.length - 1)))
  .range(kCividis)
  .clamp(true);

/** Black or white, whichever contrasts more with a colour "#rrggbb" or "rgb(r, g, b)". */
function textOn(color: string): string {
  const parts = color.startsWith("#")
    ? [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16))
    : color.match(/\d+/g)!.map(Number);
  const [r, g, b] = parts.map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#111111" : "#ffffff";
}

export function shade(fill: string, label: string): Shade {
  return { fill, text: textOn(fill), label };
}

export interface Coloring {
  mode: Mode;
  title: string;
  of(op: number): Shade | undefined; // op of the last stage
  legend: { fill: string; label: string }[];
}

/** The kinds of ops, the most frequent first; those behind the seventh share a colour. */
function kindsOf(report: Report): string[] {
  const counts = new Map<string, number>();
  for (const index of report.last) {
    const kind = report.op(index).op;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
}

export function kindColor(kinds: string[], kind: string): string {
  const at = kinds.indexOf(kind);
  return kKinds[at >= 0 && at < kKinds.length - 1 ? at : kKinds.length - 1];
}

function byType(report: Report): Coloring {
  const kinds = kindsOf(report);
  const legend = kinds
    .slice(0, kKinds.length - 1)
    .map((kind) => ({ fill: kindColor(kinds, kind), label: kind }));
  if (kinds.length >= kKinds.length)
    legend.push({ fill: kKinds[kKinds.length - 1], label: "others" });
  return {
    mode: "type",
    title: "kind of op",
    legend,
    of: (index) => shade(kindColor(kinds, report.op(index).op), report.op(index).op),
  };
}

interface Amount {
  title: string;
  of(report: Report, op: number): number;
  text(value: number, report: Report): string;
  isLogarithmic?: boolean;
  largest?: number;
}

const kAmounts: Record<Exclude<Mode, "type">, Amount> = {
  time: {
    title: "time",
    of: (report, op) => report.cost(op)!.us,
    text: (us, report) =>
      report.totalUs > 0 ? `${micros(us)} · ${percent(us / report.totalUs)}` : micros(us),
  },
  limit: {
    title: "share of the machine's limit",
    of: (report, op) => (report.cost(op)!.us > 0 ? report.cost(op)!.percentOfLimit : NaN),
    text: (value) => `${Math.round(value)} % of limit`,
    largest: 100,
  },
  bytes: {
    title: "memory traffic",
    of: (report, op) => report.cost(op)!.bytes,
    text: (value) => bytes(value),
  },
  intensity: {
    title: "arithmetic per byte",
    of: (report, op) => {
      const cost = report.cost(op)!;
      return cost.bytes > 0 ? cost.flops / cost.bytes : NaN;
    },
    text: (value) => `${number(value)} FLOP/B`,
    isLogarithmic: true,
  },
  error: {
    title: "error against the reference",
    of: (report, op) => report.cost(op)!.error,
    text: (value) => `error ${number(value, 2)}`,
    isLogarithmic: true,
  },
};

function byAmount(report: Report, mode: Exclude<Mode, "type">): Coloring {
  const amount = kAmounts[mode];
  const values = report.last
    .map((op) => amount.of(report, op))
    .filter((value) => Number.isFinite(value));
  const positive = values.filter((value) => value > 0);
  const low = positive.reduce((a, b) => Math.min(a, b), Infinity);
  const high = amount.largest ?? values.reduce((a, b) => Math.max(a, b), 0);
  const share = (value: number) => {
    if (!amount.isLogarithmic) return high > 0 ? value / high : 0;
    if (value <= low || high <= low) return value > low || high <= low ? 1 : 0;
    return Math.log(value / low) / Math.log(high / low);
  };
  const inverse = (t: number) =>
    amount.isLogarithmic ? low * (high / low) ** t : t * high;
  const legend =
    positive.length === 0
      ? []
      : [0, 0.25, 0.5, 0.75, 1].map((t) => ({
          fill: ramp(t),
          label: amount.text(inverse(t), report).split(" · ")[0],
        }));
  return {
    mode,
    title: amount.title,
    legend,
    of: (op) => {
      const value = amount.of(report, op);
      return Number.isFinite(value) ? shade(ramp(share(value)), amount.text(value, report)) : undefined;
    },
  };
}

export function coloring(report: Report, mode: Mode): Coloring {
  return mode === "type" ? byType(report) : byAmount(report, mode);
}

/** The modes for which the report has data. */
export function modesOf(report: Report): Mode[] {
  const modes: Mode[] = ["type", "bytes", "intensity"];
  if (report.isMeasured) modes.unshift("time", "limit");
  if (report.data.errors) modes.push("error");
  return modes;
}

export const modeTitle = (mode: Mode): string =>
  mode === "type" ? "kind of op" : kAmounts[mode].title;
