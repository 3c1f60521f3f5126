/* The head of a page that is not live: while it is open, it says what stands still as the board
   does, and that nothing is heard any more. The rest of the page stays as it was loaded. */
"use strict";

(() => {
  const EVERY_MS = 1000;
  const PATIENCE_MS = 5000;
  const QUIET_MS = 10_000;
  const list = document.getElementById("state");
  const unheard = document.getElementById("unheard");
  let heard = performance.now();
  let at = "";
  let asking = false;

  /* Only the sentences that changed are replaced, so that only they are read out. */
  function tell(html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html; // made by our templates, which escape every value
    const wanted = [...fresh.content.children];
    const same = (a, b) => a !== undefined && a.outerHTML === b.outerHTML;
    for (const node of [...list.children]) if (!wanted.some((each) => same(each, node))) node.remove();
    wanted.forEach((node, i) => {
      if (!same(list.children[i], node)) list.insertBefore(node, list.children[i] || null);
    });
  }

  async function ask() {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch("/state", { headers: { Accept: "application/json" }, signal });
    if (!answer.ok) return;
    const told = await answer.json();
    heard = performance.now();
    at = told.at;
    tell(told.html);
  }

  function look() {
    if (document.visibilityState !== "visible") {
      heard = performance.now(); // nobody is asked meanwhile
      return;
    }
    if (!asking) {
      asking = true;
      ask().catch(() => undefined).finally(() => { asking = false; });
    }
    const quiet = performance.now() - heard > QUIET_MS;
    if (quiet === !unheard.hidden) return;
    unheard.hidden = !quiet;
    unheard.querySelector("span").textContent = !quiet ? ""
      : "Vigil has not answered" + (at ? " since " + at : "") + ": what you see here may be old. Watch your patients directly.";
  }

  look();
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
})();
