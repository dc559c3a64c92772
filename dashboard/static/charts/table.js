// A chart's values for those who read rather than look.

import { rowText } from "./maps.js";
import { ending, moment, span } from "./times.js";
import { cut, formatValue, general } from "./values.js";

const MOST_ROWS = 500;

const ROWS = {
  lines: ({ times, series, unit }) => [
    ["time", ...series.map((one) => cut(one.name))],
    ...times.map((time, at) => [moment(time), ...series.map((one) => formatValue(one.values[at], unit))]),
  ],
  bars: (spec) => ROWS.lines(spec),
  heatmap: (spec) => [
    ["time", "row", "count"],
    ...spec.cells.map(([at, row, count]) => [
      span(spec.times[at], ending(spec.times)(at)),
      cut(rowText(spec, row)),
      general(count, 6),
    ]),
  ],
  timeline: (spec) => [
    ["what", "level", "time", ""],
    ...spec.items.map((one) => [cut(spec.rows[one.row]), cut(one.level, 20), span(one.start, one.end), cut(one.label)]),
  ],
};

const element = (name, children) => {
  const made = document.createElement(name);
  made.append(...children);
  return made;
};

export const tableOf = (spec) => {
  const [names, ...rows] = ROWS[spec?.kind]?.(spec) ?? [[]];
  const line = (name, cells) =>
    element(
      "tr",
      cells.map((cell) => element(name, [cell])),
    );
  const body = rows.slice(-MOST_ROWS).map((cells) => line("td", cells));
  const table = element("table", [element("thead", [line("th", names)]), element("tbody", body)]);
  const notes = [];
  if (rows.length > MOST_ROWS) notes.push(`${(rows.length - MOST_ROWS).toLocaleString("en")} earlier rows are not shown.`);
  if (spec?.left_out) notes.push(`${spec.left_out} more series are not shown.`);
  if (!rows.length) return element("p", ["no values in this time"]);
  return notes.length ? element("div", [table, ...notes.map((note) => element("p", [note]))]) : table;
};
