"""DALI itself, on the CPU, where it decodes VP9: the same pipeline as on a GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamproc.config import DaliDecoder as DaliSettings
from streamproc.config import PyavDecoder
from streamproc.decoding.dali import DaliDecoder
from streamproc.decoding.dali_pipeline import open_dali
from streamproc.decoding.engine import BatchDecoder, EncodedGop, Engine, RefusedError
from streamproc.decoding.factory import Everything, make_decoder
from streamproc.decoding.gops import Gop
from streamproc.decoding.remux import Remuxer
from streamproc.testing_decoding import packets_of, write_vp9
from streamproc.testing_sources import write_clip
from streamproc.types import DecoderFault, Frame, Packet, Picture, StreamInfo, on_host

pytest.importorskip("nvidia.dali", reason="DALI is not installed (extra `dali`)")
pytestmark = pytest.mark.integration

CPU = DaliSettings(kind="dali", device="cpu", most_wait_ms=50, threads=1)
ALL = np.ones((1, 1, 1), np.uint8)


class Watched:
    """DALI, and how many groups each batch had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.opened = 0
        self._within: BatchDecoder

    def open(self) -> Watched:
        self._within = open_dali(CPU)
        self.opened += 1
        return self

    def decode(self, gops: Sequence[EncodedGop]) -> list[list[Picture]]:
        self.sizes.append(len(gops))
        return self._within.decode(gops)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def engine(watched: Watched) -> Iterator[Engine]:
    started = Engine(watched.open, batch=8, most_wait_s=0.05)
    started.start()
    yield started
    started.close()


class Camera(threading.Thread):
    def __init__(self, clip: tuple[StreamInfo, list[Packet]], engine: Engine, at: threading.Barrier) -> None:
        super().__init__()
        self.faults: list[DecoderFault] = []
        self.frames: list[Frame] = []
        self._decoder = DaliDecoder(clip[0], CPU, Everything(), (), 320, self.faults.append, engine)
        self._given, self._at = clip[1], at

    def run(self) -> None:
        self._at.wait(10)
        for packet in self._given:
            self.frames += self._decoder.decode(packet)
        self.frames += self._decoder.flush()


def test_cameras_are_decoded_together_and_a_broken_group_is_its_own_cameras(
    tmp_path: Path, watched: Watched, engine: Engine
) -> None:
    clips = [
        packets_of(write_vp9(tmp_path / f"{name}.webm", size=size), name)
        for name, size in (("gate", (320, 240)), ("yard", (640, 360)), ("dock", (176, 144)))
    ]
    broken = [replace(p, data=b"\xff" * len(p.data)) if p.pts_s == 1.0 else p for p in clips[1][1]]
    clips[1] = (clips[1][0], broken)
    at = threading.Barrier(3)
    cameras = [Camera(clip, engine, at) for clip in clips]
    for camera in cameras:
        camera.start()
    for camera in cameras:
        camera.join(60)
    gate, yard, dock = cameras
    for whole in (gate, dock):
        assert len(whole.frames) == 30
        assert whole.faults == []
    assert yard.faults == ["dali_broken_gop"]
    assert [round(frame.pts_s, 2) for frame in yard.frames] == [i / 10 for i in [*range(10), *range(20, 30)]]
    assert max(watched.sizes) > 1
    assert watched.opened > 1
    for camera, clip in zip(cameras, clips, strict=True):
        pyav = make_decoder(clip[0], PyavDecoder(), Everything(), (), 320)
        theirs = {f.pts_s: f for p in clip[1] for f in pyav.decode(p)} | {f.pts_s: f for f in pyav.flush()}
        for frame in camera.frames:
            ours = on_host(frame.picture)
            assert np.abs(ours.astype(int) - on_host(theirs[frame.pts_s].picture)).mean() < 3


def whole(clip: tuple[StreamInfo, list[Packet]], numbers: tuple[int, ...]) -> EncodedGop:
    packets = tuple(clip[1][:10])
    return EncodedGop(Remuxer(clip[0]).remux(Gop(packets, packets)), numbers, 320, 240, ALL)


def test_pictures_outlive_the_batches_after_them(tmp_path: Path) -> None:
    clip = packets_of(write_vp9(tmp_path / "a.webm"))
    batches = open_dali(CPU)
    ((first, second),) = batches.decode([whole(clip, (3, 7))])
    before = on_host(first).copy(), on_host(second).copy()
    for _ in range(5):
        batches.decode([whole(clip, (0, 1))] * 3)
    assert (on_host(first) == before[0]).all()
    assert (on_host(second) == before[1]).all()
    assert (before[0] != before[1]).any()


def test_a_picture_is_handed_on_by_dlpack_and_copied_to_the_host_once(tmp_path: Path) -> None:
    clip = packets_of(write_vp9(tmp_path / "a.webm"))
    ((picture,),) = open_dali(CPU).decode([whole(clip, (5,))])
    assert isinstance(picture, Picture)
    assert picture.shape == (240, 320, 3)
    assert picture.__dlpack_device__() == (1, 0)
    shared = np.from_dlpack(picture)
    assert np.shares_memory(shared, on_host(picture))
    copied = np.asarray(picture)
    assert (copied == shared).all()
    assert copied is np.asarray(picture)


def test_a_codec_that_the_device_does_not_decode_is_refused(tmp_path: Path) -> None:
    clip = packets_of(write_clip(tmp_path / "a.mp4", count=10, options={"bf": "0"}))
    with pytest.raises(RefusedError, match="Failed to create video decoder"):
        open_dali(CPU).decode([whole(clip, (0,))])


def test_a_picture_that_is_not_there_is_refused_not_black(tmp_path: Path) -> None:
    clip = packets_of(write_vp9(tmp_path / "a.webm"))
    with pytest.raises(RefusedError, match="frame") as caught:
        open_dali(CPU).decode([whole(clip, (9, 10))])
    assert caught.value.refusal.fault == "dali_broken_gop"


def test_without_a_gpu_the_reason_is_named() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU")
    with pytest.raises(RefusedError, match="CUDA") as caught:
        open_dali(DaliSettings(kind="dali"))
    assert caught.value.refusal.fault == "dali_no_device"
