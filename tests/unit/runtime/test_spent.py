"""Processor time by part."""

from __future__ import annotations

from streamproc.runtime.spent import Spent


def test_a_part_inside_another_counts_by_itself_alone() -> None:
    now = 0.0
    spent = Spent(lambda: now)
    now = 5.0
    with spent.on("decoding"):
        now += 1.0
        with spent.on("measuring"):
            now += 2.0
            with spent.on("detector"):
                now += 4.0
            now += 8.0
        with spent.on(None):
            now += 16.0
        now += 32.0
        assert spent.so_far() == {"decoding": 33.0, "measuring": 10.0, "detector": 4.0}
    now += 64.0
    assert spent.so_far() == {"decoding": 33.0, "measuring": 10.0, "detector": 4.0}


def test_what_raises_is_settled_too() -> None:
    now = 0.0
    spent = Spent(lambda: now)
    try:
        with spent.on("decoding"), spent.on("detector"):
            now += 1.0
            raise KeyError
    except KeyError:
        now += 2.0
    assert spent.so_far() == {"decoding": 0.0, "detector": 1.0}
