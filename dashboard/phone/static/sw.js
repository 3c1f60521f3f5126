// The service worker of the patient's page: shows notifications and reports that they were shown.
// It caches one page without personal data for use without a connection; never a message.
"use strict";

const KEPT = "vigil-phone-1";
const OFFLINE = "/phone/offline";
const FILES = [OFFLINE, "/phone/static/phone.css", "/phone/static/icon.svg"];
// Only for a push that cannot be read: a push must always show something.
const NEUTRAL = { title: "Vigil", body: "You have a new message from your care team." };

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((n) => n !== KEPT).map((n) => caches.delete(n))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const path = new URL(event.request.url).pathname;
  if (event.request.mode === "navigate") {
    event.respondWith(fetch(event.request).catch(() => caches.match(OFFLINE)));
  } else if (event.request.method === "GET" && FILES.includes(path)) {
    event.respondWith(fetch(event.request).catch(() => caches.match(event.request)));
  }
});

function read(event) {
  try {
    return { ...NEUTRAL, ...event.data.json() };
  } catch {
    return NEUTRAL;
  }
}

async function show(message) {
  await self.registration.showNotification(message.title, {
    body: message.body,
    icon: "/phone/static/icon-192.png",
    badge: "/phone/static/icon-192.png",
    // A repeat replaces the first and sounds again.
    ...(message.alert_id ? { tag: message.alert_id, renotify: true } : {}),
  });
  const windows = await self.clients.matchAll({ type: "window" });
  windows.forEach((page) => page.postMessage("new message"));
  if (message.delivery_id) {
    await fetch(`/phone/receipts/${encodeURIComponent(message.delivery_id)}`, {
      method: "POST",
      credentials: "same-origin",
    }).catch(() => undefined); // no receipt: the log then has "sent" and not "shown"
  }
}

self.addEventListener("push", (event) => {
  event.waitUntil(show(read(event)));
});

async function open() {
  const windows = await self.clients.matchAll({ type: "window" });
  const page = windows.find((one) => new URL(one.url).pathname === "/phone");
  return page ? page.focus() : self.clients.openWindow("/phone");
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open());
});

async function renew(event) {
  const former = event.oldSubscription;
  const fresh = event.newSubscription
    || (former && await self.registration.pushManager.subscribe(former.options));
  if (fresh) {
    await fetch("/phone/subscriptions", {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fresh),
    });
  }
}

self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event));
});
