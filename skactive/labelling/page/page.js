// The page for labelling. Nothing is lost: a decision is in the outbox, which the browser keeps on
// disk, before the next image is shown, and leaves it when the server says that it has written it.

const at = (id) => document.getElementById(id);
const AHEAD = 12; // images that are asked for and fetched before they are needed
const tab = sessionStorage.tab ||= crypto.randomUUID?.() ?? random();

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

let state = { classes: [] };
let queue = []; // images that are asked for, the first of which is shown
let past = []; // {asked, event}: what was decided here
let looking = null; // a position in `past`, or null
let review = null; // {rows} while labels are reviewed
let painted = null; // the image that can be seen; a press counts only for it
let paintedAt = 0;
let asking = false;
let ended = false;
const pictures = new Map(); // image -> promise of {url, small} or {broken}

// Talking to the server --------------------------------------------------------------------------

async function post(path, values) {
  const answer = await fetch(`/api/${path}`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ tab, ...values }),
  });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? answer.status);
  return answer.json();
}

const outbox = {
  // An entry per event, so that tabs do not overwrite each other's; in the order of their keys.
  prefix() { return `skactive ${state.id} ${state.labeller} `; },
  keys() { return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix())).sort(); },
  all() { return this.keys().map((key) => JSON.parse(localStorage[key])); },
  n: 0,
  add(event) {
    const order = `${Date.now()}`.padStart(15, "0") + `${this.n++}`.padStart(9, "0");
    localStorage[`${this.prefix()}${order} ${event.uuid}`] = JSON.stringify(event);
    show.saved();
    this.send();
  },
  busy: false,
  async send() {
    if (this.busy) return;
    this.busy = true;
    try {
      for (let events = this.all().slice(0, 200); events.length; events = this.all().slice(0, 200)) {
        const { written, refused } = await post("events", { events });
        for (const reason of Object.values(refused)) console.warn(reason);
        const gone = new Set([...written, ...Object.keys(refused)]);
        for (const key of this.keys()) if (gone.has(key.split(" ").at(-1))) delete localStorage[key];
        if (Object.keys(refused).length) show.message(`Not written: ${Object.values(refused)[0]}`);
      }
      this.failed = false;
    } catch { this.failed = true; }
    this.busy = false;
    show.saved();
  },
};

// Fetches an image. Only the server may call one broken (415, 404); else we try again.
function picture(image) {
  if (!pictures.has(image)) pictures.set(image, load(image));
  return pictures.get(image);
}
async function load(image) {
  for (let pause = 200; ; pause = Math.min(2 * pause, 3000)) {
    try {
      const answer = await fetch(`/image/${image}`);
      if (answer.status === 415 || answer.status === 404) return { broken: true };
      if (answer.ok) return { url: URL.createObjectURL(await answer.blob()) };
    } catch { /* the server is away */ }
    if (painted === null) show.message("The server does not answer. Trying again …");
    await new Promise((done) => setTimeout(done, pause));
  }
}
async function forget(image) {
  const known = pictures.get(image);
  pictures.delete(image);
  if (known) URL.revokeObjectURL((await known).url);
}

async function more() {
  if (asking || queue.length >= AHEAD) return;
  asking = true;
  try {
    const undecided = new Set(outbox.all().map((event) => event.image));
    const have = [...new Set([...queue.map((one) => one.image), ...undecided])].slice(0, 900);
    const { images } = await post("next", { n: AHEAD, have });
    const known = new Set(queue.map((one) => one.image));
    const fresh = images.filter((one) => !known.has(one.image) && !undecided.has(one.image));
    queue.push(...fresh);
    ended = !queue.length;
    for (const one of fresh) picture(one.image);
  } catch { /* tried again by the clock */ }
  asking = false;
  if (painted === null) paint();
}

// Showing ----------------------------------------------------------------------------------------

function current() {
  if (review) return review.rows[0] ?? null;
  return looking === null ? queue[0] ?? null : past[looking].asked;
}

function nothing() {
  const some = Object.values(state.images).some((n) => n);
  return some ? "Nothing is left to label. X exports." : `No image was found in ${state.folder}. Put some there, in folders too, and start again.`;
}

