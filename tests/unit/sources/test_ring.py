"""The last seconds of packets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streamproc.sources.ring import PacketRing
from streamproc.testing_sources import STREAM, packet
from streamproc.types import PacketBatch

START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(ring: PacketRing, seconds: int, run: int = 1, offset_s: float = 0.0, size: int = 100) -> int:
    """Ten packets a second, a keyframe each second; how many groups were cut short."""
    cut_short = 0
    for i in range(10 * seconds):
        at = START + timedelta(seconds=offset_s + i / 10)
        one = packet(i / 10, key=i % 10 == 0, run=run, data=bytes(size), at=at)
        cut_short += ring.append(PacketBatch(STREAM, (one,)))
    return cut_short


def test_a_clip_starts_at_the_keyframe_before() -> None:
    ring = PacketRing(30, 1)
    fill(ring, 10)
    clip = ring.clip(1, 3.5, 5.0)
    assert clip is not None
    assert clip.packets[0].is_keyframe
    assert (clip.packets[0].pts_s, clip.packets[-1].pts_s) == (3.0, 5.0)
    assert clip.stream is STREAM


def test_old_packets_go_and_the_asked_seconds_stay() -> None:
    ring = PacketRing(3, 1)
    assert fill(ring, 10) == 0
    clip = ring.clip(1, 0.0, 20.0)
    assert clip is not None
    assert (clip.packets[0].pts_s, clip.packets[-1].pts_s) == (6.0, 9.9)
    assert ring.size_bytes == 4000


def test_megabytes_are_a_hard_limit_and_counted() -> None:
    ring = PacketRing(30, 0.003)
    assert fill(ring, 10) == 7
    assert ring.size_bytes <= 3000
    clip = ring.clip(1, 0, 20)
    assert clip is not None
    assert clip.packets[0].is_keyframe


def test_a_group_larger_than_the_ring_leaves_nothing_that_cannot_be_decoded() -> None:
    ring = PacketRing(30, 0.0005)
    fill(ring, 1)
    assert ring.clip(1, 0, 1) is None
    assert ring.size_bytes == 0


def test_runs_are_told_apart() -> None:
    ring = PacketRing(30, 1)
    fill(ring, 3, run=1)
    fill(ring, 2, run=2, offset_s=3)
    first, second = ring.clip(1, 0, 99), ring.clip(2, 0, 99)
    assert first is not None
    assert second is not None
    assert (len(first.packets), len(second.packets)) == (30, 20)
    assert ring.clip(3, 0, 99) is None


def test_what_is_no_longer_or_not_yet_held_is_none() -> None:
    ring = PacketRing(2, 1)
    fill(ring, 10)
    assert ring.clip(1, 0.0, 1.0) is None
    assert ring.clip(1, 20.0, 21.0) is None


def test_packets_before_a_keyframe_are_not_kept() -> None:
    ring = PacketRing(30, 1)
    ring.append(PacketBatch(STREAM, (packet(0.0, key=False),)))
    assert ring.size_bytes == 0
