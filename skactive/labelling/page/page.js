// The page for labelling: what is shown, and what keys do. Nothing is lost: see the outbox.

import { makeFinder } from "./finder.js";
import { ask, outbox, post, random, tab, why } from "./outbox.js";
import { forget, full, picture, pictures } from "./pictures.js";

const at = (id) => document.getElementById(id);
const AHEAD = 12; // images that are asked for and fetched before they are needed
const KEPT = 300; // decisions that this page remembers; the server knows all
const SIDE = 1600; // larger images are made smaller, unless they are asked for in full

let state = { classes: [] };
let queue = []; // images that are asked for, the first of which is shown
let past = []; // images that were decided here, in the order in which they were asked for
let decisions = []; // {one, event, before, where}: what was decided here, the last one last
let looking = null; // a position in `past`, or null
let review = null; // {rows, at, done, looked} while labels are reviewed
let painted = null; // the image that can be seen; a press counts only for it
let paintedAt = 0;
let blank = true; // whether there is no image to show
let asking = false;
let ended = false;
const held = new Map(); // image -> the decision that holds for it, as far as this page knows

// Asks for images; those that cannot be read now are no reason to ask for fewer. To renew
// tells the server that this tab still has those that it was given, also if it needs no more.
async function more(renew = false) {
  const wanted = AHEAD - queue.filter((one) => !one.away).length;
  if (asking || (wanted <= 0 && !renew)) return;
  asking = true;
  try {
    const have = [...new Set([...queue, ...outbox.all()].map((one) => one.image))].slice(0, 900);
    const { images } = await post("next", { n: Math.max(wanted, 0), have });
    const known = new Set([...queue, ...outbox.all()].map((one) => one.image)); // by now
    const fresh = images.filter((one) => !known.has(one.image));
    queue.push(...fresh);
    ended = !queue.length;
    for (const one of fresh) picture(one.image);
  } catch { /* tried again by the clock */ }
  asking = false;
  if (blank) paint();
}

// Showing ----------------------------------------------------------------------------------------

function current() {
  if (review) return review.rows[review.at] ?? null;
  return looking === null ? queue[0] ?? null : past[looking];
}

function nothing() {
  if (review && !review.done) return "Networks are looking for labels that may be wrong …";
  if (review) return review.looked ? "No label is left that looks wrong. Esc goes back." : "No network looks for wrong labels here. Esc goes back.";
  if (!ended) return "Loading …";
  if (state.doing?.[0] === "looking for images") return "Looking for images …";
  const { ok = 0, ...others } = state.images ?? {};
  if (!ok && !Object.values(others).some((n) => n)) return `No image was found in ${state.folder}. Put some there, in folders too, and start again.`;
  const decided = Object.values(state.decisions ?? {}).reduce((a, b) => a + b, 0);
  if (decided < ok) return "What is left is asked for in another tab. It comes here at most two minutes after that was closed.";
  return "Nothing is left to label. X exports.";
}

