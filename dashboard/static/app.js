// What moves on the pages: live content, the time range, keys, copying, and forms that change something.
(() => {
  "use strict";
  const main = document.getElementById("content");
  const told = document.getElementById("told");
  const state = document.querySelector("[data-live-state]");
  const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";

  // Over a dialog that is open, or it would lie behind it and not be read out.
  const tell = (text) => {
    (document.querySelector("dialog[open]") ?? document.body).append(told);
    told.textContent = String(text).slice(0, 400);
    clearTimeout(tell.timer);
    tell.timer = setTimeout(() => { told.textContent = ""; }, 6000);
  };

  const drawn = (root) => {
    window.forecourtCharts?.draw(root);
    for (const figure of root.querySelectorAll("figure.chart")) {
      const details = figure.querySelector("details.values");
      if (details && !details.dataset.ready) {
        details.dataset.ready = "yes";
        details.addEventListener("toggle", () => details.open && window.forecourtCharts?.table?.(figure));
      }
    }
  };

  const changedByHand = (field) => {
    if (field.matches("select")) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
    return field.matches("textarea, input:not([type=hidden])") && field.value !== field.defaultValue;
  };

  // What the reader has opened, typed or scrolled stays; plots are drawn anew from their data. Forms that search stay
  // as they are: they change with the address only, and a field called `attributes` hides those of its form.
  const morph = (html) => {
    const fresh = document.createElement("main");
    fresh.innerHTML = html;
    Idiomorph.morph(main, fresh.innerHTML, {
      morphStyle: "innerHTML",
      ignoreActiveValue: true,
      callbacks: {
        beforeNodeMorphed: (old, next) => {
          if (old.nodeType !== Node.ELEMENT_NODE) return true;
          if (old.matches(".plot, [data-values], [data-keep], form.search") || changedByHand(old)) return false;
          if (old.matches("details") && next.matches?.("details")) next.toggleAttribute("open", old.open);
          return true;
        },
      },
    });
    window.htmx?.process(main);
    drawn(main);
  };

  let source = null;
  const show = (name, text) => {
    if (!state) return;
    state.dataset.state = name;
    state.textContent = text;
  };
  const disconnect = () => { source?.close(); source = null; };
  const connect = () => {
    if (source || document.hidden || !main.dataset.live || main.querySelector(":scope > .waiting")) return;
    const query = new URLSearchParams(location.search);
    query.set("path", main.dataset.path);
    source = new EventSource(`/live?${query}`);
    source.addEventListener("open", () => show("live", "live"));
    source.addEventListener("content", (event) => {
      show("live", "live");
      morph(event.data);
    });
    source.addEventListener("error", () => {
      show("lost", "not live, trying again");
      if (source?.readyState === EventSource.CLOSED) {
        disconnect();
        setTimeout(connect, 5000);
      }
    });
  };
  // A page that nobody sees holds no connection: browsers have six of them for all tabs together.
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);

  document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRF-Token"] = csrf; });
  // htmx would leave out the data of charts, which are elements of script; morphing keeps them and runs none.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== main || !event.detail.shouldSwap) return;
    event.detail.shouldSwap = false;
    morph(event.detail.serverResponse);
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
    connect();
  });
  document.addEventListener("htmx:responseError", (event) => tell(event.detail.xhr.responseText || "It was refused."));
  document.addEventListener("htmx:sendError", () => tell("The server does not answer."));
  document.addEventListener("told", (event) => tell(event.detail?.value ?? ""));
  // Something was done: the dialog has served, and the page is read again as soon as the sidecar may have taken it.
  document.addEventListener("changed", async () => {
    document.body.append(told);
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    for (const wait of [0, 1500]) {
      await new Promise((done) => setTimeout(done, wait));
      const answer = await fetch(location.href, { headers: { "HX-Request": "true" } });
      if (answer.ok) morph(await answer.text());
    }
  });

  // The time range, in the address.
  const go = (changes) => {
    const query = new URLSearchParams(location.search);
    for (const name of ["before", "batch", "index"]) query.delete(name);  // where another time's page ended
    for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
    location.search = query.toString();
  };
  const range = document.querySelector("[data-range]");
  const custom = document.getElementById("custom-range");
  range?.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name === "last" && value === "custom") {
      custom.showModal();
      event.target.selectedIndex = [...event.target.options].findIndex((one) => one.defaultSelected);
      return;
    }
    go(name === "last" ? { last: value, from: "", to: "" } : { [name]: value });
  });
  range?.addEventListener("submit", (event) => event.preventDefault());
  const zones = document.querySelector("[data-zone-choice]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zones && here && ![...zones.options].some((one) => one.value === here)) zones.add(new Option(`${here} (here)`, here));
  // Wall-clock time of a zone as an instant: the offset that the zone has then.
  const instantOf = (wall, zone) => {
    const asUtc = Date.parse(`${wall.length === 16 ? `${wall}:00` : wall}Z`);
    const parts = (at) => Object.fromEntries(
      new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" })
        .formatToParts(at).map((part) => [part.type, part.value]));
    const shown = (at) => { const p = parts(at); return Date.parse(`${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}Z`); };
    const first = asUtc - (shown(asUtc) - asUtc);
    return new Date(asUtc - (shown(first) - first)).toISOString();
  };
  document.querySelector("[data-custom]")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const zone = document.documentElement.dataset.zone || "UTC";
    go({ from: instantOf(form.get("from"), zone), to: instantOf(form.get("to"), zone), last: "" });
  });

  // Buttons.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    if (button.matches("[data-close]")) button.closest("dialog")?.close();
    if (button.matches("[data-help]")) document.getElementById("help").showModal();
    if (button.matches("[data-opens]")) document.getElementById(button.dataset.opens)?.showModal();
    if (button.matches("[data-menu]")) {
      const open = document.getElementById("menu").classList.toggle("open");
      button.setAttribute("aria-expanded", String(open));
    }
    if (button.matches("[data-copy]")) {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        tell("copied");
      } catch {
        tell("The browser does not let it be copied.");
      }
    }
  });

  // Keys, unless somebody types.
  let waits = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog[open]")) return;
    const { key } = event;
    if (waits) {
      waits = false;
      const link = [...document.querySelectorAll("nav a[data-key]")].find((one) => one.dataset.key === key);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (key === "g") { waits = true; setTimeout(() => { waits = false; }, 1500); }
    else if (key === "?") document.getElementById("help").showModal();
    else if (key === "/") { const field = main.querySelector("input[type=search], input[type=text]"); if (field) { event.preventDefault(); field.focus(); } }
    else if (key === "[" || key === "]") document.querySelector(`a[data-key="${key}"]`)?.click();
    else if (key === "n") go({ from: "", to: "", last: "" });
    else if (key === "r") location.reload();
  });

  drawn(main);
  connect();
})();
