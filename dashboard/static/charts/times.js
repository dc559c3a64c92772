// Time in the zone of the page.

export const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const STEPS = [1 / 60, 1 / 12, 1 / 6, 1 / 2, 1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720]
  .map((minutes) => minutes * MINUTE)
  .concat([1, 2, 7, 14, 28, 91, 182, 364].map((days) => days * DAY));
const formats = new Map();
const parts = (time) => {
  const zone = document.documentElement.dataset.zone || "UTC";
  if (!formats.has(zone)) {
    const options = {
      hourCycle: "h23",
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    };
    try {
      formats.set(zone, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
    } catch {
      formats.set(zone, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }));
    }
  }
  return Object.fromEntries(
    formats
      .get(zone)
      .formatToParts(time)
      .map((part) => [part.type, part.value]),
  );
};
const offset = (time) => {
  const { year, month, day, hour, minute, second } = parts(time);
  return Date.parse(`${day} ${month.slice(0, 3)} ${year} ${hour}:${minute}:${second} UTC`) - Math.floor(time / 1000) * 1000;
};
export const moment = (time) => {
  const p = parts(time);
  return `${p.day} ${p.month} ${p.hour}:${p.minute}:${p.second}`;
};
export const span = (start, end) => {
  const [one, other] = [parts(start), parts(end)];
  return `${moment(start)} – ${one.day === other.day && end - start < DAY ? "" : `${other.day} ${other.month} `}${other.hour}:${other.minute}:${other.second}`;
};
export const timeTicks = (start, end, count) => {
  const step = STEPS.find((one) => (end - start) / one <= count) ?? STEPS.at(-1);
  const ticks = [];
  for (let wall = Math.ceil((start + offset(start)) / step) * step; ticks.length < 50; wall += step) {
    const time = wall - offset(wall - offset(start));
    if (time > end) return ticks;
    if (time >= start && time > (ticks.at(-1) ?? 0)) ticks.push(time);
  }
  return ticks;
};
export const tickText = (ticks) => (time) => {
  const p = parts(time);
  const midnight = p.hour === "00" && p.minute === "00" && p.second === "00";
  if (midnight) return `${p.day} ${p.month}`;
  return ticks.some((one) => one % MINUTE) ? `${p.hour}:${p.minute}:${p.second}` : `${p.hour}:${p.minute}`;
};
/** Where the part beginning at times[index] ends: at the next one, the last after the usual length. */
export const ending = (times) => {
  const gaps = times
    .slice(1)
    .map((time, index) => time - times[index])
    .sort((one, other) => one - other);
  const usual = gaps[gaps.length >> 1] || MINUTE;
  return (index) => times[index + 1] ?? times[index] + usual;
};