let turn = 0;
async function paint() {
  const mine = ++turn, one = current();
  painted = null;
  at("picture").classList.add("hidden");
  show.caption(one);
  if (!one) {
    if (review) show.message(review.done ? "No label looks wrong. Esc goes back." : "Networks are looking for labels that may be wrong …");
    else show.message(ended ? (state.doing?.[0] === "looking for images" ? "Looking for images …" : nothing()) : "Loading …");
    return;
  }
  const found = await picture(one.image);
  if (mine !== turn) return;
  if (found.broken) { drop(one); return; }
  const img = at("picture");
  img.src = found.url;
  try { await img.decode(); } catch {
    // That this browser cannot show it now says nothing about the file.
    if (mine !== turn) return;
    show.message("This image cannot be shown. Trying again …");
    await forget(one.image);
    setTimeout(() => mine === turn && paint(), 1000);
    return;
  }
  if (mine !== turn) return;
  img.classList.toggle("small", Math.max(img.naturalWidth, img.naturalHeight) <= 128);
  img.classList.remove("hidden");
  show.message("");
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (mine === turn) { painted = one; paintedAt = performance.now(); document.body.dataset.painted = one.image; }
  }));
}
function drop(one) {
  if (review) review.rows.shift();
  else if (looking !== null) looking = null;
  else queue.shift();
  forget(one.image);
  more();
  paint();
}

const show = {
  message(text) { at("message").textContent = text; },
  saved() {
    const n = outbox.all().length;
    at("saved").textContent = n && outbox.failed ? `${n} not saved yet: the server does not answer` : n ? "saving …" : "saved";
    at("saved").classList.toggle("waiting", n > 0 && !!outbox.failed);
  },
  caption(one) {
    at("path").textContent = one?.path ?? "";
    const name = (id) => state.classes.find((c) => c.id === id)?.name ?? "?";
    let text = "";
    if (review && one) text = `is ${name(one.class)}; networks that have not seen it say ${one.proposed ? name(one.proposed) : "nothing: the file has changed"}. Enter confirms.`;
    else if (one?.guess) text = `network: ${name(one.guess[0])} (${Math.round(100 * one.guess[1])}%)`;
    else if (one?.via === "test") text = "for measuring";
    at("guess").textContent = text;
    const held = review ? one?.class : looking !== null ? past[looking].event.class : null;
    for (const button of at("classes").querySelectorAll("button")) button.classList.toggle("chosen", Number(button.dataset.id) === held);
  },
  classes() {
    const list = at("classes");
    const text = JSON.stringify(state.classes);
    if (list.dataset.shown === text) return;
    list.dataset.shown = text;
    list.replaceChildren(...state.classes.map((c) => {
      const row = document.createElement("li");
      row.append(button(c));
      return row;
    }));
  },
  numbers() {
    const decided = state.decisions ?? {}, images = state.images ?? {};
    const total = Object.values(images).reduce((a, b) => a + b, 0);
    at("folder").textContent = state.folder ?? "";
    document.title = `${state.folder} – skactive label`;
    at("count").textContent = `${decided.label ?? 0} of ${total} labelled` + (decided.skip ? `, ${decided.skip} skipped` : "") + (decided.unsure ? `, ${decided.unsure} unsure` : "") + (images.unreadable ? `, ${images.unreadable} unreadable` : "") + (images.missing ? `, ${images.missing} missing` : "");
    const [what, done, todo] = state.doing ?? ["", 0, 0];
    at("doing").textContent = (what + (todo ? ` ${done} of ${todo}` : "")) + (state.error && state.error !== "stopped" ? ` – last round failed: ${state.error}` : "");
    at("accuracy").textContent = state.accuracy?.text ?? "";
    at("hint").textContent = state.hint ? `Enough? ${state.hint}` : "";
    curve(state.curve ?? []);
  },
};

function button(c) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.id = c.id;
  made.tabIndex = -1;
  if (c.key) { const key = document.createElement("kbd"); key.textContent = c.key; made.append(key); }
  const name = document.createElement("span"), n = document.createElement("span");
  name.className = "name"; name.textContent = c.name;
  n.className = "n"; n.textContent = c.n ?? "";
  made.append(name, n);
  made.addEventListener("click", () => decide("label", c.id));
  return made;
}

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

