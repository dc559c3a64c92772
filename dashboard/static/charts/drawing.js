// When charts are drawn: once seen, when their data, size or colours change.

import { courseOption } from "./courses.js";
import { theme } from "./looks.js";
import { heatOption, timelineOption } from "./maps.js";
import { followPointer } from "./pointing.js";
import { tableOf } from "./table.js";
import { ending } from "./times.js";

const OPTIONS = { lines: courseOption, bars: courseOption, heatmap: heatOption, timeline: timelineOption };
const HAS_VALUES = {
  lines: (spec) => spec.series.some((one) => one.values.some((value) => value !== null)),
  bars: (spec) => HAS_VALUES.lines(spec),
  heatmap: (spec) => spec.cells.length > 0,
  timeline: (spec) => spec.items.length > 0,
};
const ROW_PIXELS = 22;
const states = new Map();

const read = (figure) => {
  try {
    return JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  } catch {
    return null;
  }
};

const dispose = (state) => {
  state.chart?.dispose();
  state.chart = null;
};

const showNothing = (state) => {
  dispose(state);
  const words = document.createElement("p");
  words.className = "empty muted";
  words.textContent = state.spec?.kind === "timeline" ? "nothing happened in this time" : "no values in this time";
  state.plot.replaceChildren(words);
  state.plot.classList.add("nothing");
  Object.assign(state.plot.style, { height: "", cursor: "" });
};

const start = (state) => {
  state.plot.replaceChildren();
  state.hidden = new Set();
  state.plot.classList.remove("nothing");
  state.plot.style.height = "";
  state.chart = window.echarts.init(state.plot, null, { renderer: "canvas" });
  state.chart.on("legendselectchanged", ({ selected }) => {
    state.hidden = new Set(Object.keys(selected).filter((id) => !selected[id]));
    render(state);
  });
};

const render = (state) => {
  const { spec, plot } = state;
  state.stale = false;
  if (!HAS_VALUES[spec?.kind]?.(spec)) {
    showNothing(state);
    return;
  }
  if (!state.chart) start(state);
  if (spec.kind === "timeline") plot.style.height = `${Math.max(4, spec.rows.length + 2) * ROW_PIXELS}px`;
  state.chart.resize();
  state.colors = theme();
  state.end = ending(spec.times ?? []);
  plot.style.cursor = spec.opens || spec.kind === "timeline" ? "pointer" : "crosshair";
  state.chart.setOption(OPTIONS[spec.kind](state), { replaceMerge: ["series"] });
};

const renderSeen = (state) => {
  if (state.stale && state.seen) render(state);
};

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const state = states.get(target.closest("figure"));
      if (state) {
        state.seen = isIntersecting;
        renderSeen(state);
      }
    }
  },
  { rootMargin: "150px" },
);

const sized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const state = states.get(target.closest("figure"));
    if (!state?.chart || state.width === contentRect.width) continue;
    state.width = contentRect.width;
    state.stale = true;
    renderSeen(state);
  }
});

const forget = (figure, state) => {
  seen.unobserve(state.plot);
  sized.unobserve(state.plot);
  dispose(state);
  states.delete(figure);
};

const begin = (figure, plot) => {
  const state = { figure, plot, chart: null, spec: null, text: null, hidden: new Set(), seen: false, stale: true, width: 0 };
  states.set(figure, state);
  seen.observe(plot);
  sized.observe(plot);
  followPointer(state);
  return state;
};

const update = (figure) => {
  const plot = figure.querySelector("div.plot");
  const text = figure.querySelector('script[type="application/json"]')?.textContent;
  if (!plot || text === undefined) return;
  const known = states.get(figure);
  if (known && known.plot !== plot) forget(figure, known);
  const state = states.get(figure) ?? begin(figure, plot);
  if (state.text === text) return;
  Object.assign(state, { text, spec: read(figure), stale: true });
  renderSeen(state);
  if (figure.querySelector("details.values[open]")) table(figure);
};

export const draw = (root) => {
  for (const [figure, state] of states) if (!figure.isConnected) forget(figure, state);
  for (const figure of root.querySelectorAll("figure.chart")) update(figure);
};

export const redraw = () => {
  for (const state of states.values()) {
    state.stale = true;
    renderSeen(state);
  }
};

export const table = (figure) => figure.querySelector("[data-values]")?.replaceChildren(tableOf(read(figure)));

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
// On paper all is drawn, in the colours that paper has.
const renderAll = () => {
  for (const state of states.values()) render(state);
};
matchMedia("print").addEventListener("change", renderAll);
addEventListener("beforeprint", renderAll);
