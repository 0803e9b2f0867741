"""What the garbage collector looks through."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from streamproc.runtime.garbage import settle


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
    settle()
    assert not any(one is stays for one in gc.get_objects())
    assert gc.get_freeze_count() > 1000


def test_garbage_of_before_is_collected_first_and_that_of_afterwards_as_ever() -> None:
    before = weakref.ref(Knot())
    settle()
    assert before() is None
    after = weakref.ref(Knot())
    gc.collect()
    assert after() is None


def test_what_was_there_goes_with_its_last_reference() -> None:
    loaded = type("Loaded", (), {})()
    gone = weakref.ref(loaded)
    settle()
    del loaded
    assert gone() is None
