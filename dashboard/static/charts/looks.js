// Colours by the page's style sheet, told apart by pattern and shape as well.

// As #rrggbb, however the style sheet writes it.
const hex = (color) => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = "#808080";
  pen.fillStyle = color;
  return pen.fillStyle.length === 7 ? pen.fillStyle : "#808080";
};
export const theme = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => hex(style.getPropertyValue(`--${name}`).trim());
  const named = Object.fromEntries(
    ["warning", "critical", "good", "text", "muted", "line", "surface"].map((name) => [name, of(name)]),
  );
  return {
    ...named,
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => of(`chart-${number}`)),
    font: getComputedStyle(document.body).fontFamily,
  };
};
export const LEVELS = {
  critical: ["critical", "solid", "C"],
  high: ["critical", "forward", "H"],
  warning: ["warning", "solid", "W"],
  medium: ["warning", "forward", "M"],
  low: ["muted", "dots", "L"],
};
export const SHAPES = ["circle", "triangle", "rect", "diamond", "emptyCircle", "emptyTriangle", "emptyRect", "emptyDiamond"];
export const SHAPE_MARKS = [..."●▲■◆○△□◇"];
export const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]];
export const FILLS = ["solid", "forward", "dots", "back", "level", "cross"];
export const FILL_MARKS = [..."■▨▒▧▤▩"];
const PATHS = {
  forward: "M-2 2L2 -2M-2 10L10 -2M6 10L10 6",
  back: "M-2 6L2 10M-2 -2L10 10M6 -2L10 2",
  level: "M0 2H8M0 6H8",
  cross: "M-2 10L10 -2M-2 -2L10 10",
  dots: "M1 2H3M5 6H7",
};
/** A ground with strokes on it. */
export const patterned = (ground, strokes, fill) => {
  if (fill === "solid") return ground;
  const image = Object.assign(document.createElement("canvas"), { width: 16, height: 16 });
  const pen = image.getContext("2d");
  pen.scale(2, 2);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = strokes;
  pen.lineWidth = fill === "dots" ? 2 : 1.3;
  pen.stroke(new Path2D(PATHS[fill]));
  return { image, repeat: "repeat", scaleX: 0.5, scaleY: 0.5 };
};
// Between two colours in OKLab, so that equal steps look equal.
const linear = (color) =>
  [1, 3, 5]
    .map((at) => parseInt(color.slice(at, at + 2), 16) / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
const oklab = (color) => {
  const [r, g, b] = linear(color);
  const [l, m, s] = [
    0.4122 * r + 0.5363 * g + 0.0514 * b,
    0.2119 * r + 0.6807 * g + 0.1074 * b,
    0.0883 * r + 0.2817 * g + 0.63 * b,
  ].map(Math.cbrt);
  return [0.2105 * l + 0.7936 * m - 0.0041 * s, 1.978 * l - 2.4286 * m + 0.4506 * s, 0.0259 * l + 0.7828 * m - 0.8087 * s];
};
export const mix = (from, to, share) => {
  const other = oklab(to);
  const [light, a, b] = oklab(from).map((one, index) => one + (other[index] - one) * share);
  const [l, m, s] = [light + 0.3963 * a + 0.2158 * b, light - 0.1056 * a - 0.0639 * b, light - 0.0895 * a - 1.2915 * b].map(
    (one) => one ** 3,
  );
  return `#${[4.0767 * l - 3.3077 * m + 0.231 * s, -1.2684 * l + 2.6098 * m - 0.3413 * s, -0.0042 * l - 0.7034 * m + 1.7076 * s]
    .map((one) => (one <= 0.0031308 ? 12.92 * one : 1.055 * one ** (1 / 2.4) - 0.055))
    .map((one) =>
      Math.round(Math.min(1, Math.max(0, one)) * 255)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
};
