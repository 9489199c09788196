"""The number of threads where several threads fix it at a time."""

import threading

import numpy as np  # noqa: F401  brings the library of linear algebra
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from skactive._threads import fixed_threads


def now():
    """Return torch's number, and those of the libraries of linear algebra, in this thread."""
    return torch.get_num_threads(), {p["num_threads"] for p in threadpool_info()}


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    limits = threadpool_limits(4)
    let_go()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)
    limits.restore_original_limits()
    let_go()


def let_go():
    """Let other threads set the libraries, too: of threadpoolctl 3.8, one may keep them."""
    with threadpool_limits(None):
        pass


class Round(threading.Thread):
    """A thread that goes into a block, and out of it, when told to."""

    def __init__(self, n, fails=False):
        super().__init__(daemon=True)
        self.n, self.fails = n, fails
        self.is_in, self.look, self.looked, self.go_out = (threading.Event() for _ in range(4))
        self.seen, self.after = None, None

    def run(self):
        try:
            with fixed_threads(self.n):
                self.is_in.set()
                self.look.wait(60)
                self.seen = now()
                self.looked.set()
                self.go_out.wait(60)
                if self.fails:
                    raise KeyError
        except KeyError:
            pass
        self.after = now()

    def enter(self):
        self.start()
        assert self.is_in.wait(60)
        return self

    def leave(self):
        self.look.set()
        self.go_out.set()
        self.join(60)

    def sees(self):
        self.look.set()
        assert self.looked.wait(60)
        return self.seen


@pytest.mark.parametrize("first_out", [0, 1])
@pytest.mark.parametrize("fails", [False, True])
def test_who_is_left_keeps_the_number_and_the_last_puts_it_back(first_out, fails):
    rounds = [Round(1, fails).enter(), Round(1).enter()]
    rounds[first_out].leave()
    assert rounds[1 - first_out].sees()[0] == 1
    rounds[1 - first_out].leave()
    assert now() == (4, {4})
    assert all(r.after[0] == 4 for r in rounds)


def test_a_thread_that_started_inside_a_block_ends_with_the_number_from_before():
    outer = Round(1).enter()
    inner = Round(2).enter()  # its first number of threads is that of the outer block
    outer.leave()
    assert inner.sees()[0] == 2
    inner.leave()
    assert inner.after[0] == 4
    assert now() == (4, {4})


def test_nested_blocks_give_back_the_outer_number():
    with fixed_threads(2):
        with fixed_threads(1):
            assert now() == (1, {1})
        assert now() == (2, {2})
        with pytest.raises(KeyError), fixed_threads(3):
            raise KeyError
        assert now() == (2, {2})
    assert now() == (4, {4})


def test_blocks_that_overlap_in_one_thread():
    one, other = fixed_threads(1), fixed_threads(2)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert now() == (2, {2})
    other.__exit__(None, None, None)
    assert now() == (4, {4})
