"""The server: one process for the page, which starts another one that trains."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from skactive._optional import import_optional
from skactive._phrases import one_line
from skactive.labelling._arguments import checked_folder, user
from skactive.labelling._catalogue import fingerprint, scan
from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError, invalid
from skactive.labelling._keys import keys_of
from skactive.labelling._names import class_id
from skactive.labelling._settings import find_strategy, load_settings
from skactive.labelling._supervisor import Supervisor

_OURS = {"127.0.0.1", "localhost"}


class _StoppedError(Exception):
    """Somebody has ended the server while it was looking for images."""


@dataclass
class Address:
    """Where a labeller finds the page; the address has the key."""

    labeller: str
    url: str

    def open(self) -> None:
        """Open the page in a browser; one in the terminal, which ends first, holds nothing up."""
        threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()


class Server:
    """A page for a folder, at an address that only its labellers know.

    Parameters
    ----------
    folder : Path
        The folder.
    labellers : sequence of str
        Who labels: one here, or several by name, elsewhere.
    host : str
        Where to listen. Another address than 127.0.0.1 is open to the network.
    port : int
        0 is any that is free.
    n_test : int or None
        How many images are kept for measuring.
    train : bool
        Whether to start a worker.
    strategy, estimator : object or None
        What the worker uses.
    """

    def __init__(
        self,
        folder: Path,
        labellers: Sequence[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        n_test: int | None = None,
        train: bool = True,
        strategy: Any = None,
        estimator: Any = None,
    ) -> None:
        uvicorn = import_optional("uvicorn", "label", "The page for labelling")
        import_optional("starlette", "label", "The page for labelling")
        from skactive.labelling._app import Desk, make_app
        from skactive.labelling._guard import Guard

        self.folder = folder
        self.n_test = n_test
        self.scan_: Any = None
        self.database = Database(folder)
        self.supervisor: Supervisor | None = None
        self.desk = Desk(self.database, folder, train, ("looking for images", 0, 0))
        if train:
            worker = Supervisor(folder, strategy, estimator, self._progress)
            self.supervisor = worker
            self.desk.given_up = lambda: worker.given_up
        self._socket = _listen(host, port, folder)
        port = self._socket.getsockname()[1]
        shown = "127.0.0.1" if host in _OURS else _reached_at(host)
        tokens = keys_of(self.database.home, labellers)
        if self.database.get("id") is None:
            self.database.set("id", secrets.token_urlsafe(24))
        self.addresses = [
            Address(name, f"http://{shown}:{port}/?token={token}") for token, name in tokens.items()
        ]
        hosts = {f"{name}:{port}" for name in _OURS | {host.lower(), shown}}
        guard = Guard(make_app(self.desk), hosts, tokens, f"skactive_{port}")
        config = uvicorn.Config(
            guard,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=3,
        )
        self._server = _hanging_up(uvicorn)(config)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Answer from a thread of its own, and return."""
        self._begin()
        self._in_thread(lambda: self._server.run(sockets=[self._socket]))

    def run(self, ready: Callable[[], Any]) -> None:
        """Answer until Ctrl-C."""
        self._begin()
        ready()
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again at its end
            self._server.run(sockets=[self._socket])

    def _begin(self) -> None:
        self._in_thread(self._prepare)
        if self.supervisor is not None:
            self.supervisor.start()

    def _progress(self) -> object:
        """Return what grows as the worker gets on."""
        rounds = self.database.count("SELECT COUNT(*) FROM round WHERE ended IS NOT NULL")
        return rounds, self.database.count("SELECT COUNT(*) FROM image WHERE cached > 0")

    def _in_thread(self, what: Callable[[], Any]) -> None:
        thread = threading.Thread(target=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _prepare(self) -> None:
        """Bring the catalogue up to date, while people label what is known already."""

        def report(done: int, todo: int) -> None:
            self.desk.busy = ("looking for images", done, todo)
            if self._stopping.is_set():
                raise _StoppedError

        try:
            self.scan_ = scan(self.database, self.folder, self.n_test, report)
        except _StoppedError:
            return
        except Exception as error:  # whatever it is, the page has to say it
            self.desk.busy = (f"looking for images has failed: {one_line(error)}", 0, 0)
            raise
        self.desk.busy = None
        while not self._stopping.is_set() and fingerprint(self.database, self.folder):
            pass

    def stop(self) -> None:
        """End the worker and the server; what was labelled is on disk."""
        self._stopping.set()
        self._server.should_exit = True
        self.close()

    def close(self) -> None:
        """Let go of the port and of the file."""
        self._stopping.set()
        if self.supervisor is not None:
            self.supervisor.stop()
        for thread in self._threads:
            thread.join()
        self._socket.close()
        self.database.close()


def _hanging_up(uvicorn: Any) -> Any:
    """Return uvicorn's server, but one that at its end leaves no connection open."""

    class HangingUp(uvicorn.Server):
        async def shutdown(self, sockets: Any = None) -> None:
            await super().shutdown(sockets)
            for connection in list(self.server_state.connections):
                connection.transport.abort()  # whoever has not read all of an answer by now
            await asyncio.sleep(0)  # in which the loop closes them

    return HangingUp


def serve(
    folder: str | PathLike[str],
    *,
    classes: Sequence[str] = (),
    labellers: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    n_test: int | None = None,
    train: bool = True,
    settings: Mapping[str, Any] | None = None,
    ready: Callable[[list[Address]], Any] = print,
) -> None:
    """Open a page for labelling a folder, and return after Ctrl-C: what `skactive label` does.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder of images.
    classes : sequence of str, default=()
        Names of classes; others come on the way.
    labellers : sequence of str, default=()
        Who labels; by default the user. Each gets an address of their own.
    host : str, default="127.0.0.1"
        Where to listen. Another address is open to the network, and needs `labellers`.
    port : int, default=0
        0 is a port of the folder's own.
    n_test : int or None, default=None
        How many images are kept for measuring; see `LabelSession`.
    train : bool, default=True
        Whether a process trains meanwhile.
    settings : mapping or None, default=None
        `strategy`, `network`, `augment` and `size` that are stored from now on.
    ready : callable, default=print
        Called with the addresses, each with a `labeller` and a `url`, when the page can be opened.

    Raises
    ------
    InvalidParameterError
        If a parameter is not what it must be.
    ImportError
        If the extra `label` is not installed.
    """
    place = checked_folder(folder)
    if host not in _OURS and not labellers:
        remedy = "Name each, and each gets an address with a key. Nothing is encrypted on the way."
        must = "the names of those who label, where the page is open to a network"
        raise invalid("labellers", "serve", must, tuple(labellers), remedy)
    server = Server(
        place, list(labellers) or [user()], host=host, port=port, n_test=n_test, train=train
    )
    try:
        _prepare(server.database, classes, dict(settings or {}))
        server.run(lambda: ready(server.addresses))
    finally:
        server.close()


def _prepare(database: Database, classes: Sequence[str], settings: dict[str, Any]) -> None:
    if settings.get("strategy") is not None:
        settings["strategy"] = find_strategy(settings["strategy"])
    load_settings(database, **settings)
    for name in classes:
        try:
            class_id(database, name)
        except RefusedError as error:
            raise invalid("classes", "serve", "names", name, str(error)) from error


def _reached_at(host: str) -> str:
    """Return where others reach this computer: of all its addresses, the one that leads out."""
    if host not in {"0.0.0.0", ""}:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:  # no network
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _listen(host: str, port: int, folder: Path) -> socket.socket:
    """Listen, if no port is given at one that is the folder's own, or else at any."""
    number = hashlib.blake2b(str(folder).encode(), digest_size=4).digest()
    own = 20_000 + int.from_bytes(number, "big") % 20_000
    for candidate in [port] if port else [own, 0]:
        found = socket.socket(socket.AF_INET)
        if sys.platform != "win32":  # where it would let two servers share a port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, candidate))
            found.listen(128)
            return found
        except OSError:
            found.close()
            if candidate in {port, 0}:
                raise
    raise AssertionError("one of them is bound, or has raised")