function decide(kind, id = null) {
  const one = painted;
  if (!one || one !== current()) return; // what cannot be seen cannot be decided
  const event = {
    uuid: random(), image: one.image, kind, class: id, via: review ? "review" : one.via,
    shown_class: one.guess?.[0] ?? one.proposed ?? null, shown_p: one.guess?.[1] ?? one.p ?? null,
    round: one.round ?? null, ms: Math.round(performance.now() - paintedAt),
  };
  painted = null;
  outbox.add(event);
  if (review) review.rows.shift();
  else if (looking !== null) { past[looking] = { asked: one, event }; looking = looking + 1 < past.length ? looking + 1 : null; }
  else {
    queue.shift();
    past.push({ asked: one, event });
    if (past.length > 300) past.shift();
    if (past.length > 20) forget(past[past.length - 21].asked.image);
  }
  count(event, 1);
  more();
  paint();
}
function count(event, by) {
  const decided = state.decisions ??= {};
  decided[event.kind] = (decided[event.kind] ?? 0) + by;
  show.numbers();
}
function undo() {
  const last = past.pop();
  if (!last) return;
  looking = null;
  outbox.add({ uuid: random(), image: last.asked.image, kind: "undo", undoes: last.event.uuid, via: last.asked.via });
  count(last.event, -1);
  queue.unshift(last.asked);
  paint();
}
function look(step) {
  const next = (looking ?? past.length) + step;
  if (next < 0 || next > past.length) return;
  looking = next === past.length ? null : next;
  paint();
}
async function startReview(again = true) {
  try {
    const { images, done } = await post("review", { again });
    review = { rows: images, done };
    paint();
    if (!done) setTimeout(() => review && !review.rows.length && startReview(false), 1000);
  } catch (error) { show.message(String(error)); }
}

// Classes by name --------------------------------------------------------------------------------

function plain(text) { return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase(); }
function matching() {
  const text = plain(at("name").value.trim());
  if (!text) return [];
  const rank = (c) => { const k = plain(c.name).indexOf(text); return plain(c.name) === text ? -1 : k < 0 ? Infinity : k; };
  return state.classes.filter((c) => rank(c) < Infinity).sort((a, b) => rank(a) - rank(b)).slice(0, 12);
}
at("name").addEventListener("input", () => {
  const exact = matching().some((c) => c.name === at("name").value.trim().normalize("NFC"));
  at("found").replaceChildren(...matching().map((c) => { const row = document.createElement("li"); row.append(button({ ...c, n: "" })); return row; }));
  if (!exact && at("name").value.trim()) {
    const row = document.createElement("li");
    row.textContent = `${matching().length ? "Shift+Enter" : "Enter"} makes a new class`;
    at("found").append(row);
  }
});
at("finder").addEventListener("submit", (event) => event.preventDefault());
at("name").addEventListener("keydown", async (event) => {
  event.stopPropagation();
  if (event.key === "Escape") leaveFinder();
  if (event.key !== "Enter" || !at("name").value.trim()) return;
  event.preventDefault();
  const [first] = matching();
  if (first && !event.shiftKey) { leaveFinder(); decide("label", first.id); return; }
  try {
    const { id } = await post("classes", { name: at("name").value });
    leaveFinder();
    await refresh();
    decide("label", id);
  } catch (error) { show.message(`Not made: ${error.message}`); }
});
function leaveFinder() { at("name").value = ""; at("found").replaceChildren(); at("name").blur(); }

// Keys -------------------------------------------------------------------------------------------

const commands = {
  "/": () => at("name").focus(), " ": () => decide("skip"), "?": () => decide("unsure"),
  Backspace: undo, ArrowLeft: () => look(-1), ArrowRight: () => look(1),
  z: () => at("stage").classList.toggle("zoom"), v: () => startReview(), X: () => at("csv").click(),
  h: () => (at("help").open ? at("help").close() : at("help").showModal()),
  Enter: () => review && painted && decide("label", painted.class),
  Escape: () => { at("help").close(); at("stage").classList.remove("zoom"); review = null; looking = null; paint(); },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (at("help").open && event.key !== "h") return;
  const command = commands[event.key];
  const known = state.classes.find((c) => c.key === event.key);
  if (!command && !known) return;
  if (event.key === "Enter" && event.target.closest("a, button")) return;
  event.preventDefault();
  if (event.repeat && !event.key.startsWith("Arrow")) return; // a key that is held is one decision
  if (command) command(); else decide("label", known.id);
});
at("help-button").addEventListener("click", () => at("help").showModal());
addEventListener("pagehide", () => {
  navigator.sendBeacon("/api/release", new Blob([JSON.stringify({ tab })], { type: "application/json" }));
});

// The clock --------------------------------------------------------------------------------------

async function refresh() {
  try {
    const answer = await fetch("/api/state");
    if (!answer.ok) { show.message(await answer.text()); return; }
    state = await answer.json();
    show.classes(); show.numbers(); show.caption(current());
  } catch { at("doing").textContent = "the server does not answer"; }
}
async function tick() {
  await refresh();
  if (outbox.all().length) await outbox.send();
  if (!queue.length || !painted) await more();
}
await tick();
paint();
setInterval(tick, 1000);
setInterval(() => post("next", { n: 1, have: queue.map((one) => one.image) }).catch(() => {}), 30000);