let turn = 0;
async function paint() {
  const mine = ++turn, one = current();
  painted = null;
  blank = !one;
  at("picture").classList.add("hidden");
  show.caption(one);
  if (!one) { show.message(nothing()); return; }
  const found = await picture(one.image);
  if (mine !== turn) return;
  if (found.broken) { drop(one); return; }
  if (found.away) { putOff(one, found.away); return; }
  try { if (!found.ready) await found.img.decode(); } catch {
    // That this browser cannot show it now says nothing about the file.
    if (mine !== turn) return;
    show.message("This image cannot be shown. Trying again …");
    await forget(one.image);
    setTimeout(() => mine === turn && paint(), 1000);
    return;
  }
  if (mine !== turn) return;
  const { img } = found;
  img.alt = `the image ${one.path}`;
  at("picture").classList.toggle("small", Math.max(img.naturalWidth, img.naturalHeight) <= 128);
  at("picture").replaceChildren(img);
  at("picture").classList.remove("hidden");
  show.message("");
  // The message comes after the frame, in which the image is painted.
  const frame = new MessageChannel();
  frame.port1.onmessage = () => {
    frame.port1.close();
    if (mine !== turn) return;
    one.away = false;
    painted = one; paintedAt = performance.now(); document.body.dataset.painted = one.image;
    if (zoomed()) sharpen();
  };
  requestAnimationFrame(() => frame.port2.postMessage(null));
}
function drop(one) {
  if (review) review.rows.splice(review.at, 1);
  else if (looking !== null) { past.splice(looking, 1); looking = null; }
  else queue.shift();
  forget(one.image);
  more();
  paint();
}
// One that cannot be read now comes again, after the others; nothing is decided about it.
function putOff(one, reason) {
  forget(one.image);
  notices.set("away", `${one.path}: ${reason} It comes again later.`);
  if (review) review.at++;
  else if (looking !== null) looking = null;
  else { queue.push(queue.shift()); one.away = true; }
  more();
  paint();
}

const zoomed = () => at("stage").classList.contains("zoom");
// Shows more of an image that was made smaller; which one it is stays the same.
async function sharpen() {
  const mine = turn, shown = at("picture").firstChild;
  if (!painted || Math.max(shown.naturalWidth, shown.naturalHeight) !== SIDE) return;
  const img = await full(painted.image);
  if (!img || mine !== turn || !zoomed() || at("picture").firstChild !== shown) return;
  img.alt = shown.alt;
  at("picture").replaceChildren(img);
}

// What a person should not miss stays until it is dismissed, or is so no more.
const notices = {
  texts: new Map(),
  dismissed: new Map(),
  set(about, text) {
    if (text && this.dismissed.get(about) === text) return;
    if (text) this.texts.set(about, text); else this.texts.delete(about);
    const shown = [...this.texts.values()].join(" ");
    if (at("notice").firstElementChild.textContent !== shown) at("notice").firstElementChild.textContent = shown;
    at("notice").hidden = !shown;
  },
  dismiss() {
    for (const [about, text] of this.texts) this.dismissed.set(about, text);
    this.texts.clear();
    this.set("", "");
  },
};

const show = {
  message(text) { if (at("message").textContent !== text) at("message").textContent = text; }, // once aloud
  saved() {
    const n = outbox.all().length, waiting = n > 0 && outbox.failed;
    at("saved").ariaLive = waiting ? "polite" : "off";
    at("saved").textContent = waiting ? `${n} not saved yet: ${outbox.failed}` : n ? "saving …" : "saved";
    at("saved").classList.toggle("waiting", !!waiting);
  },
  caption(one) {
    at("path").textContent = one?.path ?? "";
    const name = (id) => state.classes.find((c) => c.id === id)?.name ?? "?";
    const now = held.get(one?.image);
    let text = "";
    if (review && one && now?.kind === "label") text = `is ${name(now.class)}; networks that have not seen it say ${one.proposed ? name(one.proposed) : "nothing: the file has changed"}. Enter confirms, space leaves it.`;
    else if (one && now) text = { label: `is ${name(now.class)}`, skip: "is skipped", unsure: "is unsure" }[now.kind];
    else if (one?.guess) text = `network: ${name(one.guess[0])} (${Math.round(100 * one.guess[1])}%)`;
    else if (one?.via === "test") text = "for measuring";
    at("guess").textContent = text;
    for (const button of at("classes").querySelectorAll("button")) button.classList.toggle("chosen", Number(button.dataset.id) === now?.class);
  },
  classes() {
    const list = at("classes");
    const text = JSON.stringify(state.classes.map((c) => [c.id, c.name, c.key]));
    if (list.dataset.shown !== text) {
      list.dataset.shown = text;
      list.replaceChildren(...state.classes.map((c, k) => {
        const row = document.createElement("li");
        row.append(button(c, k === 0));
        return row;
      }));
    }
    state.classes.forEach((c, k) => { list.children[k].querySelector(".n").textContent = c.n; });
  },
  numbers() {
    const decided = state.decisions ?? {}, images = state.images ?? {};
    const total = Object.values(images).reduce((a, b) => a + b, 0);
    at("folder").textContent = state.folder ?? "";
    at("who").textContent = state.named ? `labels of ${state.labeller}` : "";
    document.title = `${state.folder} – skactive label`;
    at("count").textContent = `${decided.label ?? 0} of ${total} labelled` + (decided.skip ? `, ${decided.skip} skipped` : "") + (decided.unsure ? `, ${decided.unsure} unsure` : "") + (images.unreadable ? `, ${images.unreadable} unreadable` : "") + (images.missing ? `, ${images.missing} missing` : "");
    const [what, done, todo] = state.doing ?? ["", 0, 0];
    at("doing").textContent = (what + (todo ? ` ${done} of ${todo}` : "")) + (state.error && state.error !== "stopped" ? ` – last round failed: ${state.error}` : "");
    at("accuracy").textContent = state.accuracy?.text ?? "";
    at("hint").textContent = state.hint ? `Enough? ${state.hint}` : "";
  },
};

