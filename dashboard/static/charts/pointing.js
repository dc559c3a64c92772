// A drag selects a part of time, a click opens what lies there.

const CLICK_PIXELS = 4;

const instant = (time) => new Date(Math.round(time)).toISOString();
const isLocal = (address) => /^\/(?![/\\])/.test(address ?? "");

const visit = ({ spec }, values) => {
  if (isLocal(spec.opens)) {
    location.assign(spec.opens.replace(/\{(from|to|low|high)\}/g, (_, name) => encodeURIComponent(values[name] ?? "")));
    return;
  }
  const address = new URL(location.href);
  address.searchParams.set("from", values.from);
  address.searchParams.set("to", values.to);
  address.searchParams.delete("last");
  location.assign(address);
};

const partAt = ({ spec, end }, time) => {
  const at = Math.max(
    0,
    spec.times.findLastIndex((one) => one <= time),
  );
  return [spec.times[at], end(at)];
};

const rowsOf = ({ spec }, one, other) => {
  if (spec.kind !== "heatmap" || !spec.bounds.length) return {};
  const row = (value) => Math.min(spec.bounds.length - 2, Math.max(0, Math.floor(value)));
  return { low: spec.bounds[row(Math.min(one, other))], high: spec.bounds[row(Math.max(one, other)) + 1] };
};

const click = (state, [time, row], pixel) => {
  const { spec } = state;
  if (spec.kind === "timeline") {
    const item = spec.items.findLast(
      (one) => one.row === Math.floor(row) && one.start - 3 * pixel <= time && time <= one.end + 3 * pixel,
    );
    if (isLocal(item?.link)) location.assign(item.link);
  } else if (spec.opens) {
    const [start, end] = partAt(state, time);
    visit(state, { from: instant(start), to: instant(end), ...rowsOf(state, row, row) });
  }
};

const select = (state, [time, row], [otherTime, otherRow]) => {
  const [from, to] = [Math.min(time, otherTime), Math.max(time, otherTime)];
  visit(state, { from: instant(from), to: instant(Math.max(to, from + 1000)), ...rowsOf(state, row, otherRow) });
};

const bounds = ({ spec, end }) =>
  spec.kind === "timeline" ? [spec.start, spec.end] : [spec.times[0], end(spec.times.length - 1)];

// Touch is left to scrolling and to the tooltip.
export const followPointer = (state) => {
  const { plot } = state;
  let began = null;
  let shade = null;
  const here = (event) => {
    const box = plot.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const value = (pixels) => {
    const [time, row] = state.chart.convertFromPixel({ gridIndex: 0 }, pixels);
    const [first, last] = bounds(state);
    return [Math.min(last, Math.max(first, time)), row];
  };
  const stop = () => {
    shade?.remove();
    [began, shade] = [null, null];
    removeEventListener("keydown", escape);
  };
  const escape = (event) => {
    if (event.key === "Escape") stop();
  };
  const show = (x) => {
    if (!shade) {
      shade = plot.appendChild(document.createElement("div"));
      Object.assign(shade.style, {
        position: "absolute",
        top: "0",
        bottom: "0",
        pointerEvents: "none",
        opacity: ".18",
        background: "var(--text)",
      });
    }
    Object.assign(shade.style, { left: `${Math.min(x, began[0])}px`, width: `${Math.abs(x - began[0])}px` });
    state.chart.dispatchAction({ type: "hideTip" });
  };
  plot.addEventListener("pointerdown", (event) => {
    if (!state.chart || event.button !== 0 || event.pointerType === "touch") return;
    const at = here(event);
    if (!state.chart.containPixel({ gridIndex: 0 }, at)) return;
    began = at;
    addEventListener("keydown", escape);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    const [x] = here(event);
    if (began && (shade || Math.abs(x - began[0]) > CLICK_PIXELS)) show(x);
  });
  plot.addEventListener("pointerup", (event) => {
    if (!began || !state.chart) return;
    const [first, last, dragged] = [value(began), value(here(event)), Boolean(shade)];
    const pixel = Math.abs(value([began[0] + 1, began[1]])[0] - first[0]);
    stop();
    if (dragged) select(state, first, last);
    else click(state, first, pixel);
  });
  plot.addEventListener("pointercancel", stop);
};
