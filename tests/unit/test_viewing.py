"""What a camera's viewing tells of when it will look again."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc.config import CameraSettings, PyavDecoder, SamplingSettings
from streamproc.sources.session import open_session
from streamproc.testing_sources import write_clip
from streamproc.types import Packet, PacketBatch
from streamproc.viewing import Viewing

START = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_look_that_waits_for_a_keyframe_is_due_with_it(tmp_path: Path) -> None:
    path = str(write_clip(tmp_path / "a.mp4", count=30, options={"bf": "0"}))  # ten a second, a keyframe each second
    sampling = SamplingSettings(window_s=1.0, bursts_per_s=1.0, burst_frames=1)
    viewing = Viewing("gate", sampling, PyavDecoder(), (), lambda _: None)
    assert viewing.due_s == -math.inf
    told = []
    with open_session(path, CameraSettings(id="gate", main=path)) as session:
        for number, raw in enumerate(session):
            packet = Packet("gate", 1, number / 10, number / 10, START, raw.is_keyframe, raw.data)
            viewing.add(PacketBatch(session.stream, (packet,)))
            told.append(viewing.due_s)
    assert told[5] == pytest.approx(0.9)  # how far apart keyframes are is not known yet
    assert told[15] == pytest.approx(2.0)
    assert told[25] == pytest.approx(3.0)
    viewing.end()
    assert viewing.due_s == -math.inf
