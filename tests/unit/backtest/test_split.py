"""Which normal clips are learned from and which are held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.backtest.benchmark import Benchmark
from streamproc.backtest.split import drawn, holding_out, learning_from
from streamproc.errors import ConfigError


def paths(*names: str) -> tuple[Path, ...]:
    return tuple(Path(f"train/{name}.mp4") for name in names)


ONE = Benchmark(paths("01", "02", "03", "04", "05", "06"), {Path("test/01.mp4"): {0: 1}}, None, None)
TWO = Benchmark(
    paths("a1", "a2", "a3", "a4", "b1", "b2", "b3"),
    {Path("test/a.mp4"): {0: 1}, Path("test/b.mp4"): {0: 1}},
    None,
    "^[ab]",
)


def stems(clips: tuple[Path, ...]) -> list[str]:
    return [clip.stem for clip in clips]


def test_clips_are_named_with_or_without_suffix() -> None:
    found = learning_from(ONE, ["02", "05.mp4"])
    assert (stems(found.normal), stems(found.held_out)) == (["02", "05"], ["01", "03", "04", "06"])
    with pytest.raises(ConfigError, match=r"--learn-from 07 is no normal clip; there are 01, 02, 03"):
        learning_from(ONE, ["02", "07"])


def test_what_is_held_out_is_spread_and_not_learned_from() -> None:
    found = holding_out(ONE, 2)
    assert (stems(found.normal), stems(found.held_out)) == (["01", "03", "04", "06"], ["02", "05"])
    assert holding_out(ONE, 0) == ONE
    found = holding_out(learning_from(ONE, ["02", "05"]), 3)
    assert (stems(found.normal), stems(found.held_out)) == (["02", "05"], ["01", "04", "06"])
    found = holding_out(learning_from(ONE, ["02", "05"]), 0)
    assert (stems(found.normal), found.held_out) == (["02", "05"], ())


def test_no_more_is_held_out_than_there_is() -> None:
    assert len(holding_out(ONE, 5).normal) == 1
    with pytest.raises(ConfigError, match="--held-out 6: of 6 normal clips 5 can be left unlearned"):
        holding_out(ONE, 6)
    assert len(holding_out(learning_from(ONE, ["02"]), 5).held_out) == 5
    with pytest.raises(ConfigError, match="--held-out 6: of 6 normal clips 5 can be left unlearned"):
        holding_out(learning_from(ONE, ["02"]), 6)


def test_draws_are_two_clips_of_each_camera_and_the_same_each_time() -> None:
    first, again = list(drawn(TWO, 6)), list(drawn(TWO, 6))
    assert first == again
    for one in first:
        assert sorted(name[0] for name in stems(one.normal)) == ["a", "a", "b", "b"]
        assert sorted(stems(one.normal) + stems(one.held_out)) == stems(TWO.normal)
    assert len({one.normal for one in first}) > 3
    assert [len(clips) for clips in (holding_out(first[0], 1).normal, holding_out(first[0], 1).held_out)] == [4, 2]
    with pytest.raises(ConfigError, match="a camera has 2 normal clips, 2 are drawn"):
        list(drawn(learning_from(ONE, ["02", "05"]), 1))
