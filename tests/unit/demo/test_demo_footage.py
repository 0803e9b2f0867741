"""Which frames of a recording the demo's clips are made of."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamproc.demo.footage import Footage, plan, prepare
from streamproc.errors import ConfigError


def test_the_sample_recording_is_shared_out_as_documented() -> None:
    shares = plan(795, Fraction(10))
    assert shares.normal == (range(400),)
    assert shares.one == (range(400, 795),)
    before, *hurry, after = shares.two
    assert before == after == range(400, 795)
    fast = list(chain.from_iterable(hurry))
    assert len(fast) == 200
    assert fast[:3] == [400, 403, 406]
    assert {b - a for a, b in pairwise(fast)} == {3, 3 - 395}


@pytest.mark.parametrize(("frames", "fps"), [(500, 25), (1000, 50), (100_000, 25), (20 * 30000 // 1001 + 1, 29.97)])
def test_no_frame_is_both_normal_and_watched(frames: int, fps: float) -> None:
    shares = plan(frames, Fraction(fps).limit_denominator(1001))
    normal = set(chain.from_iterable(shares.normal))
    watched = set(chain.from_iterable((*shares.one, *shares.two)))
    assert normal
    assert not normal & watched
    assert max(watched) < frames


def test_a_long_recording_is_not_used_whole() -> None:
    shares = plan(2 * 3600 * 25, Fraction(25))
    assert len(shares.normal[0]) == 300 * 25
    assert len(shares.one[0]) == 600 * 25
    assert sum(map(len, shares.two)) == 100 * 25


def test_a_short_recording_is_refused_with_what_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"lasts 19\.9 s; the demo needs 20 s"):
        plan(199, Fraction(10))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """21 s at 5 fps whose frames tell their number by their brightness."""
    path = tmp_path_factory.mktemp("recording") / "film.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(105):
            pixels = np.full((48, 64), 20 + 2 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="gray").reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path


def numbers(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        pictures = (frame.to_ndarray(format="gray") for frame in container.decode(video=0))
        return [round((float(picture.mean()) - 20) / 2) for picture in pictures]


def test_the_clips_hold_the_planned_frames_and_a_second_call_makes_none(recording: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    footage = prepare(recording, tmp_path, lambda *what: told.append(what))
    shares = plan(105, Fraction(5))
    for clip, parts in ((footage.normal, shares.normal), (footage.one, shares.one), (footage.two, shares.two)):
        wanted = np.array(list(chain.from_iterable(parts)))
        assert np.abs(np.array(numbers(clip)) - wanted).max() <= 1
    assert {(clip, total) for clip, done, total in told if done == total} == {("normal", 50), ("one", 55), ("two", 210)}
    assert footage.two_s == 42.0
    told.clear()
    assert prepare(recording, tmp_path, lambda *what: told.append(what)) == footage
    assert not told


def test_the_clips_are_what_the_rtsp_server_can_serve(recording: Path, tmp_path: Path) -> None:
    from streamproc.demo.rtp import load_clip

    footage = prepare(recording, tmp_path)
    assert load_clip(footage.two).duration_s == pytest.approx(footage.two_s)
    with av.open(str(footage.two)) as container:
        keyframes = [n for n, packet in enumerate(container.demux(video=0)) if packet.is_keyframe and packet.size]
    assert keyframes == list(range(0, 210, 10))


def test_what_is_not_a_film_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no film")
    for path in (text, tmp_path / "nowhere.mp4"):
        with pytest.raises(ConfigError, match=path.name):
            prepare(path, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.mp4"))


def test_footage_is_found_beside_the_models(recording: Path, tmp_path: Path) -> None:
    footage: Footage = prepare(recording, tmp_path)
    assert footage.one.parent.parent == tmp_path / "demo"
