// What goes to the server. A decision is in the outbox, which the browser keeps on disk, before the
// next image is shown, and leaves it when the server says that it has written it.

export function random() {
  if (crypto.randomUUID) return crypto.randomUUID(); // not there at an address of a network
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

// Of this load alone: what the browser keeps of a tab is copied where the tab is duplicated.
export const tab = random();

export async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw Object.assign(new Error(await sentence(answer)), { status: answer.status });
  return answer.json();
}
export function post(path, values = {}) {
  return ask(`/api/${path}`, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ tab, ...values }),
  });
}
// What the server says of a request that it does not grant.
export async function sentence(answer) {
  const text = await answer.text();
  try { return JSON.parse(text).error ?? text; } catch { return text || `error ${answer.status}`; }
}
export function why(error) {
  return error.status ? error.message.replace(/\.$/, "") : "the server does not answer";
}

export const outbox = {
  owner: {}, // the id of the folder, and the labeller
  failed: "", // why nothing could be sent
  changed() {},
  refused(event, reason) {},

  // An entry per event, so that tabs do not overwrite each other's; in the order of their keys.
  prefix() { return `skactive ${this.owner.id} ${encodeURIComponent(this.owner.labeller)} `; },
  keys() { return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix())).sort(); },
  all() { return this.keys().map((key) => JSON.parse(localStorage[key])); },
  n: 0,
  add(event) {
    const order = `${Date.now()}`.padStart(15, "0") + `${this.n++}`.padStart(9, "0");
    localStorage[`${this.prefix()}${order} ${event.uuid}`] = JSON.stringify(event);
    this.changed();
    return this.send();
  },
  // How many unsent events of others who label this folder in this browser there are, by name.
  others() {
    const found = new Map();
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(`skactive ${this.owner.id} `) || key.startsWith(this.prefix())) continue;
      const name = decodeURIComponent(key.split(" ")[2]);
      found.set(name, (found.get(name) ?? 0) + 1);
    }
    return found;
  },
  sending: null,
  send() { return this.sending ??= this.run(); },
  async run() {
    await null; // so that `sending` is set before it is cleared
    try {
      for (let events = this.all().slice(0, 200); events.length; events = this.all().slice(0, 200)) {
        const { written, refused } = await post("events", { events });
        const gone = new Set([...written, ...Object.keys(refused)]);
        for (const key of this.keys()) if (gone.has(key.split(" ").at(-1))) delete localStorage[key];
        for (const event of events) if (event.uuid in refused) this.refused(event, refused[event.uuid]);
      }
      this.failed = "";
    } catch (error) { this.failed = why(error); }
    this.sending = null;
    this.changed();
  },
};
