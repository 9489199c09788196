// Images, fetched and decoded before they are needed.

import { sentence } from "./outbox.js";

const known = new Map(); // image -> promise of {img, ready}, {broken} or {away}
const TRIES = 3;

export const pictures = { waiting(reason) {} };

export function picture(image) {
  if (!known.has(image)) known.set(image, load(image));
  return known.get(image);
}

// Only the server may call an image broken (415, 404). One that it cannot read now is away after a
// few tries; while the server itself is away, or this tab has no key, we try for ever.
async function load(image) {
  let refusals = 0;
  for (let pause = 200; ; pause = Math.min(2 * pause, 3000)) {
    let reason = "The server does not answer.";
    try {
      const answer = await fetch(`/image/${image}`);
      if (answer.status === 415 || answer.status === 404) return { broken: true };
      if (answer.ok) return prepared(await answer.blob());
      reason = await sentence(answer);
      if (answer.status !== 401 && ++refusals === TRIES) return { away: reason };
    } catch { /* the server is away */ }
    pictures.waiting(reason);
    await new Promise((done) => setTimeout(done, pause));
  }
}

function prepared(blob) {
  const img = new Image();
  img.decoding = "sync"; // no frame has the element without its pixels
  img.src = URL.createObjectURL(blob);
  const found = { img, ready: false };
  img.decode().then(() => { found.ready = true; }, () => {}); // that it fails now says nothing
  return found;
}

export async function forget(image) {
  const found = known.get(image);
  known.delete(image);
  const { img } = await found ?? {};
  if (img) URL.revokeObjectURL(img.src);
}

// The image as large as it is, or null.
export async function full(image) {
  try {
    const answer = await fetch(`/image/${image}?full=1`);
    if (!answer.ok) return null;
    const { img } = prepared(await answer.blob());
    await img.decode();
    URL.revokeObjectURL(img.src);
    return img;
  } catch { return null; }
}
