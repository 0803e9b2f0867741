"""Selective decoding gives the very pictures that decoding everything gives, and decodes less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from streamproc.config import CameraSettings, PyavDecoder, SamplingSettings
from streamproc.decoding.factory import Decoder, make_decoder
from streamproc.sampling.plan import BurstPlan
from streamproc.sources.session import open_session
from streamproc.sources.timeline import Timeline
from streamproc.types import Frame, Packet, StreamInfo, on_host

START = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = (96, 64)
Pixels = npt.NDArray[np.uint8]
PYRAMID = "bframes=3:b-pyramid=normal:b-adapt=0:scenecut=0"
HEVC = "log-level=none:bframes=3:b-adapt=0:scenecut=0"
CLIPS = {
    "no reordering": ("a.mp4", "libx264", "bframes=0:scenecut=0"),
    "pictures between": ("a.mp4", "libx264", PYRAMID),
    "many between": ("a.ts", "libx264", "bframes=8:b-pyramid=strict:b-adapt=0:scenecut=0"),
    "open groups": ("a.ts", "libx264", f"{PYRAMID}:open-gop=1"),
    "open groups of hevc": ("a.ts", "libx265", f"{HEVC}:open-gop=1"),
    "closed groups of hevc": ("a.mp4", "libx265", f"{HEVC}:open-gop=0"),
    "keyframes where scenes change": ("a.mkv", "libx264", "scenecut=60:min-keyint=3"),
    "no keyframes but the first": ("a.ts", "libx264", "intra-refresh=1:bframes=0"),
    "two fields": ("a.ts", "libx264", f"{PYRAMID}:tff=1"),
    "every picture alone": ("a.mov", "mjpeg", ""),
    "vp9": ("a.mkv", "libvpx-vp9", ""),
}
RATES = [(0.5, 1), (0.9, 1), (1.0, 1), (2.0, 1), (3.0, 2), (10.0, 1)]


@cache
def clip(kind: str) -> tuple[StreamInfo, tuple[Packet, ...]]:
    name, codec, params = CLIPS[kind]
    options = {f"{codec[3:]}-params": params} if codec in ("libx264", "libx265") else {}
    if codec == "libvpx-vp9":
        options = {"deadline": "realtime", "cpu-used": "8"}
    with TemporaryDirectory() as folder:
        return packets(write(Path(folder, name), codec, range(250), 40, options))


def write(
    path: Path, codec: str, times: Sequence[int], gop: int, options: dict[str, str], size: tuple[int, int] = SIZE
) -> Path:
    """Noise that moves by a pixel a picture, so that a picture that builds on a wrong one shows it."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.gop_size = *size, gop
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for pts in times:
            picture = av.VideoFrame.from_ndarray(np.roll(noise, (pts, 2 * pts), (0, 1)), format="rgb24")
            picture.pts, picture.time_base = pts, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def packets(path: Path) -> tuple[StreamInfo, tuple[Packet, ...]]:
    got = []
    with open_session(str(path), CameraSettings(id="gate", main=str(path))) as session:
        timeline = Timeline("gate", 1, session.stream.fps)
        for raw in session:
            place = timeline.place(raw)
            if place:
                at = START + timedelta(seconds=place.session_s)
                got.append(Packet("gate", 1, place.pts_s, place.dts_s, at, raw.is_keyframe, raw.data))
        return session.stream, tuple(got)


@cache
def everything(stream: StreamInfo, given: tuple[Packet, ...]) -> dict[float, Pixels]:
    """Each picture by its time, from a decoder that is given every packet and nothing else."""
    context = av.CodecContext.create(stream.codec, "r")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.thread_count = stream.width_px, stream.height_px, 1
    if stream.extradata:
        context.extradata = stream.extradata
    scaler = VideoReformatter()
    found: dict[float, Pixels] = {}
    encoded: list[Any] = []
    for packet in given:
        one = av.Packet(packet.data)
        one.time_base = Fraction(1, 1_000_000)
        one.pts, one.dts = round(packet.pts_s * 1e6), round(packet.dts_s * 1e6)
        encoded.append(one)
    for each in [*encoded, None]:
        for picture in context.decode(each):
            assert picture.pts is not None
            size = picture.width, picture.height
            scaled = scaler.reformat(picture, *size, "rgb24", interpolation=Interpolation.BILINEAR, threads=1)
            found[picture.pts / 1e6] = cast("Pixels", scaled.to_ndarray())
    return found


