// Log records as they arrive, above those that were found.
(() => {
  "use strict";
  const MOST = 500;
  let source = null;
  let waiting = [];
  let held = false;
  let seen = 0;

  const say = (text) => {
    const state = document.querySelector("[data-tail-state]");
    if (state) state.textContent = text;
  };
  const show = () => {
    const lines = document.querySelector("[data-tail-lines]");
    if (!lines || held || document.hidden) return;
    for (const html of waiting.splice(0)) lines.insertAdjacentHTML("afterbegin", html);
    while (lines.childElementCount > MOST) lines.lastElementChild.remove();
    say(`following: ${seen} new`);
  };
  const stop = (button) => {
    source?.close();
    source = null;
    button?.setAttribute("aria-pressed", "false");
    if (button) button.textContent = "Follow";
    say(seen ? `stopped: ${seen} new` : "");
  };
  const start = (button) => {
    waiting = [];
    seen = 0;
    source = new EventSource(button.dataset.tail);
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop following";
    source.addEventListener("open", () => say("following: what arrives appears here"));
    source.addEventListener("line", (event) => {
      seen += 1;
      waiting.push(event.data);
      if (waiting.length > MOST) waiting.shift();
      show();
      if (held) say(`held while you point at it: ${waiting.length} wait`);
    });
    source.addEventListener("left-out", (event) => say(`${event.data} were left out: too many at once, narrow it down`));
    source.addEventListener("error", () => say("not connected, trying again"));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-tail]");
    if (button) source ? stop(button) : start(button);
  });
  const hold = (event, yes) => {
    if (event.target.closest?.("[data-tail-lines]")) { held = yes; show(); }
  };
  document.addEventListener("mouseover", (event) => hold(event, true));
  document.addEventListener("mouseout", (event) => hold(event, false));
  document.addEventListener("visibilitychange", show);
  addEventListener("pagehide", () => stop(null));
})();
