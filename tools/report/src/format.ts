// Numbers as people read them.

function scaled(value: number, units: string[], digits = 3): string {
  let unit = 0;
  let size = Math.abs(value);
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    value /= 1000;
    unit++;
  }
  return `${number(value, digits)} ${units[unit]}`;
}

/** With so many significant digits, without an exponent where that is readable. */
export function number(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(digits - 1);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value.toFixed(decimals);
}

export const bytes = (value: number): string =>
  value < 1000 ? `${value} B` : scaled(value, ["B", "KB", "MB", "GB", "TB"]);
export const count = (value: number): string =>
  value < 1000 ? String(value) : scaled(value, ["", "k", "M", "G"]).trim();
export const flops = (value: number): string =>
  scaled(value, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"]);
export const micros = (us: number): string =>
  us === 0 ? "0" : us < 1 ? `${number(us * 1000)} ns` : scaled(us, ["µs", "ms", "s"]);
export const percent = (share: number): string =>
  share > 0 && share < 1e-4 ? "<0.01 %" : `${share >= 0.0995 ? Math.round(100 * share) : number(100 * share, 2)} %`;
export const plural = (n: number, one: string, many = `${one}s`): string =>
  `${n} ${n === 1 ? one : many}`;

/** The first of some names, and how many more there are. */
export function firstOf(names: readonly string[], length: number): string {
  const more = names.length > 1 ? ` +${names.length - 1}` : "";
  return names.length === 0 ? "" : shortened(names[0], length) + more;
}

/** The end of a long name, which tells more than its beginning. */
export function shortened(text: string, length: number): string {
  return text.length <= length ? text : `…${text.slice(text.length - length + 1)}`;
}
