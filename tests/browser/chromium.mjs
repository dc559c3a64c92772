// Chromium that does what it is told: a command is a line of JSON on standard input, its answer one on standard output.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { look } from "./look.mjs";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const PATIENCE_MS = 20_000;
const AT_ONCE = 3;
const MOST_FAULTS = 50;

const browser = await chromium.launch({ executablePath: process.argv[2], args: ARGUMENTS });
const contexts = [];
const pages = [];

// Whatever runs that the pages did not bring along is told as an error of the console.
const watchInside = () => {
  Object.defineProperty(window, "__ran", { value: (what) => console.error(`a text of telemetry ran: ${what}`) });
  document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
};

const own = (address, host) => /^(data|blob|about):/.test(address) || new URL(address).host === host;

const opened = async (base, options) => {
  const made = await browser.newContext({ baseURL: base, viewport: { width: 1360, height: 900 }, ...options });
  made.setDefaultTimeout(PATIENCE_MS);
  await made.addInitScript(watchInside);
  return { made, base, options, host: new URL(base).host };
};

const watched = async (context) => {
  const page = await context.made.newPage();
  page.faults = [];
  const say = (text) => page.faults.length < MOST_FAULTS && page.faults.push(text.slice(0, 600));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && say(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => say(`exception: ${error.message}`));
  page.on("dialog", (dialog) => { say(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => own(request.url(), context.host) || say(`request: ${request.url()}`));
  page.on("response", (response) => response.status() >= 500 && say(`answer: ${response.status()} ${response.url()}`));
  return page;
};

/** A page that was left meanwhile, or does not come to rest, is a fault of it like others. */
const looked = async (page, address, wish) => {
  try {
    return await look(page, address, wish);
  } catch (error) {
    page.faults.push(`broken off: ${error.message.slice(0, 600)}`);
    return { address, status: 0, title: "", problem: "", links: [], says: 0, axe: {}, wide: {}, misread: [] };
  }
};

const COMMANDS = {
  /** A browser of somebody else's: no cookie in common. */
  context: async ({ base, options }) => contexts.push(await opened(base, options)) - 1,
  page: async ({ context }) => pages.push(await watched(contexts[context])) - 1,
  /** Any method of Playwright's page, or of its locator where a selector is given. */
  call: async ({ page, selector, method, given }) => {
    const on = selector ? pages[page].locator(selector) : pages[page];
    const answer = await on[method](...given);
    return method === "goto" ? answer?.status() ?? null : answer ?? null;
  },
  /** What went wrong on a page since the last time. */
  faults: async ({ page }) => pages[page].faults.splice(0),
  /** Each of the addresses, a few at once, with all that `look` finds there. */
  visit: async ({ context, addresses, wish }) => {
    const found = [];
    const left = [...addresses.entries()];
    const { made, base, options } = contexts[context];
    const storageState = await made.storageState();
    const work = async () => {
      const apart = await opened(base, { ...options, storageState }); // a window of its own: one behind another hardly draws
      for (let next = left.shift(); next; next = left.shift()) {
        const page = await watched(apart);
        const [number, address] = next;
        found[number] = { ...(await looked(page, address, wish)), faults: page.faults };
        await page.close();
      }
      await apart.made.close();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return found;
  },
  close: async ({ context }) => contexts[context].made.close(),
};

const told = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    told({ answer: (await COMMANDS[command.do](command)) ?? null });
  } catch (error) {
    told({ error: String(error.message ?? error) });
  }
}
await browser.close();
