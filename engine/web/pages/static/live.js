// What a page that stays open is told: what is new in the inbox, and that a request is not what it was when it was opened.
// Nothing moves while somebody reads, nothing is answered by a key, and everything works without this file.
"use strict";

const EVERY = 5000, SETTLES = 1000, KEYS = "shortcuts";
const find = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];

// -- what is new

async function asked(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, redirect: "error" });
  if (answer.status === 401) stop("You are logged out: nothing is told or answered here any more.");
  return answer.ok ? answer.json() : null;
}

function tell(text) {
  const news = find("#news");
  if (news.dataset.told === text) return;
  news.dataset.told = text;
  news.replaceChildren(text ? text + " " : "");
  if (!text) return;
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Show";
  news.append(link);
}

function stop(text) {
  for (const button of all("form.stack button, form.claim button")) button.disabled = true;
  tell(text);
}

async function lookAtTogether() {
  const told = await asked("/inbox/ids");
  if (told === null) return;
  const there = new Set(told.items), rows = all("[data-together]");
  for (const row of rows) row.classList.toggle("over", !there.has(row.dataset.together));
  const gone = rows.filter((row) => row.classList.contains("over")).length;
  if (gone) stop(`${gone} of these ${gone === 1 ? "is" : "are"} not open any more: choose anew in the inbox.`);
}

async function lookAtInbox() {
  const told = await asked("/inbox/ids" + location.search);
  if (told === null) return;
  const rows = all("[data-request]"), there = new Set(told.items);
  const shown = new Set(rows.map((row) => row.dataset.request));
  for (const row of rows) row.classList.toggle("over", !there.has(row.dataset.request));
  // what was there already, and is shown only where more is asked for
  const hidden = Number((find("[data-hidden]") || { dataset: { hidden: 0 } }).dataset.hidden);
  const more = Math.max(0, told.items.filter((id) => !shown.has(id)).length - hidden), gone = rows.filter((row) => row.classList.contains("over")).length;
  tell([more ? `${more} new.` : "", gone ? `${gone} of these not open any more.` : ""].join(" ").trim());
}

async function lookAtCard(then) {
  const told = await asked(location.pathname + "/stands");
  if (told === null || told.stands === then) return;
  stop("This request is not what it was when you opened it: nothing can be answered here.");
}

async function look() {
  if (document.hidden) return;
  const card = find("[data-stands]");
  try {
    await (card ? lookAtCard(card.dataset.stands) : find("[data-together]") ? lookAtTogether() : lookAtInbox());
  } catch (error) {
    // the service is away: the page is as it was, and the next look may find it
    if (!(error instanceof TypeError)) throw error;
  }
}

// -- a yes takes a moment

for (const button of all("button.primary")) {
  button.disabled = true;
  setTimeout(() => { button.disabled = false; }, SETTLES);
}

// -- the keyboard

function move(by) {
  const links = all("[data-request] > a");
  const at = links.indexOf(document.activeElement);
  const next = links[Math.min(Math.max(at + by, 0), links.length - 1)];
  if (next) next.focus();
}

const ACTS = {
  j: () => move(1),
  k: () => move(-1),
  o: () => document.activeElement.closest("[data-request]") && document.activeElement.click(),
  // of somebody else's claim nobody takes hold by a key
  c: () => find("form.claim button:not([value=take])")?.click(),
  a: () => find("button[value=approve]")?.focus(),
  d: () => find("button[value=deny]")?.focus(),
  e: () => { const edit = find("details.edit"); if (edit) { edit.open = true; find("input:not([type=hidden])", edit).focus(); } },
  "?": () => find("#shortcuts").showModal(),
};

const wanted = () => localStorage.getItem(KEYS) !== "off";

document.addEventListener("keydown", (event) => {
  const writes = event.target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (writes || event.ctrlKey || event.metaKey || event.altKey || !wanted() || find("dialog[open]")) return;
  const act = ACTS[event.key];
  if (act) { event.preventDefault(); act(); }
});

const help = find("#shortcuts");
if (help) {
  const choice = find("input", help), opens = find("#keys");
  choice.checked = wanted();
  choice.addEventListener("change", () => localStorage.setItem(KEYS, choice.checked ? "on" : "off"));
  opens.hidden = false;
  opens.addEventListener("click", () => help.showModal());
}
if (find("[data-rows], [data-stands], [data-together]")) setInterval(look, EVERY);
