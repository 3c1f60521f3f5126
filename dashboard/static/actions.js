/* Sends what users do about an alert. It is loaded before the page's content, so that whatever is
   shown can be used: board.js waits for Dash and its libraries. */
(function () {
  "use strict";

  const DONE = { acknowledge: "Sent. Waiting for it to be recorded…", comment: "Sent…", useful: "Sent…",
    false_alarm: "Sent…" };

  /* The control, or the one that a live update has put in its place. */
  function current(control) {
    const { act, event } = control.dataset;
    return control.isConnected ? control : document.querySelector(
      "[data-act=" + CSS.escape(act) + "][data-event=" + CSS.escape(event) + "]");
  }

  /* Whether there was a place to show it: the alert can have left the page. */
  function showFeedback(control, text, wrong) {
    const shown = current(control);
    const item = shown && shown.closest("li");
    const node = item && item.querySelector(".feedback");
    if (!node) return false;
    node.textContent = text;
    node.classList.toggle("wrong", Boolean(wrong));
    return true;
  }

  /* A comment that was sent leaves its field, unless another has been typed there meanwhile. */
  function takeOut(form, comment) {
    const shown = current(form);
    const field = shown && shown.elements.comment;
    if (field && field.value === comment) field.value = "";
  }

  /* Episode -> its comments that are not answered yet: one is sent after the other, so that one that
     follows at once is not lost, whatever a live update puts in the place of the form. */
  const unanswered = new Map();

  const NO_ANSWER = "Vigil did not answer, so it may not be recorded. Try again.";
  const SIGNED_OUT = "You are signed out.";
  const quoted = (comments) => comments.map((one) => "“" + one + "”").join(", ");

  /* Episode -> what its notice says and holds: comments that no field holds any more. The notice is
     of the page, so that neither a live update nor the end of the alert removes it. */
  const unsent = new Map();
  let signedOut = false;

  function part(tag, text) {
    const node = document.createElement(tag);
    node.textContent = text;
    return node;
  }

  function showUnsent() {
    const notice = document.getElementById("unsent");
    const lines = [...unsent.values()].map(({ about, text }) => part("p", about + ": " + text));
    if (signedOut) {
      const link = part("a", "Sign in");
      link.href = "/login?next=" + encodeURIComponent(location.pathname + location.search);
      const hint = part("p", lines.length ? "Copy what you still need: it is lost when you leave this page. " : SIGNED_OUT + " ");
      hint.append(link);
      lines.push(hint);
    }
    if (unsent.size) {
      const discard = part("button", "Discard what was not sent");
      Object.assign(discard, { type: "button", className: "quiet" });
      discard.addEventListener("click", () => { unsent.clear(); showUnsent(); });
      lines.push(discard);
    }
    notice.replaceChildren(...lines);
    notice.hidden = !lines.length;
  }

  function keepUnsent(form, text, comments) {
    const { event } = form.dataset;
    const label = form.querySelector("label");
    const about = label ? label.textContent : "Comment";
    const before = unsent.get(event);
    const earlier = before ? before.comments.filter((one) => !comments.includes(one)) : [];
    const rest = earlier.length ? " Not sent before: " + quoted(earlier) + "." : "";
    unsent.set(event, { about, text: text + rest, comments: [...earlier, ...comments] });
    showUnsent();
  }

  /* A comment that was sent again after all is no longer among them. */
  function forgetUnsent(event, comment) {
    const before = unsent.get(event);
    if (!before || !before.comments.includes(comment)) return;
    const comments = before.comments.filter((one) => one !== comment);
    if (comments.length) unsent.set(event, { ...before, text: "Not sent: " + quoted(comments) + ".", comments });
    else unsent.delete(event);
    showUnsent();
  }

  /* What became of comments that were not recorded for certain: the first was under way. */
  function describe(problem, lost, first) {
    if (problem !== NO_ANSWER || !lost.includes(first)) {
      return lost.length ? problem + " Not sent: " + quoted(lost) : problem;
    }
    const behind = lost.slice(1);
    const known = "Vigil did not answer. It may or may not be recorded: " + quoted([first]);
    return behind.length ? known + ". Not sent: " + quoted(behind) : known;
  }

  async function sendComment(form, comment) {
    const { event } = form.dataset;
    const waiting = unanswered.get(event);
    if (waiting) {
      if (waiting.at(-1) !== comment) waiting.push(comment);
      return;
    }
    const comments = [comment];
    unanswered.set(event, comments);
    let problem = "";
    while (comments.length && !problem) {
      problem = await send(current(form) || form, comments[0]);
      if (!problem) forgetUnsent(event, comments.shift());
    }
    unanswered.delete(event);
    if (!problem) return;
    const shown = current(form);
    const field = shown && shown.elements.comment;
    const lost = comments.filter((one) => signedOut || !field || field.value !== one);
    if (!lost.length) return;
    const text = describe(problem, lost, comments[0]);
    showFeedback(form, text, true);
    keepUnsent(form, text, lost);
  }

  const isTyped = () => [...document.querySelectorAll("form[data-act=comment]")].some(
    (form) => form.elements.comment.value.trim());

  const isUnsent = () => unanswered.size > 0 || unsent.size > 0 || isTyped();

  /* Whether the page stays although nobody is signed in any more, since a comment would be lost. */
  function stayUnsent() {
    if (!isUnsent()) return false;
    signedOut = true;
    showUnsent();
    return true;
  }

  window.vigilUnsent = { any: isUnsent, signedOut: stayUnsent }; // board.js asks before it leaves

  window.addEventListener("beforeunload", (event) => {
    if (isUnsent()) event.preventDefault();
  });

  /* What went wrong, or nothing. */
  async function send(control, comment) {
    if (control.getAttribute("aria-disabled") === "true") return "";
    const { act, event } = control.dataset;
    const label = control.textContent;
    if (act !== "comment") control.setAttribute("aria-disabled", "true");  // another may follow at once
    if (act === "acknowledge") control.textContent = "Sending…";
    showFeedback(control, "Sending…");
    let problem = "";
    try {
      const answer = await fetch("/board/actions", {
        method: "POST", signal: AbortSignal.timeout(20000),
        headers: { "Content-Type": "application/json", "X-Vigil-Csrf": document.body.dataset.csrf },
        body: JSON.stringify({ episode_id: event, verb: act, comment: comment || "" }),
      });
      if (answer.status === 401) {
        problem = act === "comment" ? SIGNED_OUT : SIGNED_OUT + " This was not sent.";
        if (!stayUnsent()) location.reload();  // which leads to the sign-in
      } else if (answer.status !== 202) {
        const body = await answer.json().catch(() => ({}));
        problem = typeof body.error === "string" ? body.error : "Vigil refused it. Reload the page and try again.";
      }
    } catch (error) {
      problem = NO_ANSWER;
    }
    if (problem) {
      control.removeAttribute("aria-disabled");
      if (act === "acknowledge") control.textContent = label;
      showFeedback(control, problem, true);
      return problem;
    }
    if (act === "acknowledge") control.textContent = "Sent";
    showFeedback(control, DONE[act]);
    if (act === "comment") takeOut(control, comment);
    setTimeout(() => {
      if (!control.isConnected || unanswered.has(event)) return;
      control.removeAttribute("aria-disabled");
      if (act === "acknowledge") control.textContent = label;
      const again = act === "comment" ? "." : "; sending again does no harm.";
      showFeedback(control, "Sent, but not yet confirmed. It can take a moment" + again, true);
    }, 15000);
    return "";
  }

  document.addEventListener("click", (event) => {
    const control = event.target.closest("button[data-act]");
    if (control) send(control);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-act]");
    if (!form) return;
    event.preventDefault();
    sendComment(form, form.elements.comment.value);
  });

  /* A live update can replace a control between press and release, of which no click comes: the
     same control in its place is clicked. */
  let pressed = null;

  const presses = (event) => event.key === " " || (event.isPrimary && event.button === 0);

  function press(event) {
    if (presses(event)) pressed = event.target.closest("button[data-act]");
  }

  function release(event) {
    if (!presses(event)) return;
    const before = pressed;
    pressed = null;
    if (!before || before.isConnected || !(event.target instanceof Element)) return;
    const control = event.target.closest("button[data-act]");
    if (control && control === current(before)) control.click();
  }

  document.addEventListener("pointerdown", press);
  document.addEventListener("keydown", press);
  document.addEventListener("pointerup", release);
  document.addEventListener("keyup", release);
})();
