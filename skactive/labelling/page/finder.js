// Classes by name: typing ahead, and new ones. Nothing is decided that the line below does not say.

const at = (id) => document.getElementById(id);

function plain(text) { return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase(); }
function words(text) { return ` ${plain(text).replace(/[^\p{L}\p{N}]+/gu, " ").trim()}`; }

// The classes that have a text in their name: that very name first, then those that begin with it.
function matching(classes, text) {
  if (!text) return [];
  const rank = (c) => {
    if (c.name === text) return -2;
    if (plain(c.name) === plain(text)) return -1;
    const place = plain(c.name).indexOf(plain(text));
    return place < 0 ? Infinity : place;
  };
  return classes.filter((c) => rank(c) < Infinity).sort((a, b) => rank(a) - rank(b)).slice(0, 12);
}

// The class that Enter takes where none is chosen: the one of this name, or the only one that the
// text can mean. "car" is no short form of "scar".
function meant(rows, text) {
  const exact = rows.find((c) => c.name === text);
  if (exact) return exact;
  const same = rows.filter((c) => plain(c.name) === plain(text));
  if (same.length) return same.length === 1 ? same[0] : null;
  return rows.length === 1 && words(rows[0].name).includes(words(text)) ? rows[0] : null;
}

// `classes` gives all, `seen` the image that can be seen; `take(id, image)` decides, and
// `make(name)` gives the id of a class, once it is there, or null.
export function makeFinder({ classes, seen, take, make }) {
  const input = at("name"), list = at("found");
  let rows = [], chosen = -1, making = false;

  const text = () => input.value.trim().normalize("NFC");
  const taken = () => rows[chosen] ?? meant(rows, text());

  function fill() {
    rows = matching(classes(), text());
    chosen = -1;
    list.replaceChildren(...rows.map((c, k) => {
      const row = document.createElement("li");
      row.id = `found-${k}`;
      row.setAttribute("role", "option");
      row.textContent = c.name;
      row.addEventListener("click", () => { const one = seen(); leave(); take(c.id, one); });
      return row;
    }));
    mark();
  }
  function mark() {
    const one = taken(), name = text();
    [...list.children].forEach((row, k) => row.setAttribute("aria-selected", String(rows[k] === one)));
    input.setAttribute("aria-expanded", String(rows.length > 0));
    if (one) input.setAttribute("aria-activedescendant", `found-${rows.indexOf(one)}`);
    else input.removeAttribute("aria-activedescendant");
    const enter = one ? `Enter: ${one.name}` : rows.length ? "↑ ↓ choose" : "";
    const fresh = rows.some((c) => c.name === name) ? "" : `${rows.length ? "Shift+Enter" : "Enter"}: new class “${name}”`;
    at("enter").textContent = name ? [enter, fresh].filter(Boolean).join("; ") : "";
  }
  function move(step) {
    if (!rows.length) return;
    const from = chosen < 0 && step < 0 ? 0 : chosen;
    chosen = (from + step + rows.length) % rows.length;
    list.children[chosen].scrollIntoView({ block: "nearest" });
    mark();
  }
  function leave() { input.value = ""; fill(); input.blur(); }

  async function enter(anew) {
    const one = seen(), name = text();
    if (!one || !name || making) return;
    const known = anew ? rows.find((c) => c.name === name) : taken();
    if (known) { leave(); take(known.id, one); return; }
    if (rows.length && !anew) return; // the line says how to choose
    making = true;
    const id = await make(name);
    making = false;
    if (id === null || text() !== name) return; // it was left meanwhile
    leave();
    take(id, one);
  }

  input.addEventListener("input", fill);
  at("finder").addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return; // 229: Safari, where Enter ends a composition
    if (event.key === "Escape") leave();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    if (step) move(step);
    else if (!event.repeat) enter(event.shiftKey);
  });
}
