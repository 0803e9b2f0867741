"""A camera's normal clips: found by pattern, each a run of its own, looked at in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.camera import UnitSettings
from streamproc.config import Area, CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.errors import ConfigError, SourceError
from streamproc.footage import NormalFootage, Part, find_clips, sha256_of
from streamproc.testing import FakeClock
from streamproc.testing_sources import write_clip
from streamproc.types import Window

SETTINGS = UnitSettings(
    CameraSettings(id="gate", main="rtsp://gate/1", sub="rtsp://gate/2"),
    SamplingSettings(),
    PyavDecoder(),
    NormalitySettings(),
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("normal")
    return tuple(
        write_clip(folder / f"{name}.mp4", count=count, size=(64, 48)) for name, count in (("a", 30), ("b", 25))
    )


def test_patterns_name_files_each_once_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.mp4", "a.mp4", "deep/c.mp4", "a [1].mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    found = find_clips(["b.mp4", "*.mp4", str(tmp_path / "**" / "c.mp4")])
    assert [path.name for path in found] == ["b.mp4", "a [1].mp4", "a.mp4", "c.mp4"]
    assert all(path.is_absolute() for path in found)


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("normal/*.mp4", "names no file; quote a pattern"),
        ("", "names no file; quote a pattern"),
        ("folder/", r"is a folder; name its files, e.g. --clips 'folder/\*.mp4'"),
    ],
)
def test_a_pattern_that_names_no_file_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, remedy: str
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=remedy):
        find_clips([pattern])


EACH = [(1, 0.9), (1, 1.9), (1, 2.9), (1001, 0.9), (1001, 1.9), (1001, 2.4)]
"""Run and end of the clips' windows."""


def told(window: Window) -> tuple[int, float]:
    return window.run, round(window.end_s, 1)


def test_each_clip_is_a_run_of_its_own(clips: tuple[Path, ...]) -> None:
    windows = list(NormalFootage(clips, SETTINGS, FakeClock()).windows())
    assert [told(window) for window in windows] == EACH
    assert {window.camera_id for window in windows} == {"gate"}


def test_durations_are_each_clips_own_and_every_window_is_looked_at_once_on_the_way(clips: tuple[Path, ...]) -> None:
    seen: list[tuple[int, float]] = []
    footage = NormalFootage(clips, SETTINGS, FakeClock())
    assert footage.durations(lambda window: seen.append(told(window))) == pytest.approx([2.9, 2.4])
    assert seen == EACH


def test_clips_of_several_sizes_are_refused_before_anything_is_learned(tmp_path: Path, clips: tuple[Path, ...]) -> None:
    other = write_clip(tmp_path / "other.mp4", count=15, size=(96, 64))
    footage = NormalFootage([*clips, other], SETTINGS, FakeClock())
    with pytest.raises(ConfigError, match=r"measured at 64x48 px in a\.mp4 and 96x64 px in other\.mp4; name those of"):
        footage.durations(lambda _: None)


def test_parts_are_counted_over_all_clips_and_nothing_after_them_is_read(
    tmp_path: Path, clips: tuple[Path, ...]
) -> None:
    footage = NormalFootage([*clips, tmp_path / "missing.mp4"], SETTINGS, FakeClock())
    assert [told(window) for window in footage.windows(Part(2, 5))] == EACH[2:5]
    assert [told(window) for window in footage.windows(Part(0, 2))] == EACH[:2]
    with pytest.raises(SourceError, match=r"missing\.mp4"):
        list(footage.windows(Part(2, 7)))


@pytest.mark.parametrize(("end", "middle"), [(6, 3), (7, 3), (1, 0)])
def test_halves_hold_every_window_once(end: int, middle: int) -> None:
    first, second = Part(0, end).halves()
    assert (first.end, second.first) == (middle, middle)
    held = [*range(first.first, first.end), *range(second.first, second.end)]
    assert held == list(range(end))


def test_privacy_masks_hold_for_what_is_learned_too(clips: tuple[Path, ...]) -> None:
    everything = Area(name="all", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))
    camera = SETTINGS.camera.model_copy(update={"privacy_masks": (everything,)})
    masked = UnitSettings(camera, SETTINGS.sampling, SETTINGS.decoder, SETTINGS.normality)
    window = next(NormalFootage(clips, masked, FakeClock()).windows())
    assert int(window.last.picture.__array__().max()) == 0  # type: ignore[attr-defined]


def test_a_clip_that_cannot_be_read_is_said(tmp_path: Path, clips: tuple[Path, ...]) -> None:
    nonsense = tmp_path / "nonsense.mp4"
    nonsense.write_text("this is no video")
    with pytest.raises(SourceError, match=r"nonsense\.mp4"):
        NormalFootage([*clips, nonsense], SETTINGS, FakeClock()).durations(lambda _: None)


def test_the_hash_of_a_clip_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
