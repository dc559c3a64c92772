// What draws the charts is loaded where a page has one.
(() => {
  "use strict";
  let drawing = null;
  const load = () => (drawing ??= import("./charts/drawing.js"));

  window.forecourtCharts = {
    /** Draws or updates every figure.chart in `root`; each costs something only once it comes into view. */
    draw: async (root) => {
      if (drawing || root.querySelector("figure.chart")) (await load()).draw(root);
    },
    /** Draws all again, in the colours that are now in force. */
    redraw: async () => {
      if (drawing) (await load()).redraw();
    },
    /** Fills the figure's [data-values] with its values as a table. */
    table: async (figure) => (await load()).table(figure),
  };
})();
