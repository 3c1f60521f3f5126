// The patient's page: times in the reader's own zone, automatic reload on news, and push.
// Reading and answering work without it.
"use strict";

const CHECK_MS = 20_000;
const main = document.getElementById("main");
const apple = /iPad|iPhone|iPod/.test(navigator.userAgent)
  || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
const installed = matchMedia("(display-mode: standalone)").matches;

// As the reader's browser writes times in the page's language. Messages have the digits of ar-EG.
const pageLanguage = document.documentElement.lang;
const language = pageLanguage === "ar" ? "ar-EG"
  : navigator.languages.find((one) => one.split("-")[0] === pageLanguage) ?? pageLanguage;

async function writeTimes() {
  const zone = window.vigilZone; // by the server's table of zones
  await zone.load();
  if (!zone.known()) return; // they stay in UTC, as rendered by the server
  const whole = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
  const hour = new Intl.DateTimeFormat(language, { timeStyle: "short", timeZone: "UTC" });
  const date = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
  const hourFirst = ["en", "es"].includes(pageLanguage); // within a sentence: "a las 7:02, 21 nov 2026"
  for (const time of document.querySelectorAll("time[data-local]")) {
    const wall = zone.wall(new Date(time.dateTime));
    const seen = time.dataset.seen && zone.wall(new Date(time.dataset.seen)); // within a text
    if (!seen) time.textContent = whole.format(wall);
    else if (date.format(wall) === date.format(seen)) time.textContent = hour.format(wall);
    else time.textContent = hourFirst ? hour.format(wall) + ", " + date.format(wall) : whole.format(wall);
  }
}

async function checkForNews() {
  if (document.visibilityState !== "visible") return;
  const typed = [...document.querySelectorAll("input[name=question]")].some((one) => one.value);
  if (typed) return; // a question that is being written is not lost
  const answer = await fetch("/phone/version", { headers: { Accept: "application/json" } });
  if (answer.ok && (await answer.json()).version !== main.dataset.version) location.reload();
}

function keepFresh() {
  const check = () => checkForNews().catch(() => undefined); // offline: the next check may do
  setInterval(check, CHECK_MS);
  document.addEventListener("visibilitychange", check);
  navigator.serviceWorker?.addEventListener("message", check);
}

// Push -------------------------------------------------------------------------------------------

function showState(name) {
  for (const part of document.querySelectorAll("#push [data-state]")) {
    part.hidden = !part.dataset.state.split(" ").includes(name);
  }
}

function keyBytes() {
  const text = main.dataset.pushKey.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(text.padEnd(Math.ceil(text.length / 4) * 4, "=")), (c) => c.charCodeAt(0));
}

function sameKey(subscription) {
  const given = subscription.options?.applicationServerKey;
  if (!given) return true; // the browser does not provide it
  const theirs = new Uint8Array(given);
  return keyBytes().every((byte, n) => byte === theirs[n]);
}

async function sendSubscription(subscription) {
  const answer = await fetch("/phone/subscriptions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(subscription),
  });
  if (!answer.ok) throw new Error(`subscription refused: ${answer.status}`);
}

async function turnOn(registration) {
  if (await Notification.requestPermission() !== "granted") return "blocked";
  await sendSubscription(await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: keyBytes(),
  }));
  return "on";
}

async function turnOff(registration) {
  const answer = await fetch("/phone/subscriptions", { method: "DELETE" });
  if (!answer.ok) throw new Error(`still on: ${answer.status}`);
  const subscription = await registration.pushManager.getSubscription();
  await subscription?.unsubscribe();
  return "off";
}

async function stateNow(registration) {
  if (Notification.permission === "denied") return "blocked";
  const subscription = await registration.pushManager.getSubscription();
  if (!subscription || Notification.permission !== "granted") return "off";
  if (!sameKey(subscription)) { // the ward has a new key: the old subscription is dead
    await subscription.unsubscribe();
    return "off";
  }
  await sendSubscription(subscription); // it may have changed, or this phone may be another patient's now
  return "on";
}

async function startPush() {
  if (!("serviceWorker" in navigator)) return showState(apple ? "iphone" : "unsupported");
  const registration = await navigator.serviceWorker.register("/phone/sw.js", { scope: "/phone" });
  if (!("PushManager" in window) || !("Notification" in window)) {
    return showState(apple && !installed ? "iphone" : "unsupported");
  }
  const act = (button, what) => button.addEventListener("click", async () => {
    button.disabled = true;
    showState(await what(registration).catch(() => "failed"));
    button.disabled = false;
  });
  act(document.getElementById("push-on"), turnOn);
  act(document.getElementById("push-off"), turnOff);
  return showState(await stateNow(registration).catch(() => "failed"));
}

writeTimes();
if (main.dataset.version) keepFresh();
if (main.dataset.pushKey) startPush();
const hint = document.querySelector("[data-iphone]");
if (hint) hint.hidden = !apple || installed;
