"""What the garbage collector looks through."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from streamproc.runtime.garbage import freeze_loaded


class Knot:
    """Refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_not_looked_through_again() -> None:
    stays = Knot()
    freeze_loaded()
    assert not any(one is stays for one in gc.get_objects())
    assert gc.get_freeze_count() > 1000
    gone = weakref.ref(stays)
    del stays
    gc.collect()
    assert gone() is not None  # the price


def test_garbage_of_before_is_collected_first_and_that_of_afterwards_as_ever() -> None:
    before = weakref.ref(Knot())
    freeze_loaded()
    assert before() is None
    assert gc.isenabled()
    after = weakref.ref(Knot())
    gc.collect()
    assert after() is None