function button(c, first) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.id = c.id;
  made.tabIndex = first ? 0 : -1; // one stop of Tab, and up and down from there
  if (c.key) { const key = document.createElement("kbd"); key.textContent = c.key; made.append(key); }
  const name = document.createElement("span"), n = document.createElement("span");
  name.className = "name"; name.textContent = c.name;
  n.className = "n";
  made.append(name, n);
  made.addEventListener("click", () => decide("label", c.id));
  return made;
}
at("classes").addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const next = step && event.target.closest("li")?.[step]?.firstChild;
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

function curve(points) {
  const known = points.filter((p) => p[1] !== null);
  const svg = at("curve");
  svg.replaceChildren();
  svg.style.display = known.length ? "" : "none";
  if (!known.length) return;
  const most = Math.max(...known.map((p) => p[0]), 1);
  const x = (n) => 30 + 262 * n / most, y = (v) => 92 - 84 * v;
  const add = (kind, values, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    svg.append(made);
  };
  for (const v of [0, 0.5, 1]) {
    add("line", { x1: 30, x2: 292, y1: y(v), y2: y(v) });
    add("text", { x: 0, y: y(v) + 4 }, `${100 * v}%`);
  }
  add("text", { x: 292, y: 106, "text-anchor": "end" }, `${most} labels`);
  const band = [...known.map((p) => [x(p[0]), y(p[3])]), ...known.slice().reverse().map((p) => [x(p[0]), y(p[2])])];
  add("path", { class: "band", d: `M${band.join("L")}Z` });
  add("path", { d: `M${known.map((p) => [x(p[0]), y(p[1])]).join("L")}` });
  for (const p of known) add("circle", { cx: x(p[0]), cy: y(p[1]), r: 2.5 });
}

// Deciding ---------------------------------------------------------------------------------------

// Decides about the image that can be seen: what cannot be seen cannot be decided.
function decide(kind, id = null, one = painted) {
  if (!one || one !== painted || one !== current()) return;
  const event = {
    uuid: random(), image: one.image, kind, class: id, via: one.via,
    shown_class: one.guess?.[0] ?? one.proposed ?? null, shown_p: one.guess?.[1] ?? one.p ?? null,
    round: one.round ?? null, ms: Math.round(performance.now() - paintedAt),
  };
  painted = null;
  outbox.add(event);
  const where = review ? "review" : looking !== null ? "past" : "queue";
  decisions.push({ one, event, before: held.get(one.image), where });
  if (decisions.length > KEPT) decisions.shift();
  hold(one.image, event);
  if (review) {
    review.at++;
    if (review.done && !current()) poll(review, false); // there may be more than came at once
  } else if (looking !== null) looking = looking + 1 < past.length ? looking + 1 : null;
  else {
    past.push(queue.shift());
    if (past.length > KEPT) past.shift();
    if (past.length > 20) forget(past[past.length - 21].image);
  }
  more();
  paint();
}
// Notes what holds for an image, and counts it before the server does.
function hold(image, event) {
  const counts = state.decisions ??= {}, before = held.get(image);
  if (before) counts[before.kind]--;
  if (event) { held.set(image, event); counts[event.kind] = (counts[event.kind] ?? 0) + 1; } else held.delete(image);
  show.numbers();
}

