"""Decoding from demuxed bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamproc.config import Area, CameraSettings, PyavDecoder
from streamproc.decoding.factory import Decoder, Plan, make_decoder
from streamproc.sources.session import open_session
from streamproc.sources.timeline import Timeline
from streamproc.testing_sources import write_clip, write_pictures
from streamproc.types import Frame, Packet, StreamInfo, on_host

START = datetime(2026, 1, 1, tzinfo=UTC)


class Every:
    def __init__(self, nth: int = 1) -> None:
        self.asked: list[float] = []
        self._nth = nth

    def wants(self, pts_s: float, keyframe_s: float, every_s: float) -> bool:
        self.asked.append(pts_s)
        return (len(self.asked) - 1) % self._nth == 0

    def wants_before(self, keyframe_s: float, every_s: float) -> bool:
        return True


def packets(path: Path, fps: str = "") -> tuple[StreamInfo, list[Packet]]:
    address = f"{path}{fps}"
    with open_session(address, CameraSettings(id="gate", main=address)) as session:
        timeline = Timeline("gate", 1, session.stream.fps)
        got = []
        for raw in session:
            place = timeline.place(raw)
            if place:
                at = START + timedelta(seconds=place.session_s)
                got.append(Packet("gate", 1, place.pts_s, place.dts_s, at, raw.is_keyframe, raw.data))
        return session.stream, got


def decoder(stream: StreamInfo, plan: Plan | None = None, masks: tuple[Area, ...] = (), width_px: int = 640) -> Decoder:
    return make_decoder(stream, PyavDecoder(), plan or Every(), masks, width_px)


def decode(which: Decoder, given: list[Packet]) -> list[Frame]:
    return [frame for packet in given for frame in which.decode(packet)] + which.flush()


CLIPS = [
    ("a.mp4", "libx264", {}),
    ("a.ts", "libx264", {}),
    ("a.mkv", "libx265", {"x265-params": "log-level=none"}),
    ("a.avi", "mpeg4", {}),
    ("b.avi", "mpeg4", {"bf": "2"}),
    ("a.mov", "mjpeg", {}),
]


@pytest.mark.parametrize(("name", "codec", "options"), CLIPS)
def test_every_frame_in_order_with_its_times(tmp_path: Path, name: str, codec: str, options: dict[str, str]) -> None:
    stream, given = packets(write_clip(tmp_path / name, codec, count=30, options=options))
    which = decoder(stream)
    frames = decode(which, given)
    assert [f.pts_s for f in frames] == pytest.approx([i / 10 for i in range(30)], abs=0.002)
    assert all((f.received_at - START).total_seconds() == pytest.approx(f.pts_s, abs=0.002) for f in frames)
    pixels = on_host(frames[9].picture)
    assert pixels.shape == (240, 320, 3)
    assert pixels.dtype == np.uint8
    assert pixels[120, 100].mean() > 235  # the white bar of frame 9 begins at 90
    assert abs(pixels[120, 200].mean() - 72) < 8
    assert which.undecodable == 0


def test_what_lies_beyond_a_packets_end_is_not_taken_for_a_part_of_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.avi", "mpeg4", count=300, fps=25, size=(64, 48))
    for _ in range(3):
        stream, given = packets(clip)
        which = decoder(stream)
        assert len(decode(which, given)) == 300
        assert which.undecodable == 0


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_folders_of_pictures(tmp_path: Path, suffix: str) -> None:
    stream, given = packets(write_pictures(tmp_path / "pictures", suffix), "?fps=2")
    frames = decode(decoder(stream), given)
    assert [f.pts_s for f in frames] == [0.0, 0.5, 1.0, 1.5]
    assert abs(float(on_host(frames[2].picture).mean()) - 80) < 2


def test_only_wanted_frames_and_the_plan_is_asked_in_order(tmp_path: Path) -> None:
    stream, given = packets(write_clip(tmp_path / "a.mp4", count=20))
    plan = Every(nth=5)
    frames = decode(decoder(stream, plan), given)
    assert [round(f.pts_s, 3) for f in frames] == [0.0, 0.5, 1.0, 1.5]
    assert plan.asked == sorted(plan.asked)
    assert len(plan.asked) == 20


def test_wide_pictures_are_scaled_and_keep_their_shape(tmp_path: Path) -> None:
    stream, given = packets(write_clip(tmp_path / "a.mp4", count=2, size=(640, 360)))
    assert on_host(decode(decoder(stream, width_px=320), given)[0].picture).shape == (180, 320, 3)
    assert on_host(decode(decoder(stream, width_px=1920), given)[0].picture).shape == (360, 640, 3)


def test_masks_are_black(tmp_path: Path) -> None:
    stream, given = packets(write_clip(tmp_path / "a.mp4", count=12))
    mask = Area(name="window", polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
    pixels = on_host(decode(decoder(stream, masks=(mask,)), given)[10].picture)
    assert not pixels[:, 160:].any()
    assert pixels[:, :150].any()


def test_a_damaged_packet_costs_the_frames_up_to_the_next_keyframe(tmp_path: Path) -> None:
    options = {"bf": "0", "x264-params": "scenecut=0"}
    stream, given = packets(write_clip(tmp_path / "a.mp4", count=30, gop=10, options=options))
    given[13] = replace(given[13], data=b"\x00" * 40)
    which = decoder(stream)
    frames = decode(which, given)
    assert [round(f.pts_s, 3) for f in frames] == [i / 10 for i in [*range(13), *range(20, 30)]]
    assert which.undecodable == 7


def test_random_bytes_break_nothing(tmp_path: Path) -> None:
    stream, given = packets(write_clip(tmp_path / "a.mp4", count=30, options={"bf": "0"}))
    random = np.random.default_rng(1)
    noisy = []
    for packet in given:
        data = bytearray(packet.data)
        for _ in range(random.integers(0, 20)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        noisy.append(replace(packet, data=bytes(data)))
    which = decoder(stream)
    frames = decode(which, noisy)
    times = [f.pts_s for f in frames]
    assert times == sorted(set(times))
    assert which.undecodable > 0


def test_a_codec_that_is_unknown_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        decoder(StreamInfo("nonsense", 320, 240, 10.0, b""))
