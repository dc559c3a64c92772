// Latency over time, and spans by row.

import { frame, rowAxis, timeAxis } from "./axes.js";
import { LEVELS, mix, patterned } from "./looks.js";
import { span } from "./times.js";
import { cut, formatValue, general } from "./values.js";

export const rowText = ({ rows, bounds }, row) =>
  bounds.length ? `${formatValue(bounds[row], "s")} – ${formatValue(bounds[row + 1], "s")}` : rows[row];
export const heatOption = (state) => {
  const { spec, colors } = state;
  const count = spec.bounds.length ? spec.bounds.length - 1 : spec.rows.length;
  const largest = spec.cells.reduce((most, cell) => Math.max(most, cell[2]), 1);
  const [faint, strong] = [mix(colors.surface, colors.series[0], 0.2), mix(colors.series[0], colors.text, 0.6)];
  const shade = (value) => mix(faint, strong, largest > 1 ? Math.log(value) / Math.log(largest) : 0.6);
  const at = Array.from({ length: count + (spec.bounds.length ? 1 : 0) }, (_, row) => row + (spec.bounds.length ? 0 : 0.5));
  const labels = spec.bounds.length ? spec.bounds.map((bound) => formatValue(bound, "s")) : spec.rows.map((row) => cut(row));
  const cells = {
    id: "cells",
    type: "custom",
    emphasis: { disabled: true },
    data: spec.cells.map(([at, row]) => [spec.times[at], row + 0.5]),
    renderItem: ({ dataIndex }, api) => {
      const [at, row, value] = spec.cells[dataIndex];
      const [left, bottom] = api.coord([spec.times[at], row]);
      const [right, top] = api.coord([state.end(at), row + 1]);
      return {
        type: "rect",
        shape: { x: left, y: top, width: Math.max(1, right - left - 0.5), height: Math.max(1, bottom - top - 0.5) },
        style: { fill: shade(value) },
      };
    },
  };
  const ramp = {
    id: "ramp",
    type: "custom",
    coordinateSystem: "none",
    silent: true,
    data: [0],
    renderItem: (_, api) => {
      const most = `${general(largest, 4)} requests`;
      const [right, left] = [api.getWidth() - 14, api.getWidth() - 110 - 7 * most.length];
      const text = (x, words) => ({
        type: "text",
        x,
        y: 2,
        style: { text: words, verticalAlign: "top", fill: colors.muted, align: "right", font: `11px ${colors.font}` },
      });
      const steps = Array.from({ length: 12 }, (__, step) => ({
        type: "rect",
        shape: { x: left + step * 7, y: 3, width: 7, height: 9 },
        style: { fill: mix(faint, strong, step / 11) },
      }));
      return { type: "group", children: [text(left - 6, "1"), ...steps, text(right, most)] };
    },
  };
  const tip = ({ seriesId, dataIndex }) => {
    if (seriesId !== "cells") return "";
    const [at, row, value] = spec.cells[dataIndex];
    return `${span(spec.times[at], state.end(at))}\n${cut(rowText(spec, row))}\n${general(value, 6)} ${value === 1 ? "request" : "requests"}`;
  };
  return frame(
    state,
    24,
    timeAxis(state, spec.times[0], state.end(spec.times.length - 1)),
    rowAxis(state, labels, at, { rows: count, splitLine: { show: false } }),
    [cells, ramp],
    { tooltip: { trigger: "item", formatter: tip } },
  );
};
export const timelineOption = (state) => {
  const { spec, colors } = state;
  const fills = Object.fromEntries(
    Object.entries(LEVELS).map(([level, [color, fill]]) => [
      level,
      patterned(fill === "solid" ? colors[color] : `${colors[color]}28`, `${colors[color]}b0`, fill),
    ]),
  );
  const items = {
    id: "items",
    type: "custom",
    emphasis: { disabled: true },
    data: spec.items.map((item) => [item.start, item.row + 0.5]),
    renderItem: ({ dataIndex }, api) => {
      const item = spec.items[dataIndex];
      const level = LEVELS[item.level] ? item.level : "low";
      const [color, fill, letter] = LEVELS[level];
      const [left, top] = api.coord([item.start, item.row]);
      const [right, bottom] = api.coord([item.end, item.row + 1]);
      const height = Math.min(16, bottom - top - 2);
      const shape = { x: left, y: (top + bottom - height) / 2, width: Math.max(3, right - left), height, r: 2 };
      const solid = fill === "solid";
      const text = {
        type: "text",
        x: left + shape.width / 2,
        y: (top + bottom) / 2,
        silent: true,
        style: {
          text: letter,
          align: "center",
          verticalAlign: "middle",
          fill: solid ? colors.surface : colors.text,
          font: `bold 11px ${colors.font}`,
          ...(solid ? {} : { stroke: colors.surface, lineWidth: 3 }),
        },
      };
      return {
        type: "group",
        children: [
          { type: "rect", shape, style: { fill: fills[level], stroke: colors[color], lineWidth: 1 } },
          ...(shape.width > 14 ? [text] : []),
        ],
      };
    },
  };
  const tip = ({ dataIndex }) => {
    const item = spec.items[dataIndex];
    return [
      cut(spec.rows[item.row], 60),
      `${cut(item.level, 20)}, ${span(item.start, item.end)}`,
      ...(cut(item.label, 60).match(/.{1,60}/gu) ?? []),
    ].join("\n");
  };
  const y = rowAxis(
    state,
    spec.rows.map((row) => cut(row)),
    spec.rows.map((_, row) => row + 0.5),
    { rows: spec.rows.length, inverse: true, splitLine: { show: false }, axisLabel: { color: colors.text, hideOverlap: false } },
  );
  return frame(state, 4, timeAxis(state, spec.start, spec.end), y, [items], { tooltip: { trigger: "item", formatter: tip } });
};
