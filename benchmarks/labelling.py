"""`skactive label`: what a person waits for, what it holds, and how many wrong labels it finds."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from benchmarks._report import row, seconds
from skactive.datasets import load_fashion_mnist
from skactive.labelling import LabelSession

_CLASSES = [f"class {c}" for c in range(10)]
_TAB = "tab-of-a-benchmark"
# Where a browser is found; without one the row of painted images is left out.
_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
# In the page: milliseconds from a key to the next image that can be seen.
_WATCH = """() => {
    window.waits = [];
    let pressed = null;
    document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
    new MutationObserver(() => {
        if (pressed !== null) { window.waits.push(performance.now() - pressed); pressed = null; }
    }).observe(document.body, { attributes: true, attributeFilter: ["data-painted"] });
}"""


class _Client:
    """Asks as a tab of a browser would."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._headers = {"content-type": "application/json", "origin": f"http://{self._host}"}
        _, headers, _ = self.ask("GET", f"/?{parts.query}")
        self._headers["cookie"] = headers["set-cookie"].partition(";")[0]

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=120)
        connection.request(method, path, body, self._headers)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def post(self, name: str, **values: Any) -> Any:
        status, _, body = self.ask("POST", f"/api/{name}", json.dumps({"tab": _TAB, **values}))
        if status != 200:
            raise RuntimeError(body.decode())
        return json.loads(body)

    def state(self) -> Any:
        return json.loads(self.ask("GET", "/api/state")[2])


@contextlib.contextmanager
def _labelling(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `skactive label` on a folder; give the process and the address that it prints."""
    command = [sys.executable, "-m", "skactive", "label", str(folder), "--no-browser", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield process, line.split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        process.stdout.close()


def _memory(pid: int, key: str) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{key}:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1024


def _write(folder: Path, images: np.ndarray, copies: int = 1) -> None:
    """Write images as PNG files, 1,000 to a folder; further copies are hard links to them."""
    for i in range(len(images) * copies):
        path = folder / f"{i // 1000:03}" / f"{i:06}.png"
        path.parent.mkdir(exist_ok=True)
        first, k = i < len(images), i % len(images)
        if first:
            Image.fromarray(images[k]).save(path)
        else:
            os.link(folder / f"{k // 1000:03}" / f"{k:06}.png", path)


def _press(client: _Client, truth: np.ndarray, classes: dict[str, int], n: int) -> list[float]:
    """Label n images as they are asked for; return the seconds until each label is on disk."""
    waits: list[float] = []
    while len(waits) < n:
        for one in client.post("next", n=10, have=[])["images"][: n - len(waits)]:
            name = _CLASSES[truth[int(Path(one["path"]).stem) % len(truth)]]
            event = {
                "uuid": str(uuid.uuid4()),
                "image": one["image"],
                "kind": "label",
                "class": classes[name],
                "via": one["via"],
            }
            start = time.perf_counter()
            written = client.post("events", events=[event])["written"]
            waits.append(time.perf_counter() - start)
            assert written == [event["uuid"]]
            time.sleep(0.05)
    return waits


def _percentiles(what: str, waits: list[float], targets: tuple[float, float], quick: bool) -> Any:
    for q, target in zip((50, 95), targets, strict=True):
        value = float(np.percentile(waits, q)) * 1000
        aim = None if quick else target
        yield row(f"{what}, p{q} of {len(waits)}", "ms", value, aim, "lower")


def _while_training(folder: Path, y: np.ndarray, quick: bool) -> Iterator[dict[str, Any]]:
    """Measure waits for the disk and for the next image, with the worker at work."""
    n = 10 if quick else 300
    with _labelling(folder, "--classes", ",".join(_CLASSES)) as (_, url):
        client = _Client(url)
        while not client.post("next", n=1, have=[])["images"]:
            time.sleep(0.02)
        classes = {c["name"]: c["id"] for c in client.state()["classes"]}
        waits = _press(client, y, classes, n)
        yield from _percentiles("press → on disk, while a network trains", waits, (25, 75), quick)
        if _BROWSER is not None:
            painted = _painted(url, 5 if quick else 100)
            what = "press → next image painted, while a network trains"
            yield from _percentiles(what, painted, (20, 100), quick)


def _painted(url: str, n: int) -> list[float]:
    """Press keys in a browser; return the seconds until each next image can be seen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=_BROWSER, args=["--no-sandbox"])
        page = browser.new_context(bypass_csp=True).new_page()
        page.goto(url)
        page.wait_for_function("document.body.dataset.painted")
        page.evaluate(_WATCH)
        for i in range(n):
            page.keyboard.press("1")
            page.wait_for_function(f"window.waits.length === {i + 1}")
            time.sleep(0.2)  # a person looks
        waits = page.evaluate("window.waits")
        browser.close()
    return [wait / 1000 for wait in waits]


