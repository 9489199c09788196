"""The process-wide random generators: lent to one thread at a time, for a step, and given back.

Networks, augmentations and initialisers draw from generators that all threads share. To seed what
they draw, a thread puts generators of its own in their place, for one step of a training or one
initialisation; between steps the process-wide ones are as they were. Threads take turns. What
another thread draws within a step cannot be kept apart.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

ALL = ("python", "numpy", "torch")


class _Generator(NamedTuple):
    get: Callable[[], Any]
    set: Callable[[Any], Any]
    seed: Callable[[int], Any]


def _seed_numpy(seed: int) -> None:
    np.random.seed(seed % 2**32)  # noqa: NPY002  (it is this generator that is lent)


_GENERATORS = {
    "python": _Generator(random.getstate, random.setstate, random.seed),
    "numpy": _Generator(np.random.get_state, np.random.set_state, _seed_numpy),
    "torch": _Generator(
        torch.default_generator.get_state,
        torch.default_generator.set_state,
        torch.default_generator.manual_seed,
    ),
}


def _of_cuda(device: torch.device) -> _Generator:
    def seed(seed: int) -> None:
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)

    return _Generator(
        lambda: torch.cuda.get_rng_state(device),
        lambda state: torch.cuda.set_rng_state(state, device),
        seed,
    )


def _named(names: Collection[str], device: torch.device | None) -> dict[str, _Generator]:
    """Return generators by name; torch's is also that of a CUDA device."""
    found = {name: _GENERATORS[name] for name in names}
    if "torch" in names and device is not None and device.type == "cuda":
        found[str(device)] = _of_cuda(device)
    return found


class _Turns:
    """A lock that a thread may take again, and that whoever waits gets before its last owner."""

    def __init__(self) -> None:
        self._door, self._room = threading.Lock(), threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._taken = 0
        self._own = threading.local()

    def take(self, wait: bool = True) -> bool:
        """Take the lock; return whether it was got, which it may not be without waiting."""
        me = threading.get_ident()
        if self._owner == me:
            self._depth += 1
            return True
        if not self._door.acquire(wait):
            return False
        try:
            got = self._room.acquire(wait)
        finally:  # Ctrl-C may come while it waits
            self._door.release()
        if got:
            self._owner, self._depth = me, 1
            self._taken += 1
            self._own.taken = self._taken_here() + 1
        return got

    def leave(self) -> None:
        """Give it back, as often as it was taken."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._room.release()

    def waited_for(self) -> bool:
        """Return whether another thread waits for this one, which has the lock."""
        return self._door.locked()

    def taken_elsewhere(self) -> int | None:
        """Return how often other threads have taken it; None while one has it."""
        if self._owner not in (None, threading.get_ident()):
            return None
        return self._taken - self._taken_here()

    def _taken_here(self) -> int:
        return getattr(self._own, "taken", 0)


_TURNS = _Turns()


class Stream:
    """Generators of one's own, that take the place of the process-wide ones for steps.

    What is drawn in one step goes on in the next.

    Parameters
    ----------
    seed : int
        Seeds all of them.
    device : torch.device or None, default=None
        The device whose generator is used, besides the CPU's.
    """

    def __init__(self, seed: int, device: torch.device | None = None) -> None:
        self._seed, self._device = seed, device
        self._states: dict[str, Any] = {}
        self._outside: dict[str, Any] | None = None  # their states, while they are lent

    @contextmanager
    def step(self, names: Collection[str], hold: bool = False) -> Iterator[None]:
        """Lend process-wide generators for a step.

        Parameters
        ----------
        names : collection of {"python", "numpy", "torch"}
            Those that may be drawn from in it. If there are none, nothing is done.
        hold : bool, default=False
            Whether they may be given back later: when another thread waits for them, at a step
            without `hold`, or by `give_back`.

        Yields
        ------
        None
        """
        if not names:
            yield
            return
        try:
            if self._outside is None:
                self._take(_named(names, self._device))
            yield
        finally:
            if not hold or _TURNS.waited_for():
                self.give_back()

    def _take(self, generators: dict[str, _Generator]) -> None:
        _TURNS.take()
        try:
            self._outside = {name: generator.get() for name, generator in generators.items()}
        except BaseException:
            _TURNS.leave()
            raise
        for name, generator in generators.items():
            if name in self._states:
                generator.set(self._states[name])
            else:
                generator.seed(self._seed)

    def give_back(self) -> None:
        """Put the process-wide generators back, if they are lent. Repeating it does no harm."""
        if self._outside is None:
            return
        for name, generator in _named(ALL, self._device).items():
            if name in self._outside:
                self._states[name] = generator.get()
                generator.set(self._outside[name])
        self._outside = None
        _TURNS.leave()


@contextmanager
def isolated_rng(
    seed: int, device: torch.device | None = None, names: Collection[str] = ALL
) -> Iterator[None]:
    """Seed the process-wide generators for something short, and put them back; threads take turns.

    Parameters
    ----------
    seed : int
        Seeds all of them inside the block.
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.
    names : collection of {"python", "numpy", "torch"}, default=all
        Those that may be drawn from.

    Yields
    ------
    None
    """
    with Stream(seed, device).step(names):
        yield


@contextmanager
def lent_rng(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the process-wide generators for something long, and put them back as they were.

    Other threads may take their turns meanwhile, and put back what is seeded here.

    Parameters
    ----------
    seed : int
        Seeds all of them.
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.

    Yields
    ------
    None
    """
    generators = _named(ALL, device)
    with _turn():
        before = {name: generator.get() for name, generator in generators.items()}
        for generator in generators.values():
            generator.seed(seed)
    try:
        yield
    finally:
        with _turn():
            for name, generator in generators.items():
                generator.set(before[name])


@contextmanager
def put_back(device: torch.device | None = None) -> Iterator[None]:
    """Put the process-wide generators back as they were, without waiting for anybody.

    Where other threads have taken turns meanwhile, their states are not known, and stay.

    Parameters
    ----------
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.

    Yields
    ------
    None
    """
    generators = _named(ALL, device)
    elsewhere = _TURNS.taken_elsewhere()
    before = {name: generator.get() for name, generator in generators.items()}
    try:
        yield
    finally:
        if elsewhere is not None and _TURNS.take(wait=False):
            if _TURNS.taken_elsewhere() == elsewhere:
                for name, generator in generators.items():
                    generator.set(before[name])
            _TURNS.leave()


@contextmanager
def _turn() -> Iterator[None]:
    _TURNS.take()
    try:
        yield
    finally:
        _TURNS.leave()