let undoing = false;
async function undo() {
  if (undoing) return;
  undoing = true;
  try {
    const found = decisions.length ? null : await earlier();
    const last = decisions.pop() ?? found; // one may have been decided meanwhile
    if (last) takeBack(last);
  } catch (error) { notices.set("undo", `Nothing was taken back: ${why(error)}.`); }
  undoing = false;
}
// The last decision of this labeller that the server knows, once it knows all.
async function earlier() {
  await outbox.send();
  if (outbox.all().length) { notices.set("undo", `Nothing was taken back: ${outbox.failed}.`); return null; }
  const { event, before, asked } = await post("last");
  if (!event) return null;
  held.set(asked.image, event);
  return { one: asked, event, before, where: before ? "past" : "queue" };
}
function takeBack({ one, event, before, where }) {
  const sent = outbox.add({ uuid: random(), image: one.image, kind: "undo", undoes: event.uuid, via: one.via });
  sent.then(() => more(true)); // it is asked for again, here and not in another tab
  hold(one.image, before);
  const other = (known) => known.image !== one.image;
  looking = null;
  if (where === "review") {
    review ??= { rows: [], at: 0, done: true, looked: true };
    if (review.rows.every(other)) review.rows.splice(review.at, 0, one);
    review.at = review.rows.findIndex((known) => !other(known));
  } else {
    review = null;
    if (where === "past") {
      if (past.every(other)) past.push(one);
      looking = past.findIndex((known) => !other(known));
    } else {
      past = past.filter(other);
      queue = [one, ...queue.filter(other)];
    }
  }
  paint();
}

// Goes to earlier images and back; in a review also over those that stay as they are.
function look(step) {
  if (review) review.at = Math.min(Math.max(review.at + step, 0), review.rows.length);
  else {
    const next = (looking ?? past.length) + step;
    if (next < 0 || next > past.length) return;
    looking = next === past.length ? null : next;
  }
  paint();
}

function startReview() {
  looking = null;
  review = { rows: [], at: 0, done: false, looked: false };
  paint();
  poll(review, true);
}
// Adds what networks find, until they have looked at all or the review is left.
async function poll(mine, again) {
  try {
    const { images, done, looked } = await post("review", { again });
    if (review !== mine) return;
    again = false;
    const known = new Set([...mine.rows, ...outbox.all()].map((one) => one.image));
    const fresh = images.filter((one) => !known.has(one.image));
    for (const one of fresh) held.set(one.image, { kind: "label", class: one.class });
    mine.rows.push(...fresh.map((one) => ({ ...one, via: "review" })));
    Object.assign(mine, { done, looked });
    if (blank) paint();
  } catch { /* tried again below */ }
  if (review === mine && !mine.done) setTimeout(() => review === mine && poll(mine, again), 1000);
}

makeFinder({
  classes: () => state.classes,
  seen: () => painted,
  take: (id, one) => decide("label", id, one),
  make: async (name) => {
    try {
      const { id } = await post("classes", { name });
      await refresh();
      notices.set("class", "");
      return id;
    } catch (error) {
      notices.set("class", `The class was not made: ${why(error)}.`);
      return null;
    }
  },
});

// Keys -------------------------------------------------------------------------------------------