def _large(folder: Path, n: int, quick: bool) -> Iterator[dict[str, Any]]:
    """Open a folder of many files twice: for the first time, and the day after."""
    for turn in ("first time", "again"):
        yield from _opened(folder, f"{n:,} files, {turn}", quick)
    size = (folder / ".skactive" / "labels.sqlite").stat().st_size / 1e6
    yield row(f"database, {n:,} files", "MB", size, None if quick else 20, "lower")


def _opened(folder: Path, what: str, quick: bool) -> Iterator[dict[str, Any]]:
    start = time.perf_counter()
    with _labelling(folder, "--no-training") as (process, url):
        client = _Client(url)
        images: list[dict[str, Any]] = []
        while not images:
            images = client.post("next", n=1, have=[])["images"]
            time.sleep(0 if images else 0.02)  # a page asks once a second
        assert client.ask("GET", f"/image/{images[0]['image']}")[0] == 200
        first = time.perf_counter() - start
        yield row(f"command → first image, {what}", "s", first, None if quick else 3, "lower")
        while client.state()["doing"][0] != "no training":
            time.sleep(0.02)
        time.sleep(1 if quick else 20)  # it reads the files once, in the background
        took = [1000 * seconds(client.state) for _ in range(20)]
        yield row(f"state of the page, {what}", "ms", took, None, "lower")
        for name, key in {"at rest": "VmRSS", "at its peak": "VmHWM"}.items():
            aim = None if quick else 100
            found = _memory(process.pid, key)
            yield row(f"server {name}, {what}", "MB", found, aim, "lower")


def _round(folder: Path, y: np.ndarray, quick: bool) -> Iterator[dict[str, Any]]:
    """Time a round whose images have all been read."""
    n = 60 if quick else 200
    with LabelSession(folder, classes=_CLASSES, random_state=0) as session:
        for path in session.next(n):
            session.label(path, _CLASSES[y[int(path.stem) % len(y)]])
        learner = session._learner()
        found = learner.fill([i for (i,) in session.database.read("SELECT id FROM image")])
        start = time.perf_counter()
        session.run_round()
        what = f"a round at {n} labels, {len(found):,} images in the cache"
        yield row(what, "s", time.perf_counter() - start, None if quick else 30, "lower")


def _review(folder: Path, y: np.ndarray, seeds: int) -> dict[str, Any]:
    """Plant 5 % of wrong labels; count how many of them are among the first 20 that are asked."""
    shares = []
    for seed in range(seeds):
        shutil.rmtree(folder / ".skactive", ignore_errors=True)
        draw = np.random.default_rng(seed)
        with LabelSession(
            folder, classes=_CLASSES, n_test=0, size=28, random_state=seed
        ) as session:
            paths = sorted(path.name for path in (folder / "000").iterdir())
            chosen = draw.permutation(paths)[:400]
            wrong = set(draw.permutation(chosen)[:20].tolist())
            for name in chosen.tolist():
                true = int(y[int(Path(name).stem)])
                given = (true + int(draw.integers(1, 10))) % 10 if name in wrong else true
                session.label(f"000/{name}", _CLASSES[given])
            first = {Path(path).name for path in session.suspicious(20)["path"]}
            shares.append(float(len(first & wrong)))
    note = (
        f"mean {np.mean(shares):.1f}, least {min(shares):.0f}, most {max(shares):.0f}; at random 1"
    )
    what = f"review: of 20 wrong among 400 labels, found by the first 20 asked, {seeds} seeds"
    return row(what, "labels", shares, None, "higher", note)


def measure(quick: bool) -> list[dict[str, Any]]:
    data = load_fashion_mnist()
    n, copies = (100, 2) if quick else (3000, 1)
    X, y = data.X_train[:n].squeeze(), data.y_train[:n]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def photos(name: str, images: np.ndarray, copies: int) -> Path:
            made = folder / name
            made.mkdir()
            _write(made, images, copies)
            return made

        rows += _while_training(photos("training", X, 1), y, quick)
        many = 1 if quick else 100
        rows += _large(
            photos("large", X[:1000], copies * many), len(X[:1000]) * copies * many, quick
        )
        rows += _round(photos("round", X[:2000], 1 if quick else 10), y[:2000], quick)
        rows.append(_review(photos("review", X[:1000], 1), y, 1 if quick else 20))
    return rows
