"""How much of a stream is decoded, told without decoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.config import PyavDecoder, SamplingSettings
from streamproc.decoding.factory import make_decoder
from streamproc.planning.sampled import Stream, rates
from streamproc.sampling.plan import BurstPlan
from streamproc.testing_decoding import packets_of
from streamproc.testing_sources import write_clip


def sampling(a_second: float, burst_frames: int = 1) -> SamplingSettings:
    return SamplingSettings(window_s=1.0, bursts_per_s=a_second, burst_frames=burst_frames)


@pytest.mark.parametrize(
    ("keyframe_s", "a_second", "decoded", "keyframes", "looked_at"),
    [
        (2, 0.5, 0.5, 0.5, 0.5),  # keyframes alone
        (2, 1, 12, 0.5, 1),  # up to the one at 0.92 s, which is 10 % early: 24 pictures of 50
        (10, 1, 22.4, 0.1, 1),  # up to 8.92 s: 224 of 250
        (1, 25, 25, 1, 25),
    ],
)
def test_pictures_up_to_the_last_wanted_one_of_a_group(
    keyframe_s: float, a_second: float, decoded: float, keyframes: float, looked_at: float
) -> None:
    found = rates(Stream(1280, 720, 25, keyframe_s), sampling(a_second))
    assert found.packets == 25
    assert found.decoded == pytest.approx(decoded)
    assert found.keyframes == pytest.approx(keyframes)
    assert found.looked_at == pytest.approx(looked_at)


def test_no_more_windows_than_there_are_bursts_to_fill_them() -> None:
    often = SamplingSettings(window_s=0.1, bursts_per_s=2, burst_frames=2)
    assert rates(Stream(640, 480, 10, 2), often).windows == pytest.approx(2)
    assert rates(Stream(640, 480, 10, 2), often).looked_at == pytest.approx(4)
    assert rates(Stream(640, 480, 10, 2), sampling(5, 2)).windows == pytest.approx(1)


@pytest.mark.parametrize("a_second", [0.5, 1.0, 2.0, 5.0])
def test_it_is_what_the_decoder_decodes(tmp_path: Path, a_second: float) -> None:
    clip = write_clip(tmp_path / "clip.mp4", count=300, fps=10, gop=20, size=(64, 48), options={"bf": "0"})
    stream, packets = packets_of(clip)
    decoder = make_decoder(stream, PyavDecoder(), BurstPlan(sampling(a_second)), (), 64)
    for packet in packets[:100]:
        decoder.decode(packet)
    before = decoder.decoded
    for packet in packets[100:]:
        decoder.decode(packet)
    found = rates(Stream(64, 48, 10, 2), sampling(a_second))
    assert (decoder.decoded - before) / 20 == pytest.approx(found.decoded, rel=0.1)
