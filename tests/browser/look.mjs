// What a visitor and axe find on a page.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MODES = {
  light: { colorScheme: "light", viewport: { width: 1360, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1360, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
};

const settled = async (page) => {
  await page.waitForFunction(() => !document.querySelector("#content > .waiting"));
  // Charts are drawn when they are seen, and drawn again when they are seen in other colours or another width.
  await page.evaluate(async () => {
    const frames = async (most, until) => {
      for (let frame = 0; frame < most && !until(); frame += 1) await new Promise(requestAnimationFrame);
    };
    for (const plot of document.querySelectorAll("figure.chart div.plot")) {
      plot.scrollIntoView({ block: "center" });
      await frames(2, () => false);
      await frames(120, () => plot.firstElementChild);
    }
    scrollTo(0, 0);
    await frames(3, () => false);
  });
};

const openAll = (page) =>
  page.evaluate(() => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });

const hover = async (page) => {
  for (const canvas of await page.locator("figure.chart canvas").all()) {
    await canvas.scrollIntoViewIfNeeded();
    const box = await canvas.boundingBox();
    if (!box) continue;
    for (const [across, down] of [[0.15, 0.3], [0.5, 0.5], [0.75, 0.7], [0.97, 0.5], [0.3, 0.96]]) {
      await page.mouse.move(box.x + box.width * across, box.y + box.height * down);
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }
};

// The source is handed to the debugger, which no content security policy hinders; the policy itself stays in force.
const violations = async (page, only) => {
  if (!(await page.evaluate("Boolean(window.axe)"))) await page.evaluate(axe);
  const found = await page.evaluate(
    (rules) => window.axe.run(document, { resultTypes: ["violations"], ...(rules ? { runOnly: { type: "rule", values: rules } } : {}) }),
    only,
  );
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.length}x ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].failureSummary.slice(0, 300)}`);
};

const tooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

// On a narrow screen no table has to be pushed sideways; where rows read downwards each value has the name of its column.
const misread = (page) =>
  page.evaluate(() => {
    const plain = (text) => text.replace(/change of |[▾\s]/g, "");
    return [...document.querySelectorAll("main .scroll > table")].flatMap((table) => {
      const heads = [...table.querySelectorAll("thead th")].map((one) => plain(one.textContent));
      const named = [...table.querySelectorAll("td[data-label]")].filter((one) => plain(one.dataset.label) !== heads[one.cellIndex]);
      const where = table.parentElement.getAttribute("aria-labelledby") ?? table.parentElement.getAttribute("aria-label");
      return [
        ...(table.scrollWidth > table.parentElement.clientWidth ? [`${where} is wider than it is shown`] : []),
        ...named.slice(0, 1).map((one) => `${where}: ${heads[one.cellIndex]} is called ${one.dataset.label}`),
      ];
    });
  });

const links = (page) =>
  page.evaluate(() => [...document.querySelectorAll("a[href]")].map((one) => one.href));

/** `modes` maps a mode to the rules that axe looks for in it, null for all of them; `says` is a text to count. */
export const look = async (page, address, { modes, open = false, shots = "", says = "" }) => {
  const answer = await page.goto(address, { waitUntil: "load" });
  await settled(page);
  const found = { address, status: answer.status(), links: await links(page), title: await page.title(), axe: {}, wide: {}, misread: [] };
  found.problem = await page.evaluate(() => document.querySelector("main .problem[role=alert]")?.innerText ?? "");
  for (const [mode, rules] of Object.entries(modes)) {
    await page.setViewportSize(MODES[mode].viewport);
    await page.emulateMedia({ colorScheme: MODES[mode].colorScheme });
    await settled(page);
    found.wide[mode] = await tooWide(page);
    if (mode === "phone") found.misread = await misread(page);
    if (shots) {
      const name = address.split("?")[0].replaceAll("/", "_").replace(/[^\w.-]/g, "-").slice(0, 60);
      await page.screenshot({ path: `${shots}/${mode}${name}.png`, fullPage: true });
    }
    found.axe[mode] = await violations(page, rules);
  }
  if (open) {
    await openAll(page);
    await hover(page);
  }
  if (says) found.says = await page.evaluate((text) => document.body.innerText.split(text).length - 1, says);
  return found;
};
