"""Evidence from two streams of one camera, each with a media time of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from streamproc.sources.evidence import AWAY, OTHER_SHAPE, EvidenceRing
from streamproc.testing_sources import STREAM, packet
from streamproc.types import PacketBatch, StreamInfo

START = datetime(2026, 1, 1, tzinfo=UTC)
MAIN = replace(STREAM, codec="h264", width_px=320, height_px=240)


def batches(
    stream: StreamInfo,
    seconds: float,
    *,
    run: int = 1,
    begin_s: float = 0.0,
    delays_s: tuple[float, ...] = (0.0,),
    fps: int = 10,
    size: int = 100,
) -> list[PacketBatch]:
    """Packets of a run that began ``begin_s`` after START, a keyframe a second, each received a delay after it was."""
    made = []
    for i in range(round(fps * seconds)):
        at = START + timedelta(seconds=begin_s + i / fps + delays_s[i % len(delays_s)])
        made.append(PacketBatch(stream, (packet(i / fps, key=i % fps == 0, run=run, data=bytes(size), at=at),)))
    return made


def ring(main: list[PacketBatch], sub_s: float = 20.0, *, masked: bool = False) -> EvidenceRing:
    """A sub-stream of ``sub_s`` seconds since START beside ``main``."""
    made = EvidenceRing(30, 1, with_main=True, masked=masked)
    for batch in batches(STREAM, sub_s):
        made.append(batch)
    for batch in main:
        made.append_main(batch)
    return made


def test_a_camera_with_one_stream_has_its_evidence_from_it() -> None:
    alone = EvidenceRing(30, 1, with_main=False)
    for batch in batches(STREAM, 20):
        alone.append(batch)
        alone.append_main(batch)
    clip = alone.clip(1, 5.0, 10.0)
    assert clip is not None
    assert (clip.stream, clip.packets[0].pts_s, clip.packets[-1].pts_s, clip.degraded) == (STREAM, 5.0, 10.0, ())
    assert alone.size_bytes == 200 * 100


def test_the_main_streams_packets_come_in_the_media_time_of_the_sub_stream() -> None:
    # The main session began 3.4 s later, as its run 7: its media time 2.0, a keyframe, is the sub-stream's 5.4.
    clip = ring(batches(MAIN, 16, run=7, begin_s=3.4)).clip(1, 5.5, 10.0)
    assert clip is not None
    assert clip.stream is MAIN
    assert clip.degraded == ()
    assert clip.packets[0].is_keyframe
    assert clip.packets[0].pts_s == pytest.approx(5.4)
    assert clip.packets[-1].pts_s == pytest.approx(10.0, abs=0.11)
    assert all(p.pts_s == pytest.approx((p.received_at - START).total_seconds()) for p in clip.packets)


def test_the_networks_jitter_does_not_count() -> None:
    jitter = (0.9, 0.4, 0.0, 0.7)
    clip = ring(batches(MAIN, 18, begin_s=2.4, delays_s=jitter)).clip(1, 5.0, 10.0)
    assert clip is not None
    assert [p.pts_s for p in clip.packets[:3]] == pytest.approx([4.4, 4.5, 4.6])


@pytest.mark.parametrize(
    "main",
    [
        [],
        batches(MAIN, 6.0),  # it fell silent
        batches(MAIN, 12.0, begin_s=8.0),  # it came too late
        batches(MAIN, 6.0) + batches(MAIN, 12.0, run=2, begin_s=8.0),  # it was away in between
    ],
)
def test_while_the_main_stream_is_away_evidence_is_of_the_sub_stream_and_says_so(main: list[PacketBatch]) -> None:
    clip = ring(main).clip(1, 5.0, 10.0)
    assert clip is not None
    assert (clip.stream, clip.degraded) == (STREAM, (AWAY,))
    assert (clip.packets[0].pts_s, clip.packets[-1].pts_s) == (5.0, 10.0)


def test_in_a_long_incident_the_main_stream_may_be_cut_shorter_than_the_sub_stream() -> None:
    made = EvidenceRing(10, 0.1, with_main=True)  # the main stream's share are 75 packets of 1 kB
    for of_sub, of_main in zip(batches(STREAM, 30), batches(MAIN, 30, size=1000), strict=True):
        made.append(of_sub)
        made.append_main(of_main)
    clip = made.clip(1, 5.0, 29.5)
    assert clip is not None
    assert (clip.stream, clip.packets[0].pts_s, clip.degraded) == (MAIN, 23.0, ())
    within = made.clip(1, 21.0, 29.5)  # the sub-stream has all of this
    assert within is not None
    assert (within.stream, within.degraded) == (STREAM, (AWAY,))


def test_in_a_long_incident_a_main_stream_that_came_late_is_not_used() -> None:
    made = EvidenceRing(10, 1, with_main=True)
    for batch in batches(STREAM, 30):
        made.append(batch)
    for batch in batches(MAIN, 5, begin_s=25.0):
        made.append_main(batch)
    clip = made.clip(1, 5.0, 29.5)
    assert clip is not None
    assert (clip.stream, clip.degraded) == (STREAM, (AWAY,))


def test_a_main_stream_that_came_back_is_used_again() -> None:
    main = batches(MAIN, 3.0) + batches(MAIN, 16.0, run=2, begin_s=4.3)
    clip = ring(main).clip(1, 6.0, 10.0)
    assert clip is not None
    assert (clip.stream, clip.packets[0].run) == (MAIN, 2)
    assert clip.packets[0].pts_s == pytest.approx(5.3)


def test_nothing_is_held_of_a_run_that_is_gone() -> None:
    assert ring(batches(MAIN, 20)).clip(2, 5.0, 10.0) is None


def test_another_shape_is_used_unless_there_are_masks_that_could_miss() -> None:
    wide = replace(MAIN, width_px=640, height_px=360)
    clip = ring(batches(wide, 20)).clip(1, 5.0, 10.0)
    assert clip is not None
    assert (clip.stream, clip.degraded) == (wide, ())
    masked = ring(batches(wide, 20), masked=True).clip(1, 5.0, 10.0)
    assert masked is not None
    assert (masked.stream, masked.degraded) == (STREAM, (OTHER_SHAPE,))
    same = ring(batches(MAIN, 20), masked=True).clip(1, 5.0, 10.0)
    assert same is not None
    assert same.stream is MAIN


def test_both_streams_together_keep_within_the_megabytes() -> None:
    made = EvidenceRing(3000, 0.1, with_main=True)
    for of_sub, of_main in zip(batches(STREAM, 100, size=500), batches(MAIN, 100, size=2000), strict=True):
        made.append(of_sub)
        made.append_main(of_main)
        assert made.size_bytes <= 100_000
    clip = made.clip(1, 98.0, 99.5)
    assert clip is not None
    assert clip.stream is MAIN
