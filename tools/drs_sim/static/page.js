// Keeps the server's page current: sends its forms in the background, and fits what changed into
// the page without disturbing focus, opened details, or the place scrolled to.
"use strict";

const byId = (id) => document.getElementById(id);

const NEWS_MS = 6000;
let sayNothing;

function say(text, forMs) {
  clearTimeout(sayNothing);
  byId("said").textContent = text;
  if (forMs) sayNothing = setTimeout(() => say(""), forMs);
}

// Make `old` equal to `fresh` by changing only what differs. Elements with an id are kept by it.
function fit(old, fresh) {
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  fitChildren(old, fresh);
}

function fitChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) if (child.id && !wanted.has(child.id)) child.remove();
  const kept = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const have = want.id ? kept.get(want.id) : at;
    if (!have || have.nodeName !== want.nodeName || (have.id || "") !== (want.id || "")) {
      old.insertBefore(want, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else old.insertBefore(have, at);
    if (have.nodeType === Node.ELEMENT_NODE) fit(have, want);
    else if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

// Where the keyboard goes when the button it was on is gone: the heading of the nearest part.
function keepFocus(change) {
  const held = document.activeElement;
  const homes = [];
  for (let node = held; node; node = node.parentElement) if (node.id) homes.push(node.id);
  change();
  if (!held || held === document.body || held === document.activeElement) return;
  if (held.isConnected) {
    held.focus({ preventScroll: true });
    return;
  }
  const home = homes.map(byId).find((node) => node && node.querySelector("[tabindex='-1']"));
  if (home) home.querySelector("[tabindex='-1']").focus({ preventScroll: true });
}

function moveHands(nowMs) {
  for (const hand of document.querySelectorAll("[data-from]")) {
    const { from, to } = hand.dataset;
    const part = 100 * Math.min(1, Math.max(0, (nowMs - from) / (to - from)));
    if (hand.tagName === "line") {
      hand.setAttribute("x1", `${part}%`);
      hand.setAttribute("x2", `${part}%`);
    } else {
      hand.setAttribute("x", `${part}%`);
      hand.setAttribute("width", `${100 - part}%`);
    }
  }
}

function listen() {
  const events = new EventSource("/events");
  events.addEventListener("tick", ({ data }) => {
    const tick = JSON.parse(data);
    byId("face").textContent = tick.face;
    moveHands(tick.now_ms);
  });
  events.addEventListener("change", ({ data }) => {
    const { fragments, say: news } = JSON.parse(data);
    keepFocus(() => {
      for (const [id, html] of Object.entries(fragments)) {
        const part = byId(id).cloneNode(false);
        part.innerHTML = html;
        fit(byId(id), part);
      }
    });
    if (news) say(news, NEWS_MS);
  });
  events.onopen = () => showLink("live");
  events.onerror = () => showLink("not connected");
}

function showLink(text) {
  byId("link").textContent = text;
  byId("link").className = text === "live" ? "quiet live" : "quiet";
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { "X-Page": "live" }, body });
    say(answer.ok ? "" : `Not done: ${await answer.text()}`);
  } catch {
    say("Not done: the simulator does not answer.");
  }
});

listen();
