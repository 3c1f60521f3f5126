/* Times by the server's table of time zones. The browser sends only its zone's name: its own table
   may be older or newer, and a chart and the text next to it would then differ by an hour. */
"use strict";

window.vigilZone = (() => {
  let table = null;
  let asking = null;

  function ask() {
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    return fetch("/zone?name=" + encodeURIComponent(name), { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((found) => { table = found || table; label(); })
      .catch(() => undefined) // the server is unavailable: times stay in UTC, as rendered
      .finally(() => { asking = null; });
  }

  /* Seconds east of UTC at a moment. */
  function offset(ms) {
    if (!table) return 0;
    let low = 0;
    let high = table.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (table.starts[middle] * 1000 <= ms) low = middle; else high = middle;
    }
    return table.offsets[low];
  }

  /* Which zone the page is in: every time on it is, once the table is there. */
  function label() {
    if (!table) return;
    for (const node of document.querySelectorAll("[data-zone]")) node.textContent = table.name;
  }

  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", day: "numeric", month: "short" };
  const short = new Intl.DateTimeFormat(undefined, { ...parts, timeZone: "UTC" });
  const dated = new Intl.DateTimeFormat(undefined, { ...parts, year: "numeric", timeZone: "UTC" });

  return {
    load: () => (table ? Promise.resolve() : (asking = asking || ask())),
    known: () => table !== null,
    /* A date whose UTC fields are the wall clock's: write it with timeZone "UTC". */
    wall: (moment) => new Date(moment.getTime() + offset(moment.getTime()) * 1000),
    /* A moment as a page that is not live writes it; its year where that is not this one. */
    text(moment) {
      const wall = new Date(moment.getTime() + offset(moment.getTime()) * 1000);
      const now = new Date(Date.now() + offset(Date.now()) * 1000);
      const same = wall.toISOString().slice(0, 4) === now.toISOString().slice(0, 4);
      return (same ? short : dated).format(wall) + (table ? "" : " UTC");
    },
    /* A moment in full, for a tooltip. */
    whole(moment) {
      const east = offset(moment.getTime());
      const two = (n) => String(Math.floor(n)).padStart(2, "0");
      const shift = (east < 0 ? "-" : "+") + two(Math.abs(east) / 3600) + ":" + two((Math.abs(east) % 3600) / 60);
      const text = new Date(moment.getTime() + east * 1000).toISOString().slice(0, 19).replace("T", " ");
      return text + " " + shift + " (" + (table ? table.name : "UTC") + ")";
    },
  };
})();