function scroll(x, y) { at("stage").scrollBy(80 * x, 80 * y); }
function help() { if (at("help").open) at("help").close(); else at("help").showModal(); }
function leave() {
  if (!at("notice").hidden) { notices.dismiss(); return; }
  at("stage").classList.remove("zoom");
  review = null;
  looking = null;
  paint();
}

const commands = {
  "/": () => at("name").focus(), "?": () => decide("unsure"), Backspace: undo, Escape: leave, h: help,
  " ": () => (review ? look(1) : decide("skip")),
  Enter: () => review && held.get(painted?.image)?.kind === "label" && decide("label", held.get(painted.image).class),
  ArrowLeft: () => (zoomed() ? scroll(-1, 0) : look(-1)), ArrowRight: () => (zoomed() ? scroll(1, 0) : look(1)),
  ArrowUp: () => scroll(0, -1), ArrowDown: () => scroll(0, 1),
  z: () => { if (at("stage").classList.toggle("zoom")) sharpen(); },
  v: startReview, "Shift+x": () => at("csv").click(),
};
// Letters are keys of classes, and Caps Lock changes nothing; with Shift they are none.
function keyOf(event) {
  if (!/^\p{L}$/u.test(event.key)) return event.key;
  return (event.shiftKey ? "Shift+" : "") + event.key.toLowerCase();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const key = keyOf(event);
  if (at("help").open && key !== "h") return;
  if ((key === "Enter" || key === " ") && !event.repeat && event.target.closest("a, button")) return;
  const command = commands[key];
  const known = state.classes.find((c) => c.key === key);
  if (!command && !known) return;
  event.preventDefault();
  if (event.repeat && !key.startsWith("Arrow")) return; // a key that is held is one decision
  if (command) command(); else decide("label", known.id);
});
// What was clicked keeps no focus: a later Enter or space is for the image.
document.addEventListener("click", (event) => { if (event.detail) event.target.closest("a, button")?.blur(); }, true);
at("help-button").addEventListener("click", help);
at("notice").querySelector("button").addEventListener("click", () => notices.dismiss());

addEventListener("beforeunload", (event) => { if (outbox.failed && outbox.all().length) event.preventDefault(); });
addEventListener("pagehide", () => {
  navigator.sendBeacon("/api/release", new Blob([JSON.stringify({ tab })], { type: "application/json" }));
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // its images are others' now

// The clock --------------------------------------------------------------------------------------

pictures.waiting = (reason) => { if (painted === null && current()) show.message(`${reason} Trying again …`); };
outbox.changed = () => {
  show.saved();
  const others = [...outbox.others()].sort().map(([name, n]) => `${n} of ${name}`).join(", ");
  notices.set("others", others && `Not sent from this browser: ${others}. Open their address here to send them.`);
};
outbox.refused = (event, reason) => {
  const one = [...past, ...queue, ...(review?.rows ?? [])].find((known) => known.image === event.image);
  notices.set(event.uuid, `Not written: ${event.kind} of ${one?.path ?? `image ${event.image}`}: ${reason}`);
};

async function refresh() {
  try {
    state = await ask("/api/state");
    const mine = outbox.owner.labeller ?? state.labeller;
    if (mine !== state.labeller) notices.set("who", `What is decided here now are labels of ${state.labeller}, no more of ${mine}.`);
    outbox.owner = { id: state.id, labeller: state.labeller };
    notices.set("state", "");
    show.classes(); show.numbers(); show.caption(current()); curve(state.curve ?? []);
  } catch (error) {
    at("doing").textContent = error.status ? "" : why(error);
    if (error.status) notices.set("state", `${why(error)}.`);
  }
}
let ticking = false;
async function tick() {
  if (ticking) return;
  ticking = true;
  try {
    await refresh();
    await outbox.send();
    if (!queue.length || !painted) await more();
  } finally { ticking = false; }
}
await tick();
paint();
setInterval(tick, 1000);
setInterval(() => more(true), 30000);
