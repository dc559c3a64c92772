// Axes with ticks at round values of their unit, and the frame around a chart.

import { tickText, timeTicks } from "./times.js";

const highest = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);
const lowest = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);
const CLOCK = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];
const niceStep = (size, unit, whole) => {
  if (unit.startsWith("By") && size > 1) return 2 ** Math.ceil(Math.log2(size));
  if (unit === "s" && size > 30 && size <= CLOCK.at(-1)) return CLOCK.find((one) => one >= size);
  const power = 10 ** Math.floor(Math.log10(size));
  const step = [1, 2, 2.5, 5, 10].find((one) => one * power >= size * 0.999) * power;
  return whole ? Math.max(1, Math.round(step)) : step;
};
const heights = (spec, hidden) => {
  const shown = spec.series.filter((_, index) => !hidden.has(String(index))).map((one) => one.values);
  if (spec.kind === "lines" && !spec.stacked) return shown.flat().filter((one) => one !== null);
  return [0, ...spec.times.map((_, at) => shown.reduce((sum, values) => sum + (values[at] ?? 0), 0))];
};
const decades = (values) => {
  const positive = values.filter((one) => one > 0);
  const [low, high] = positive.length ? [lowest(positive), highest(positive)] : [1, 10];
  const from = Math.floor(Math.log10(low));
  const to = Math.max(from + 1, Math.ceil(Math.log10(high)));
  return { min: 10 ** from, max: 10 ** to, ticks: Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index)) };
};
// From zero, but for what is judged by its lower end; a band is in sight unless that would flatten the values.
const reach = (spec, low, high) => {
  const bounds = (spec.bands ?? []).map((one) => one.low ?? one.high).filter((one) => one !== null);
  const top = Math.max(high, 0, ...bounds.filter((one) => one <= 1.6 * high)) || (low < 0 ? 0 : 1);
  if (bounds.length && low > 0 && spec.bands.every((one) => one.low === null)) {
    const least = Math.min(low, ...bounds);
    return [Math.max(0, least - 0.3 * (top - least)), top];
  }
  return [Math.min(0, low), top];
};
export const scale = (spec, hidden, count) => {
  const found = heights(spec, hidden);
  if (spec.logarithmic) return decades(found);
  const [bottom, top] = found.length ? reach(spec, lowest(found), highest(found)) : [0, 1];
  const step = niceStep((top - bottom) / count || 1, spec.unit, spec.kind === "bars" && found.every(Number.isInteger));
  const limit = spec.unit === "ratio" && top <= 1 ? Math.ceil(1 / step - 1e-9) * step : Infinity;
  const [min, max] = [
    Math.floor(bottom / step + 1e-9) * step,
    Math.min(limit, Math.ceil((top + 0.02 * (top - bottom)) / step - 1e-9) * step),
  ];
  const ticks = Array.from({ length: Math.round((max - min) / step) + 1 }, (_, index) =>
    Number((min + index * step).toPrecision(12)),
  );
  return { min: ticks[0], max: ticks.at(-1), ticks };
};
export const axis = (colors, { min, max, ticks }, formatter, more = {}) => ({
  type: "value",
  min,
  max,
  ...more,
  axisLabel: {
    color: colors.muted,
    fontSize: 11,
    customValues: ticks,
    formatter,
    hideOverlap: true,
    showMinLabel: true,
    showMaxLabel: true,
    ...more.axisLabel,
  },
  axisTick: { show: false, customValues: ticks },
  axisLine: { show: false, onZero: false },
  splitLine: { show: true, showMinLine: true, showMaxLine: true, lineStyle: { color: colors.line, width: 1 }, ...more.splitLine },
  axisPointer: { show: false, ...more.axisPointer },
});
export const timeAxis = (state, start, end) => {
  const ticks = timeTicks(start, end, Math.max(2, state.plot.clientWidth / 65));
  const pointer = state.spec.kind === "lines" || state.spec.kind === "bars";
  return axis(state.colors, { min: start, max: end, ticks }, tickText(ticks), {
    splitLine: { show: false },
    axisLabel: { showMinLabel: undefined, showMaxLabel: undefined },
    axisPointer: pointer
      ? { show: true, type: "line", snap: true, label: { show: false }, lineStyle: { color: state.colors.muted, type: "solid" } }
      : {},
  });
};
export const rowAxis = (state, labels, at, more) =>
  axis(state.colors, { min: 0, max: more.rows, ticks: at }, (value) => labels[at.indexOf(value)] ?? "", {
    ...more,
    axisLabel: { width: Math.min(440, state.plot.clientWidth * 0.32), overflow: "truncate", ...more.axisLabel },
  });
export const frame = (state, top, x, y, series, more = {}) => {
  const { colors } = state;
  return {
    animation: false,
    textStyle: { fontFamily: colors.font, color: colors.text },
    grid: { left: 2, right: 14, top, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: x,
    yAxis: y,
    series,
    ...more,
    tooltip: {
      renderMode: "richText",
      confine: true,
      transitionDuration: 0,
      backgroundColor: colors.surface,
      borderColor: colors.muted,
      borderWidth: 1,
      padding: 8,
      textStyle: { color: colors.text, fontSize: 12, fontFamily: colors.font },
      ...more.tooltip,
    },
  };
};
