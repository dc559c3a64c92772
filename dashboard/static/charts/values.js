// Texts and units; others' texts are cut and lose control characters and ECharts' own markup.

export const cut = (text, length = 80) => {
  const plain = String(text ?? "")
    .slice(0, 4 * length)
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/\{(\w+)\|/g, "{$1 ");
  return plain.length > length ? `${plain.slice(0, length - 1)}…` : plain;
};
export const general = (value, digits) => {
  const size = Math.abs(value);
  if (size >= 1e15 || (size && size < 1e-4)) return value.toExponential(digits - 1);
  return size >= 10 ** digits ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
};
const LONG = [
  ["days", 172_800, 86_400],
  ["h", 7200, 3600],
  ["min", 995, 60],
];
const SIZES = [
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
];
const seconds = (value) => {
  const long = LONG.find(([, least]) => Math.abs(value) >= least);
  if (long) return `${general(value / long[2], 3)} ${long[0]}`;
  return Math.abs(value) < 1 && value ? `${general(value * 1000, 3)} ms` : `${general(value, 3)} s`;
};
const bytes = (value) => {
  const size = SIZES.find(([, one]) => Math.abs(value) >= (1000 / 1024) * one);
  return size ? `${general(value / size[1], 3)} ${size[0]}` : `${general(value, 4)}${value ? " B" : ""}`;
};
// As processors/evaluation.format_value, with a unit wherever there is one.
export const formatValue = (value, unit) => {
  if (value === null || value === undefined || Number.isNaN(value)) return "no value";
  if (unit.endsWith("/s") && unit !== "1/s") return `${formatValue(value, unit.slice(0, -2))}/s`;
  if (unit === "ms") return value ? formatValue(value / 1000, "s") : "0 ms";
  if (unit === "s") return seconds(value);
  if (unit === "ratio") return `${general(value * 100, 3)} %`;
  if (unit === "By") return bytes(value);
  if (unit === "1/s") return `${general(value, 4)}/s`;
  return `${general(value, 4)}${["", "1"].includes(unit) || unit.startsWith("{") ? "" : ` ${cut(unit, 16)}`}`;
};
