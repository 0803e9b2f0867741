"""A camera's normal clips: found by pattern, each a run of its own, looked at in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.camera import UnitSettings
from streamproc.config import Area, CameraSettings, NormalitySettings, PyavDecoder, SamplingSettings
from streamproc.errors import ConfigError, SourceError
from streamproc.footage import NormalFootage, Part, find_clips, sha256_of
from streamproc.testing import FakeClock
from streamproc.testing_sources import FakeObserver, write_clip
from streamproc.types import ObservedWindow, Window

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


def test_each_clip_is_a_run_of_its_own_with_its_duration(clips: tuple[Path, ...]) -> None:
    footage = NormalFootage(clips, SETTINGS, FakeClock())
    windows = list(footage.windows())
    assert [(window.run, round(window.end_s, 1)) for window in windows] == [
        (1, 0.9),
        (1, 1.9),
        (1, 2.9),
        (1001, 0.9),
        (1001, 1.9),
        (1001, 2.4),
    ]
    assert {window.camera_id for window in windows} == {"gate"}
    assert footage.durations() == pytest.approx([2.9, 2.4])


def test_parts_are_counted_over_all_clips_and_only_they_are_observed(clips: tuple[Path, ...]) -> None:
    class Counts(FakeObserver):
        def __init__(self) -> None:
            super().__init__(motion=0.5)
            self.seen: list[float] = []

        def observe(self, window: Window) -> ObservedWindow:
            self.seen.append(round(window.end_s, 1))
            return super().observe(window)

    footage = NormalFootage(clips, SETTINGS, FakeClock())
    eyes = Counts()
    given = [round(one.window.end_s, 1) for one in footage.observed(lambda _: eyes, Part(2, 5))]
    assert given == eyes.seen == [2.9, 0.9, 1.9]


@pytest.mark.parametrize(("end", "middle"), [(6, 3), (7, 3), (1, 0)])
def test_halves_hold_every_window_once(end: int, middle: int) -> None:
    first, second = Part(0, end).halves()
    assert (first.end, second.first) == (middle, middle)
    assert [(index in first) + (index in second) for index in range(-1, end + 1)] == [0, *[1] * end, 0]


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
        NormalFootage([*clips, nonsense], SETTINGS, FakeClock()).durations()


def test_the_hash_of_a_clip_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
