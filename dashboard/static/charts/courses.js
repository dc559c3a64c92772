// Lines and bars over time, with bands and marks.

import { axis, frame, scale, timeAxis } from "./axes.js";
import { DASHES, FILLS, FILL_MARKS, SHAPES, SHAPE_MARKS, patterned } from "./looks.js";
import { span } from "./times.js";
import { cut, formatValue } from "./values.js";

// Colours go by turn among the series that have none by meaning.
const colorOf = ({ spec, colors }, index) => {
  const turn = spec.series.slice(0, index).filter((one) => !one.tone).length;
  return colors[spec.series[index].tone] ?? colors.series[turn % 8];
};
const fillOf = (state, index) => patterned(colorOf(state, index), `${state.colors.surface}d0`, FILLS[index % 6]);
const courseTip = (state, marks) => (found) => {
  const { spec, hidden, end } = state;
  const seen = (Array.isArray(found) ? found : [found]).filter((one) => one.seriesId !== "bands");
  if (!seen.length) return "";
  const at = seen[0].dataIndex;
  const shown = seen
    .map((one) => ({ marker: one.marker, index: Number(one.seriesId) }))
    .filter(({ index }) => !hidden.has(String(index)));
  const values = shown.map(({ index }) => formatValue(spec.series[index].values[at], spec.unit));
  const rows = shown.map(
    ({ marker, index }, row) => `${marker}${marks[index % marks.length]} ${values[row]}  ${cut(spec.series[index].name, 40)}`,
  );
  const more = rows.length > 10 ? [`and ${rows.length - 10} more`] : [];
  const happened = spec.marks
    .filter((one) => one.time >= spec.times[at] && one.time < end(at))
    .map((one) => `▼ ${cut(one.text, 50)}`);
  return [span(spec.times[at], end(at)), ...rows.slice(0, 10), ...more, ...happened.slice(0, 3)].join("\n");
};
const label = (colors, text, color, position) => ({
  show: true,
  formatter: () => text,
  color,
  fontSize: 11,
  position,
  distance: 2,
  backgroundColor: `${colors.surface}d8`,
  padding: [1, 4],
  borderRadius: 3,
});
// A warning ends where the critical begins.
const extent = (band, bands, { min, max }) => {
  const worse = band.level === "warning" ? bands.filter((one) => one.level === "critical") : [];
  const low = band.low ?? Math.max(min, ...worse.filter((one) => one.low === null).map((one) => one.high));
  const high = band.high ?? Math.min(max, ...worse.filter((one) => one.high === null).map((one) => one.low));
  return [Math.max(min, low), Math.min(max, high)];
};
const bandOverlays = ({ spec, colors }, y) => {
  const areas = [];
  const edges = [];
  for (const band of spec.bands ?? []) {
    const critical = band.level === "critical";
    const color = colors[band.level];
    const [low, high] = extent(band, spec.bands, y);
    const bound = band.low ?? band.high;
    if (low < high)
      areas.push([
        { yAxis: low, itemStyle: { color: patterned(`${color}0c`, `${color}38`, critical ? "cross" : "forward") } },
        { yAxis: high },
      ]);
    if (bound === null || bound < y.min || bound > y.max) continue;
    const side = edges.some((one) => Math.abs(one.yAxis - bound) < (y.max - y.min) * 0.12) ? "Start" : "End";
    const where = band.low === null || bound > y.min + (y.max - y.min) * 0.93 ? "Bottom" : "Top";
    const text = `${critical ? "■" : "▲"} ${cut(band.label || band.level, 40)}`;
    edges.push({
      yAxis: bound,
      lineStyle: { color, type: critical ? "solid" : [6, 4], width: 1.5 },
      label: label(colors, text, color, `inside${side}${where}`),
    });
  }
  return { areas, edges };
};
const LABEL_PIXELS = 140;
const markOverlays = ({ spec, colors, plot }, start, end) => {
  const shown = spec.marks.filter((one) => one.time >= start && one.time <= end).sort((one, other) => one.time - other.time);
  const near = ((end - start) * LABEL_PIXELS) / plot.clientWidth;
  const groups = [];
  for (const mark of shown) {
    if (groups.length && mark.time - groups.at(-1)[0].time < near) groups.at(-1).push(mark);
    else groups.push([mark]);
  }
  return groups.flatMap((group, number) =>
    group.map((mark, index) => {
      const late = mark.time > end - near;
      const crowded = late && number > 0 && mark.time - groups[number - 1][0].time < 2 * near;
      const text = crowded ? "▼" : `▼ ${cut(mark.text, 18)}${group.length > 1 ? ` +${group.length - 1}` : ""}`;
      const told = index
        ? { show: false }
        : { ...label(colors, text, colors.muted, "end"), align: late && !crowded ? "right" : "left", padding: 0 };
      return { xAxis: mark.time, lineStyle: { color: colors.muted, type: [2, 3], width: 1 }, label: told };
    }),
  );
};
const overlays = (state, y, start, end) => {
  const { areas, edges } = bandOverlays(state, y);
  const data = [...edges, ...markOverlays(state, start, end)];
  return {
    id: "bands",
    type: "line",
    data: [],
    silent: true,
    markArea: { silent: true, data: areas },
    markLine: { silent: true, symbol: "none", data },
  };
};
const lineSeries = (state, one, index) => {
  const { spec } = state;
  const color = colorOf(state, index);
  const every = Math.max(2, Math.ceil(one.values.length / 6));
  const alone = (at) => one.values[at] !== null && (one.values[at - 1] ?? null) === null && (one.values[at + 1] ?? null) === null;
  return {
    id: String(index),
    name: String(index),
    type: "line",
    stack: spec.stacked ? "all" : undefined,
    data: one.values.map((value, at) => [spec.times[at], spec.logarithmic && !(value > 0) ? null : value]),
    symbol: SHAPES[index % 8],
    showSymbol: true,
    showAllSymbol: true,
    symbolSize: (_, { dataIndex: at }) => (alone(at) || at % every === (2 * index + 1) % every ? 6 : 0),
    lineStyle: { width: 1.8, color, type: one.dashed ? [5, 4] : DASHES[(index >> 3) % 4] },
    itemStyle: { color },
    areaStyle:
      one.area || spec.stacked
        ? { color: spec.stacked ? patterned(`${color}58`, `${color}90`, FILLS[index % 6]) : `${color}22`, opacity: 1 }
        : undefined,
    emphasis: { disabled: true },
  };
};
const barSeries = (state, one, index) => {
  const { spec, hidden, end } = state;
  const color = colorOf(state, index);
  const fill = fillOf(state, index);
  const base = (at) =>
    spec.series
      .slice(0, index)
      .reduce((sum, other, number) => sum + (hidden.has(String(number)) ? 0 : (other.values[at] ?? 0)), 0);
  return {
    id: String(index),
    name: String(index),
    type: "custom",
    silent: true,
    itemStyle: { color },
    emphasis: { disabled: true },
    data: one.values.map((value, at) => [(spec.times[at] + end(at)) / 2, value ?? 0]),
    renderItem: ({ dataIndex: at }, api) => {
      if (!one.values[at]) return null;
      const [left, bottom] = api.coord([spec.times[at], base(at)]);
      const [right, top] = api.coord([end(at), base(at) + one.values[at]]);
      const gap = right - left > 4 ? 1 : 0;
      return {
        type: "rect",
        shape: {
          x: left + gap,
          y: Math.min(top, bottom),
          width: Math.max(1, right - left - gap),
          height: Math.max(1, Math.abs(bottom - top)),
        },
        style: { fill },
      };
    },
  };
};
export const courseOption = (state) => {
  const { spec, hidden, colors } = state;
  const ofLines = spec.kind === "lines";
  const [start, end] = [spec.times[0], state.end(spec.times.length - 1)];
  const named = spec.series.length > 1 || (spec.series[0]?.name && spec.kind === "bars");
  const top = (named ? 26 : 4) + (spec.marks.some((one) => one.time >= start && one.time <= end) ? 20 : 8);
  const y = scale(spec, hidden, Math.max(2, Math.min(5, (state.plot.clientHeight - top) / 42)));
  const series = spec.series.map((one, index) => (ofLines ? lineSeries : barSeries)(state, one, index));
  const fills = spec.series.map((_, index) => ({
    name: String(index),
    ...(ofLines ? {} : { icon: "rect", itemStyle: { color: fillOf(state, index) } }),
  }));
  return frame(
    state,
    top,
    timeAxis(state, start, end),
    axis(colors, y, (value) => formatValue(value, spec.unit), {
      type: spec.logarithmic ? "log" : "value",
      axisPointer: { show: false },
    }),
    [overlays(state, y, start, end), ...series],
    {
      tooltip: { trigger: "axis", formatter: courseTip(state, ofLines ? SHAPE_MARKS : FILL_MARKS) },
      legend: {
        show: Boolean(named),
        type: "scroll",
        left: 0,
        top: 0,
        itemWidth: ofLines ? 26 : 14,
        itemHeight: 9,
        itemGap: 14,
        data: fills,
        formatter: (id) => cut(spec.series[id]?.name || "(no name)", 32),
        inactiveColor: colors.muted,
        textStyle: { color: colors.text, fontSize: 12, lineHeight: 18 },
        pageTextStyle: { color: colors.muted },
        pageIconColor: colors.text,
        pageIconInactiveColor: colors.line,
        pageIconSize: 11,
      },
    },
  );
};
