"""Draw the film strip of `skactive label`: `python docs/images/label_film.py` (needs chromium).

A person labels Fashion-MNIST by keyboard in a real browser, by the keys that the page shows, and
the network behind the page trains meanwhile.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from skactive.datasets import load_fashion_mnist
from skactive.labelling._serve import Server

NAMES = [
    "t-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
]
SIZE, GAP = (1000, 640), 12
PLANTED = 60  # every so many labels one is wrong, so that there is something to review
# In the page: the number of rounds, as the curve has them.
COUNT = """() => { window.rounds = 0; setInterval(async () => {
    window.rounds = (await (await fetch("/api/state")).json()).curve.length;
}, 500); }"""


def write(folder: Path, n: int) -> list[int]:
    """Write n images as files of 112 pixels; return their classes."""
    data = load_fashion_mnist()
    for i in range(n):
        image = Image.fromarray(data.X_train[i].squeeze())
        image.resize((112, 112), Image.Resampling.BICUBIC).save(folder / f"{i:04}.png")
    return data.y_train[:n].tolist()


def label(page: Page, y: list[int], n: int, wrong: bool = False) -> None:
    """Answer for n images; by name, if there is no key for a class yet."""
    for k in range(n):
        page.wait_for_function("document.body.dataset.painted !== window.last")
        page.evaluate("window.last = document.body.dataset.painted")
        true = y[int(Path(page.inner_text("#path")).stem)]
        name = NAMES[(true + 1) % 10 if wrong and k % PLANTED == PLANTED - 1 else true]
        key = page.evaluate(
            "name => [...document.querySelectorAll('#classes button')]"
            ".find(b => b.querySelector('.name').textContent === name)"
            "?.querySelector('kbd')?.textContent",
            name,
        )
        if key:
            page.keyboard.press(key)
        else:
            page.keyboard.press("/")
            page.keyboard.type(name)
            page.keyboard.press("Enter")
        page.wait_for_timeout(60)


def shot(page: Page) -> Image.Image:
    """Return what can be seen once the next image is there."""
    page.wait_for_function("document.body.dataset.painted !== window.last")
    page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(page.screenshot()))


def main(out: Path) -> None:
    """Label for a few minutes, and write the strip."""
    browser_path = shutil.which("chromium") or sys.exit("chromium is needed")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as tool:
        folder = Path(place) / "clothes"
        folder.mkdir()
        y = write(folder, 1200)
        server = Server(folder, ["you"], n_test=100)
        server.start()
        browser = tool.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        context = browser.new_context(
            bypass_csp=True, viewport=dict(zip(("width", "height"), SIZE, strict=True))
        )
        context.set_default_timeout(600_000)
        page = context.new_page()
        page.goto(server.addresses[0].url)
        page.wait_for_function("document.body.dataset.painted")
        page.evaluate(COUNT)
        frames = [shot(page)]
        label(page, y, 60)
        frames.append(shot(page))
        for n_points in (1, 2, 3, 4):
            label(page, y, 60, wrong=True)
            page.wait_for_function("n => window.rounds >= n", arg=n_points)
        frames.append(shot(page))
        page.keyboard.press("v")
        page.wait_for_function("document.getElementById('guess').textContent.includes('confirms')")
        frames.append(shot(page))
        context.close()
        browser.close()
        server.stop()
    strip = Image.new("RGB", (2 * SIZE[0] + GAP, 2 * SIZE[1] + GAP), "white")
    for k, frame in enumerate(frames):
        strip.paste(frame, (k % 2 * (SIZE[0] + GAP), k // 2 * (SIZE[1] + GAP)))
    strip.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(__file__).with_name("label_film.png"))
