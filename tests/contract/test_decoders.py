"""Every decoder keeps the same promises, whatever decodes behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import pytest

from streamproc.config import Area, DaliDecoder, PyavDecoder, SamplingSettings
from streamproc.decoding.dali import DaliDecoder as Dali
from streamproc.decoding.dali_pipeline import open_dali
from streamproc.decoding.engine import Engine
from streamproc.decoding.factory import Decoder, Everything, Plan, make_decoder
from streamproc.sampling.plan import BurstPlan
from streamproc.testing_decoding import START, FakeBatches, packets_of, write_vp9
from streamproc.testing_sources import write_clip
from streamproc.types import DecoderFault, Frame, Packet, StreamInfo, on_host

CPU = DaliDecoder(kind="dali", device="cpu", most_wait_ms=1, threads=1)
Make = Callable[[StreamInfo, Plan, Sequence[Area], int, Callable[[DecoderFault], None]], Decoder]


@dataclass(frozen=True)
class Kind:
    """A decoder, and a recording that it decodes by itself."""

    make: Make
    write: Callable[[Path], Path]
    name: str


def pyav(stack: ExitStack) -> Make:
    return lambda stream, plan, masks, width_px, fault: make_decoder(
        stream, PyavDecoder(), plan, masks, width_px, fault
    )


def engine(stack: ExitStack, started: Engine, settings: DaliDecoder) -> Make:
    stack.callback(started.close)
    started.start()
    assert started.refused is None
    return lambda stream, plan, masks, width_px, fault: Dali(stream, settings, plan, masks, width_px, fault, started)


def fake(stack: ExitStack) -> Make:
    return engine(stack, Engine(FakeBatches().open, batch=4, most_wait_s=0.0), DaliDecoder(kind="dali"))


def dali(stack: ExitStack) -> Make:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed (extra `dali`)")
    return engine(stack, Engine(lambda: open_dali(CPU), batch=4, most_wait_s=0.001), CPU)


def h264(path: Path) -> Path:
    return write_clip(path / "a.mp4", count=40)


def vp9(path: Path) -> Path:
    return write_vp9(path / "a.webm", count=40)


KINDS = {
    "pyav h264": (pyav, h264),
    "pyav vp9": (pyav, vp9),
    "dali, faked": (fake, h264),
    "dali on the cpu": (dali, vp9),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    make, write = KINDS[request.param]
    with ExitStack() as stack:
        yield Kind(make(stack), write, request.param)


def decode(
    kind: Kind, clip: tuple[StreamInfo, Sequence[Packet]], plan: Plan, masks: Sequence[Area] = (), width_px: int = 640
) -> tuple[Decoder, list[Frame]]:
    faults: list[DecoderFault] = []
    decoder = kind.make(clip[0], plan, masks, width_px, faults.append)
    frames = [frame for packet in clip[1] for frame in decoder.decode(packet)] + decoder.flush()
    assert faults == []
    return decoder, frames


def shown(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path), "r") as container:
        return [cast("npt.NDArray[np.uint8]", p.to_ndarray(format="rgb24")) for p in container.decode(video=0)]


def test_every_wanted_picture_with_its_times(kind: Kind, tmp_path: Path) -> None:
    path = kind.write(tmp_path)
    decoder, frames = decode(kind, packets_of(path), Everything())
    assert [frame.pts_s for frame in frames] == pytest.approx([i / 10 for i in range(40)], abs=0.002)
    assert all((frame.received_at - START).total_seconds() == pytest.approx(frame.pts_s, abs=0.002) for frame in frames)
    assert {(frame.camera_id, frame.run) for frame in frames} == {("gate", 1)}
    for frame, picture in zip(frames, shown(path), strict=True):
        ours = on_host(frame.picture)
        assert ours.shape == (240, 320, 3)
        assert ours.dtype == np.uint8
        # Conversions to RGB round otherwise, and at edges of the bar colours are interpolated otherwise.
        assert np.abs(ours.astype(int) - picture).mean() < 3
    assert decoder.undecodable == 0
    assert decoder.keyframe_every_s == pytest.approx(1.0, abs=0.002)


def test_only_what_is_wanted(kind: Kind, tmp_path: Path) -> None:
    clip = packets_of(kind.write(tmp_path))
    plan = BurstPlan(SamplingSettings(bursts_per_s=2, burst_frames=2))
    decoder, frames = decode(kind, clip, plan)
    times = [round(frame.pts_s, 2) for frame in frames]
    assert times[:4] == [0.0, 0.1, 0.5, 0.6]
    assert len(times) == 16
    assert 16 <= decoder.decoded <= 40


def test_masks_are_black_at_every_scale(kind: Kind, tmp_path: Path) -> None:
    clip = packets_of(kind.write(tmp_path))
    mask = Area(name="window", polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
    for width_px in (640, 160):
        _, frames = decode(kind, clip, Everything(), (mask,), width_px)
        assert len(frames) == 40
        for frame in frames:
            pixels = on_host(frame.picture)
            assert pixels.shape[1] == min(width_px, 320)
            assert not pixels[:, pixels.shape[1] // 2 :].any()
        assert on_host(frames[8].picture)[:, : pixels.shape[1] // 2 - 3].any()


def test_wide_pictures_are_scaled_and_keep_their_shape(kind: Kind, tmp_path: Path) -> None:
    path = kind.write(tmp_path)
    _, frames = decode(kind, packets_of(path), Everything(), width_px=160)
    for frame, picture in zip(frames, shown(path), strict=True):
        ours = on_host(frame.picture)
        assert ours.shape == (120, 160, 3)
        halved = picture.reshape(120, 2, 160, 2, 3).mean((1, 3))
        assert np.abs(ours - halved).mean() < 4


def test_a_run_that_begins_within_a_group_begins_at_its_next_keyframe(kind: Kind, tmp_path: Path) -> None:
    stream, given = packets_of(kind.write(tmp_path))
    decoder, frames = decode(kind, (stream, given[4:]), Everything())
    assert [round(frame.pts_s, 2) for frame in frames] == [round(i / 10, 2) for i in range(10, 40)]
    assert decoder.undecodable == 6


def test_a_keyframe_that_is_lost_costs_its_group_at_most(kind: Kind, tmp_path: Path) -> None:
    stream, given = packets_of(kind.write(tmp_path))
    places = [place for place, packet in enumerate(given) if packet.is_keyframe]
    _, frames = decode(kind, (stream, given[: places[1]] + given[places[2] :]), Everything())
    times = [round(frame.pts_s, 2) for frame in frames]
    assert times == [round(i / 10, 2) for i in [*range(10), *range(20, 40)]]


def test_random_bytes_break_nothing(kind: Kind, tmp_path: Path) -> None:
    stream, given = packets_of(kind.write(tmp_path))
    random = np.random.default_rng(1)
    noisy = []
    for packet in given:
        data = bytearray(packet.data)
        for _ in range(random.integers(0, 20)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        noisy.append(replace(packet, data=bytes(data)))
    decoder = kind.make(stream, Everything(), (), 640, lambda _: None)
    frames = [frame for packet in noisy for frame in decoder.decode(packet)] + decoder.flush()
    times = [frame.pts_s for frame in frames]
    assert times == sorted(set(times))


def test_a_codec_that_is_unknown_is_told(kind: Kind) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        kind.make(StreamInfo("nonsense", 320, 240, 10.0, b""), Everything(), (), 640, lambda _: None)
