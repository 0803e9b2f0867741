"""Labels of recordings' pictures, and scores that look at the past alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.backtest.labels import Recording, is_normal, load_labels, look_at, scored
from streamproc.errors import ConfigError, SourceError
from streamproc.testing_sources import write_clip

A = Path("/footage/01.mp4")
B = Path("/footage/02.mp4")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_recordings_pictures_are_found_without_decoding_it(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", count=30, size=(64, 48))
    found = look_at(tmp_path / "clip.mp4")
    assert len(found.times_s) == 30
    assert found.duration_s == pytest.approx(3.0)
    assert found.fps == pytest.approx(10.0)
    with pytest.raises(SourceError, match="not a video"):
        look_at(write(tmp_path / "text.mp4", "nothing"))


def test_clips_are_named_with_or_without_their_suffix(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", "clip,frame,label\n01,0,0\n01,1,1\n02.mp4,0,1\n")
    assert load_labels(path, [A, B]) == {A: {0: 0, 1: 1}, B: {0: 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip,frame\n01,0\n", r"labels\.csv:1: no column label"),
        ("clip,frame,label\n01,x,0\n", r"labels\.csv:2: frame must be a whole number"),
        ("clip,frame,label\n01,0,2\n", "label 0 or 1"),
        ("clip,frame,label\n01,0\n", "label 0 or 1"),
        ("clip,frame,label\n02,0,0\n", r"has no labels of 01\.mp4; it has those of 02"),
        ("clip,frame,label\n\udcff", "cannot be read"),
    ],
)
def test_what_is_wrong_with_labels_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=said):
        load_labels(path, [A])


def test_labels_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv cannot be read: No such file"):
        load_labels(tmp_path / "none.csv", [A])


def test_a_picture_is_scored_by_what_was_judged_before_it() -> None:
    recording = Recording(A, tuple(i / 10 for i in range(20)))
    found = scored(recording, dict.fromkeys(range(20), 0) | {19: 1, 25: 1}, [(0.9, 0.3), (1.9, 0.8)])
    assert found.scores == (0.0,) * 9 + (0.3,) * 10 + (0.8,)
    assert found.labels == (0,) * 19 + (1,)
    sparse = scored(recording, {5: 0, 12: 1}, [(0.9, 0.3), (1.9, 0.8)])
    assert (sparse.labels, sparse.scores) == ((0, 1), (0.0, 0.3))


def test_whether_a_time_is_normal_is_its_own_pictures_label() -> None:
    recording = Recording(A, tuple(i / 10 for i in range(20)))
    labels = {frame: int(10 <= frame < 15) for frame in range(20)}
    assert [is_normal(recording, labels, at_s) for at_s in (0.0, 0.95, 1.0, 1.4, 1.5)] == [
        True,
        True,
        False,
        False,
        True,
    ]
