/* Keeps an open page current: applies the fragments that the server pushes, updates ages, shows a
   banner when no message arrives. User actions are sent by actions.js. */
(function () {
  "use strict";

  const PULSE_MS = Number(document.body.dataset.pulse) * 1000;
  const SILENT_MS = 2.4 * PULSE_MS; // two pulses missed
  const CHART_MS = 10000;
  const RETRY_MS = 500;
  const OLD_S = 15 * 60;

  const state = { stream: 0, lastMessage: performance.now(), offset: 0, version: "", listing: false, page: null,
    probing: false, probed: 0, answered: 0, trouble: null, announced: null, drawn: 0, turn: "", turnTimer: null };

  const view = Date.now().toString(36) + Math.random().toString(36).slice(2);
  const $ = (id) => document.getElementById(id);
  const serverNow = () => Date.now() + state.offset;

  // ---- ages and clocks ------------------------------------------------------------------------

  function ago(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 10) return "just now";
    if (s >= 86400) return Math.floor(s / 86400) + " d ago";
    if (s >= 3600) return Math.floor(s / 3600) + " h ago";
    if (s >= 60) return Math.floor(s / 60) + " min ago";
    return s + " s ago";
  }

  const zone = window.vigilZone;
  const UTC = { timeZone: "UTC" }; // wall-clock times, by the server's zone table
  const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...UTC });
  const exact = new Intl.DateTimeFormat(undefined,
    { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...UTC });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...UTC });
  const dated = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", ...UTC });

  function clock(moment) {
    const now = zone.wall(new Date(serverNow())).toISOString();
    const wall = zone.wall(moment);
    const then = wall.toISOString();
    if (then.slice(0, 10) === now.slice(0, 10)) return time.format(wall);
    const date = then.slice(0, 4) === now.slice(0, 4) ? day : dated;
    return date.format(wall) + ", " + time.format(wall);
  }

  /* To the second; in UTC, and marked so, until the zone is known. */
  function second(moment) {
    return exact.format(zone.wall(moment)) + (zone.known() ? "" : " UTC");
  }

  function set(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function writeTimes(root) {
    for (const node of root.querySelectorAll("time[data-clock]")) {
      if (!zone.known()) break; // they stay in UTC, as rendered by the server
      const moment = new Date(node.dateTime);
      set(node, clock(moment));
      node.title = zone.whole(moment);
    }
    age(root);
  }

  function age(root) {
    const now = serverNow();
    for (const node of root.querySelectorAll("time[data-age]")) {
      const seconds = (now - Date.parse(node.dateTime)) / 1000;
      set(node, ago(seconds));
      if ("mark" in node.dataset) node.classList.toggle("old", seconds > OLD_S);
    }
  }

  // ---- fragments -------------------------------------------------------------------------------

  /* Which control of an element has the focus: none that acts may be taken for another. */
  function nameOf(node) {
    const { act, event } = node.dataset;
    const name = act || node.id || node.getAttribute("href") || node.textContent;
    return [node.tagName, act ? event : "", name].join(" ");
  }

  function focusIn(item) {
    const active = document.activeElement;
    return active && item.contains(active) ? nameOf(active) : null;
  }

  /* Focus after a fragment was replaced: the same control, else one that only leads somewhere. */
  function refocus(item, before) {
    if (!before || item.contains(document.activeElement)) return;
    const same = [...item.querySelectorAll("a, button, input, summary, .acked")]
      .find((node) => nameOf(node) === before);
    const next = same || item.querySelector(".acked") || item.querySelector("h2 a") || item;
    if (next === item) item.tabIndex = -1;
    next.focus({ preventScroll: true });
  }

  /* The elements that changed; where the others are not what the server takes them for, the list
     that it asks for next says so. */
  function replaceParts(item, { parts, of }) {
    for (const [place, html] of parts) {
      const old = item.children[place];
      if (old) old.outerHTML = html; else item.insertAdjacentHTML("beforeend", html);
    }
    while (item.children.length > of) item.lastElementChild.remove();
    if (item.children.length !== of) item.dataset.digest = "";
  }

  function replace(item, piece) {
    const before = focusIn(item);
    const open = [...item.querySelectorAll("details")].map((d) => d.open);
    const typed = item.querySelector("input[name=comment]");
    const draft = typed ? typed.value : "";
    item.className = piece.css;
    item.dataset.digest = piece.digest;
    // made by our templates, which escape every value
    if (piece.parts) replaceParts(item, piece); else item.innerHTML = piece.html;
    item.querySelectorAll("details").forEach((d, i) => { d.open = open[i] || false; });
    const field = item.querySelector("input[name=comment]");
    if (field && draft) field.value = draft;
    writeTimes(item);
    refocus(item, before);
  }

  /* Apply what changed; false: the rows are not what the server took them for. */
  function changeRows({ gone, places, pieces, count }) {
    const list = $("rows");
    const have = new Map([...list.children].map((item) => [item.dataset.key, item]));
    let whole = true;
    for (const key of gone) {
      const item = have.get(key);
      if (item) item.remove();
      have.delete(key);
    }
    for (const [key, piece] of Object.entries(pieces)) {
      if (!have.has(key)) {
        const item = document.createElement("li");
        item.dataset.key = key;
        have.set(key, item); // it is placed below
      }
      replace(have.get(key), piece);
      whole = whole && have.get(key).dataset.digest !== "";
    }
    for (const [key, after] of places) {
      const item = have.get(key);
      const before = after ? have.get(after) : null;
      if (!item || (after && !before)) { whole = false; continue; }
      const next = before ? before.nextElementSibling : list.firstElementChild;
      if (item === next) continue;
      // moving an element drops its focus: put it back
      const focused = item.contains(document.activeElement) ? document.activeElement : null;
      list.insertBefore(item, next);
      if (focused) focused.focus({ preventScroll: true });
    }
    const empty = $("empty");
    if (empty) empty.hidden = list.children.length > 0;
    return whole && list.children.length === count;
  }

  function listed() {
    return [...$("rows").children].map((item) => [item.dataset.key, item.dataset.digest]);
  }

  /* In plain text a name is put between isolating marks where its letters may run in the other
     direction; the server closes what the name opens. */
  function isolated(text) {
    return /[^\u0000-\u024f]/.test(text) ? "\u2068" + text.trim() + "\u2069" : text;
  }

  /* New unacknowledged high-priority alerts, for a screen reader and the window's title. */
  function announce() {
    const calling = [...document.querySelectorAll("#rows > .calling.high")];
    const now = new Map(calling.map((item) => {
      const button = item.querySelector("[data-act=acknowledge]");
      const name = item.querySelector("h2");
      const title = item.querySelector(".title");
      return [item.dataset.key + (button ? button.dataset.event : ""),
        "High priority: " + (title ? title.textContent : "") + " " + (name ? isolated(name.textContent) : "")];
    }));
    const fresh = [...now].filter(([key]) => state.announced && !state.announced.has(key)).map(([, text]) => text);
    state.announced = new Set(now.keys());
    if (fresh.length) $("announce").textContent = fresh.join(". ");
    const plain = document.title.replace(/^\(\d+ high\) /, "");
    document.title = now.size ? "(" + now.size + " high) " + plain : plain;
  }

  // ---- the stream -----------------------------------------------------------------------------

  function streamRequest() {
    state.stream += 1;
    const body = document.body.dataset;
    const ward = $("ward");
    return { view, page: body.page, patient: body.patient || "", ward: ward ? ward.value : "",
      stream: state.stream, version: state.version, seen: state.listing ? listed() : null };
  }

  function restart() {
    window.dash_clientside.set_props("start", { data: streamRequest() });
  }

  function apply(message) {
    if (!message || message.stream !== state.stream) return;
    state.offset = Date.parse(message.at) - Date.now();
    showWorkerState(message.state);
    if (message.meanwhile) return show(); // the page itself is still being read
    state.lastMessage = performance.now();
    state.probed = 0;
    state.answered = 0;
    const at = Date.parse(message.at);
    if (message.trouble) {
      state.trouble = message.trouble;
    } else if (message.unknown || ("version" in message && message.base !== state.version)) {
      // the server does not know this version, or a message was lost
      state.listing = Boolean(message.unknown);
      return restart();
    } else if ("version" in message) {
      state.trouble = null;
      if ("head" in message) {
        $("head").innerHTML = message.head; // made by our templates, which escape every value
        writeTimes($("head"));
      }
      const whole = changeRows(message);
      announce();
      redraw(message.turn);
      state.version = message.version;
      state.listing = !whole;
      if (!whole) return setTimeout(restart, RETRY_MS);
      state.current = at;
    }
    if ("again" in message) setTimeout(restart, message.again * 1000);
    show();
  }

  // ---- the workers behind the board -----------------------------------------------------------

  /* Only the sentences that changed are replaced, so that only those are read out. */
  function showWorkerState(workers) {
    state.judged = workers.judged;
    if (workers.html === state.stateHtml) return;
    state.stateHtml = workers.html;
    const fresh = document.createElement("template");
    fresh.innerHTML = workers.html; // made by our templates, which escape every value
    const list = $("state");
    const have = new Map([...list.children].map((node) => [node.dataset.source, node]));
    const wanted = [...fresh.content.querySelectorAll(".notice")].map((node) => {
      node.dataset.source = node.outerHTML;
      return have.get(node.dataset.source) || node;
    });
    for (const node of have.values()) if (!wanted.includes(node)) node.remove();
    wanted.forEach((node, i) => {
      if (list.children[i] !== node) list.insertBefore(node, list.children[i] || null);
    });
    writeTimes(list);
  }

  /* While nobody judges, or no message arrives, no patient is shown as free of alerts. The next
     fragments of the server show it too; what is on the page is changed at once. */
  function markUnknown() {
    const unknown = !state.judged || document.body.classList.contains("stale");
    document.body.classList.toggle("unknown", unknown);
    for (const node of document.querySelectorAll(".calm-text")) {
      if (unknown && !("calm" in node.dataset)) {
        node.dataset.calm = node.textContent;
        set(node, node.closest(".calm-count") ? "not known" : "Not known");
      } else if (!unknown && "calm" in node.dataset) {
        set(node, node.dataset.calm);
        delete node.dataset.calm;
      }
    }
  }

  function redraw(turn) {
    if (!turn || turn === state.turn) return;
    state.turn = turn;
    if (state.turnTimer) return;
    const wait = Math.max(0, state.drawn + CHART_MS - performance.now());
    state.turnTimer = setTimeout(() => {
      state.turnTimer = null;
      state.drawn = performance.now();
      window.dash_clientside.set_props("turn", { data: state.turn });
    }, wait);
  }

  // ---- never silently stale -------------------------------------------------------------------

  function show() {
    const silent = performance.now() - state.lastMessage > SILENT_MS;
    const live = $("live");
    if (!live) return;
    const since = second(new Date(state.current || Date.parse(document.body.dataset.now)));
    let text = "";
    if (silent) {
      text = "Live updates have stopped. What you see is from " + since +
        ". Watch your patients directly; this page keeps trying.";
    } else if (state.trouble) {
      text = "Vigil cannot reach its database. What you see is from " + since +
        ". Watch your patients directly; this page keeps trying.";
    }
    const stopped = Boolean(text);
    document.body.classList.toggle("stale", stopped);
    const banner = $("trouble");
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = !stopped;
    markUnknown();
    live.dataset.state = stopped ? "stopped" : state.current ? "live" : "starting";
    live.dataset.judged = state.judged ? "yes" : "no";
    live.querySelector(".text").textContent = stopped ? "Not live" : !state.current ? "Connecting…"
      : (state.judged ? "Live " : "Not known, ") + second(new Date(state.current));
  }

  async function probe() {
    if (state.probing || performance.now() - state.lastMessage < SILENT_MS) return;
    if (performance.now() - state.probed < PULSE_MS) return;
    state.probing = true;
    state.probed = performance.now();
    try {
      const answer = await fetch("/board/alive", { cache: "no-store", headers: { Accept: "application/json" } });
      if (answer.status === 401) {
        if (!window.vigilUnsent.signedOut()) {
          location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
        }
      } else if (answer.ok) {
        state.answered += 1;
        if (state.answered > 3 && !window.vigilUnsent.any()) location.reload(); else restart();
      }
    } catch (error) { /* the server is unavailable: the banner shows it, and we ask again */
    } finally {
      state.probing = false;
    }
  }

  function tick() {
    age(document);
    if (!zone.known()) zone.load().then(() => writeTimes(document));
    show();
    probe();
  }

  // ---- choices ------------------------------------------------------------------------------

  document.addEventListener("change", (event) => {
    if (event.target.name === "span") {
      window.dash_clientside.set_props("span", { data: event.target.value });
    }
    if (event.target.id !== "ward") return;
    const ward = event.target.value;
    history.replaceState(null, "", ward ? "/board/?ward=" + encodeURIComponent(ward) : "/board/");
    restart();
  });

  // ---- Dash -----------------------------------------------------------------------------------

  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function client() {
    return { page: document.body.dataset.page, patient: document.body.dataset.patient || "" };
  }

  function appearance() {
    return { theme: dark.matches ? "dark" : "light", timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  }

  dark.addEventListener("change", () => window.dash_clientside.set_props("look", { data: appearance() }));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    vigil: {
      begin() {
        const span = document.querySelector("input[name=span]:checked");
        // chosen before this script was there, or kept by the browser over a reload
        if (span && !span.defaultChecked) window.dash_clientside.set_props("span", { data: span.value });
        return [client(), appearance(), streamRequest()];
      },
      apply(message) { apply(message); },
    },
  });

  state.offset = Date.parse(document.body.dataset.now) - Date.now();
  state.judged = document.body.dataset.judged === "yes";
  state.version = $("rows").dataset.version;
  for (const node of $("state").children) node.dataset.source = node.outerHTML;
  age(document);
  zone.load().then(() => writeTimes(document));
  announce();
  setInterval(tick, 1000);
})();
