"""Takes the pictures of `docs/labelling.md`: `python -m tests.labelling.film` (needs chromium).

Somebody labels Fashion-MNIST by keyboard in a real browser, with the keys that the page shows,
while the network behind it trains.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from skactive.datasets import load_fashion_mnist
from skactive.labelling import LabelSession
from tests.labelling.browser import CHROMIUM, opened, painted, serving

OUT = Path(__file__).parents[2] / "docs" / "images"
N_IMAGES, SIDE, N_TEST, WIDTH, HEIGHT = 1200, 448, 90, 1280, 720
# A round is waited for after so many labels; one of so many labels for training is wrong.
PER_ROUND, N_ROUNDS, WRONG_ONE_IN = 45, 5, 30
POINTS = "fetch('/api/state').then(answer => answer.json()).then(state => state.curve.length)"


def write(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Write the images, large enough to look at; return the class of each, and all classes."""
    data = load_fashion_mnist()
    folder.mkdir()
    truth = {}
    for i in range(N_IMAGES):
        image = Image.fromarray(data.X_train[i].squeeze())
        image.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{i:04}.png")
        truth[f"{i:04}.png"] = data.target_names[data.y_train[i]]
    return truth, list(data.target_names)


def label(page: Page, truth: dict[str, str], names: list[str], n: int, wrong: bool = False) -> None:
    """Answer for n images by keyboard; if `wrong`, a few times with another class."""
    keys = {}
    for button in page.locator("#classes button").all():
        keys[button.locator(".name").inner_text()] = button.locator("kbd").inner_text()
    for k in range(n):
        image = painted(page)
        name = truth[page.inner_text("#path")]
        if wrong and k % WRONG_ONE_IN == 0 and "measuring" not in page.inner_text("#guess"):
            name = names[names.index(name) - 1]
        page.keyboard.press(keys[name])
        painted(page, image)


def wait_for_rounds(page: Page, n: int) -> None:
    """Wait until the learning curve has n points."""
    while page.evaluate(POINTS) < n:
        page.wait_for_timeout(500)


def frames(page: Page, truth: dict[str, str], names: list[str]) -> Iterator[str]:
    """Label, and stop at each picture that is to be taken, with its name."""
    yield "start"
    label(page, truth, names, PER_ROUND)
    wait_for_rounds(page, 1)
    while not re.match(r"network: .* \([3-9]\d%\)", page.inner_text("#guess")):
        label(page, truth, names, 1)
        page.wait_for_timeout(300)
    yield "asked"
    for n in range(2, N_ROUNDS + 1):
        label(page, truth, names, PER_ROUND, wrong=True)
        wait_for_rounds(page, n)
    yield "curve"
    page.keyboard.press("v")
    page.wait_for_function("document.getElementById('guess').textContent.includes('Enter')")
    painted(page)
    yield "review"


def main() -> None:
    """Label for a few minutes, and write the pictures."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as tool:
        folder = Path(place) / "clothes"
        truth, names = write(folder)
        LabelSession(folder, names, size=28, n_test=N_TEST, random_state=0).close()
        server = serving(folder, ["you"], train=True, n_test=N_TEST)
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            bypass_csp=True, viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
        )
        context.set_default_timeout(0)  # networks may take long
        page = opened(context, server)
        for name in frames(page, truth, names):
            page.wait_for_timeout(1500)  # what the page shows is a second old
            image = Image.open(io.BytesIO(page.screenshot()))
            image.save(OUT / f"label_{name}.webp", quality=80, method=6)
            print(name, flush=True)
        browser.close()
        server.stop()


if __name__ == "__main__":
    main()
