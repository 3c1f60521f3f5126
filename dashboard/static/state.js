/* The head of a page that is not live: while the page is open, the head shows which workers do not
   work, as the board does, and that the server does not answer. The rest stays as loaded. */
"use strict";

(() => {
  const EVERY_MS = 1000;
  const TIMEOUT_MS = 5000;
  const SILENT_MS = 10_000;
  const list = document.getElementById("state");
  const disconnected = document.getElementById("disconnected");
  const zone = window.vigilZone;
  let lastAnswer = performance.now();
  let at = "";
  let asking = false;

  /* Only the sentences that changed are replaced, so that only those are read out. */
  function showSentences(html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html; // made by our templates, which escape every value
    writeTimes(fresh.content);
    const wanted = [...fresh.content.children];
    const same = (a, b) => a !== undefined && a.outerHTML === b.outerHTML;
    for (const node of [...list.children]) if (!wanted.some((each) => same(each, node))) node.remove();
    wanted.forEach((node, i) => {
      if (!same(list.children[i], node)) list.insertBefore(node, list.children[i] || null);
    });
  }

  /* Every time on the page, in the reader's zone; until its table is there they stay in UTC. */
  function writeTimes(root) {
    if (!zone.known()) return;
    for (const node of root.querySelectorAll("time[data-clock], time[data-age]")) {
      const moment = new Date(node.dateTime);
      node.textContent = zone.text(moment);
      node.title = zone.whole(moment);
    }
  }

  async function ask() {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch("/state", { headers: { Accept: "application/json" }, signal });
    if (!answer.ok) return;
    const state = await answer.json();
    lastAnswer = performance.now();
    at = zone.known() ? zone.text(new Date(state.time)) : state.at;
    showSentences(state.html);
  }

  function poll() {
    if (document.visibilityState !== "visible") {
      lastAnswer = performance.now(); // no request is sent meanwhile
      return;
    }
    if (!asking) {
      asking = true;
      ask().catch(() => undefined).finally(() => { asking = false; });
    }
    const silent = performance.now() - lastAnswer > SILENT_MS;
    if (silent === !disconnected.hidden) return;
    disconnected.hidden = !silent;
    disconnected.querySelector("span").textContent = !silent ? ""
      : "Vigil has not answered" + (at ? " since " + at : "") + ": what you see here may be old. Watch your patients directly.";
  }

  zone.load().then(() => writeTimes(document));
  poll();
  setInterval(poll, EVERY_MS);
  document.addEventListener("visibilitychange", poll);
})();