def selecting(stream: StreamInfo, per_s: float, frames: int) -> Decoder:
    settings = SamplingSettings(bursts_per_s=per_s, burst_frames=frames)
    return make_decoder(stream, PyavDecoder(), BurstPlan(settings), (), 640)


def decode(which: Decoder, given: Sequence[Packet]) -> list[Frame]:
    return [frame for packet in given for frame in which.decode(packet)] + which.flush()


def same(frames: Sequence[Frame], whole: dict[float, Pixels]) -> None:
    for frame in frames:
        assert np.array_equal(on_host(frame.picture), whole[round(frame.pts_s, 6)]), frame.pts_s
    assert [frame.pts_s for frame in frames] == sorted({frame.pts_s for frame in frames})


@pytest.mark.parametrize("kind", CLIPS)
@pytest.mark.parametrize(("per_s", "burst"), RATES)
def test_the_very_pictures(kind: str, per_s: float, burst: int) -> None:
    stream, given = clip(kind)
    which = selecting(stream, per_s, burst)
    frames = decode(which, given)
    same(frames, everything(stream, given))
    assert which.undecodable == 0
    assert all(frame.received_at == by_time(given)[frame.pts_s].received_at for frame in frames)
    slots = {int(frame.pts_s * per_s + 0.1) for frame in frames}
    last = int(max(by_time(given)) * per_s + 0.1)
    assert slots >= set(range(last))  # the last one may still have waited for its keyframe


def by_time(given: Sequence[Packet]) -> dict[float, Packet]:
    return {packet.pts_s: packet for packet in given}


@pytest.mark.parametrize(
    ("kind", "per_s", "most"),
    [
        ("no reordering", 0.5, 40 + 6),  # the first group whole, as nobody knows its length; then one keyframe a look
        ("pictures between", 0.5, 25 + 6 * 3),
        ("every picture alone", 2.0, 22),
        ("no reordering", 1.0, 40 + 134),  # and the way from each keyframe to the look
        ("no reordering", 10.0, 250),
    ],
)
def test_what_nobody_needs_is_not_decoded(kind: str, per_s: float, most: int) -> None:
    stream, given = clip(kind)
    which = selecting(stream, per_s, 1)
    frames = decode(which, given)
    assert len(frames) <= which.decoded <= most


def test_uneven_times(tmp_path: Path) -> None:
    times = sorted(np.random.default_rng(3).choice(700, 250, replace=False).tolist())
    stream, given = packets(write(tmp_path / "a.mkv", "libx264", times, 40, {"x264-params": PYRAMID}))
    assert len({round(b.dts_s - a.dts_s, 3) for a, b in pairwise(given)}) > 3
    for per_s, burst in RATES:
        frames = decode(selecting(stream, per_s, burst), given)
        same(frames, everything(stream, given))
        assert len(frames) >= 0.8 * given[-1].pts_s * min(per_s, 3)


@pytest.mark.parametrize("kind", ["no reordering", "pictures between", "open groups"])
def test_a_stream_that_begins_without_its_keyframe(kind: str) -> None:
    stream, given = clip(kind)
    later = tuple(packet for packet in given[10:] if packet.pts_s >= given[10].pts_s)
    which = selecting(stream, 2.0, 1)
    frames = decode(which, later)
    first = next(at for at, packet in enumerate(later) if packet.is_keyframe)
    same(frames, everything(stream, given))
    assert frames[0].pts_s >= later[first].pts_s
    assert which.undecodable == first


@pytest.mark.parametrize("kind", ["no reordering", "pictures between", "open groups", "closed groups of hevc"])
@pytest.mark.parametrize(("per_s", "burst"), RATES)
def test_packets_are_lost(kind: str, per_s: float, burst: int) -> None:
    """A picture whose way from its keyframe is whole is the right one; keyframes mend everything."""
    stream, given = clip(kind)
    lost = set(np.random.default_rng(5).choice(range(1, 120), 6, replace=False).tolist())
    left = tuple(packet for at, packet in enumerate(given) if at not in lost)
    frames = decode(selecting(stream, per_s, burst), left)
    whole, shown = everything(stream, given), everything(stream, left)
    keys = [at for at, packet in enumerate(given) if packet.is_keyframe]
    for frame in frames:
        at = given.index(by_time(given)[frame.pts_s])
        begins = max(key for key in keys if key <= at and (given[key].pts_s <= frame.pts_s))
        pixels, pts_s = on_host(frame.picture), round(frame.pts_s, 6)
        if not lost.intersection(range(begins, at)):
            assert np.array_equal(pixels, whole[pts_s]), pts_s
        elif (
            kind == "no reordering"
        ):  # Else what a decoder makes up for what was lost is taken from pictures left out too.
            assert np.array_equal(pixels, whole[pts_s]) or np.array_equal(pixels, shown[pts_s]), pts_s
    mended_s = next(packet.pts_s for packet in given[120:] if packet.is_keyframe)
    sound = [frame for frame in frames if frame.pts_s >= mended_s]
    same(sound, whole)
    assert len(sound) >= per_s * (given[-1].pts_s - mended_s) - 2


@pytest.mark.parametrize("params", ["bframes=0:scenecut=0", PYRAMID])
def test_the_picture_changes_its_size(tmp_path: Path, params: str) -> None:
    options = {"x264-params": f"{params}:repeat-headers=1"}
    one, first = packets(write(tmp_path / "a.ts", "libx264", range(100), 40, options))
    _, second = packets(write(tmp_path / "b.ts", "libx264", range(100), 40, options, (128, 96)))
    on_s = 100 / 25
    given = (*first, *(replace(each, pts_s=each.pts_s + on_s, dts_s=each.dts_s + on_s) for each in second))
    for per_s, burst in RATES:
        frames = decode(selecting(one, per_s, burst), given)
        same(frames, everything(one, given))
        assert {on_host(frame.picture).shape for frame in frames} == {(64, 96, 3), (96, 128, 3)}


@pytest.mark.parametrize(("per_s", "burst"), [(0.5, 1), (1.0, 1), (5.0, 2)])
def test_groups_longer_than_what_is_kept(per_s: float, burst: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.decoding.selection._HELD", 30)
    stream, given = clip("pictures between")
    frames = decode(selecting(stream, per_s, burst), given)
    same(frames, everything(stream, given))
    assert len(frames) >= per_s * burst * given[-1].pts_s - 2


@pytest.mark.parametrize("dts", [True, False])
def test_keyframes_closer_together_than_pictures_are_reordered(tmp_path: Path, dts: bool) -> None:
    options = {"x264-params": f"{PYRAMID}:keyint=3:min-keyint=1"}
    stream, given = packets(write(tmp_path / "a.ts", "libx264", range(250), 3, options))
    if not dts:  # made up by the timeline, 0.7 s early
        given = tuple(replace(each, dts_s=each.pts_s - 0.7) for each in given)
    for per_s, burst in RATES:
        which = selecting(stream, per_s, burst)
        frames = decode(which, given)
        same(frames, everything(stream, given))
        slots = {int(frame.pts_s * per_s + 0.1) for frame in frames}
        assert slots >= set(range(int(given[-1].pts_s * per_s)))
        if per_s < 1:
            assert which.decoded < 40


def test_while_the_plan_rests_nothing_is_decoded() -> None:
    stream, given = clip("no reordering")
    settings = SamplingSettings(bursts_per_s=5, burst_frames=1)
    which = make_decoder(stream, PyavDecoder(), BurstPlan(settings, lambda: 7.0), (), 640)
    frames = decode(which, given)
    same(frames, everything(stream, given))
    assert which.decoded < 110  # of 250: the first group of 40, and what leads from a keyframe to the second at 8 s
