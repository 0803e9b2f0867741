"""Heat maps: the pair of pictures, what stays black, and how they come into a message and stay in its resolution."""

from __future__ import annotations

import hashlib
import io
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from streamproc.alerts.compose import Origin
from streamproc.alerts.desk import AlertDesk
from streamproc.alerts.evidence import MOST_HEATMAPS, EvidenceWriter
from streamproc.alerts.evidence_desk import EvidenceDesk
from streamproc.alerts.heatmap import MOST_PX, overlay
from streamproc.alerts.incidents import Incidents
from streamproc.alerts.message import Alert
from streamproc.alerts.outbox import Outbox
from streamproc.config import CameraSettings, EvidenceSettings, IncidentSettings, SiteIdentity
from streamproc.testing import FakeClock
from streamproc.testing_alerts import START, verdict_at
from streamproc.types import CloseUp, DetectedObject, Verdict

CAMERA = CameraSettings(id="gate", main="rtsp://cam/1")


def close_up(height: int = 60, width: int = 80) -> CloseUp:
    """Grey, black along the left quarter, hot in the lower right quarter."""
    picture = np.full((height, width, 3), 120, np.uint8)
    picture[:, : width // 4] = 0
    heat = np.zeros((8, 8), np.float32)
    heat[4:, 4:] = 1.0
    heat[:, 0] = 1.0
    return CloseUp(picture, heat)


def defect(pts_s: float, *, alarm: bool = True, objects: int = 1) -> Verdict:
    found = DetectedObject("valve", (0.1, 0.2, 0.3, 0.4), 0.8, "valve: 2.0 times its threshold", close_up=close_up())
    return replace(
        verdict_at(pts_s, alarm=alarm), kind="defect", cited_rules=(), objects=(found,) * objects if alarm else ()
    )


def test_the_crop_is_shown_twice_and_only_the_hot_part_is_coloured() -> None:
    drawn = np.asarray(Image.open(io.BytesIO(overlay(close_up()))).convert("RGB")).astype(int)
    height, width = drawn.shape[:2]
    half = (width - 6) // 2
    assert (half, height) == (256, 192)
    left, right = drawn[:, :half], drawn[:, half + 6 :]
    assert abs(left[150, 200] - 120).max() < 6
    hot, cool = right[170, 230], right[30, 200]
    assert hot[0] - hot[2] > 60
    assert abs(cool - 120).max() < 6


def test_what_a_privacy_mask_blacked_is_black_in_both() -> None:
    drawn = np.asarray(Image.open(io.BytesIO(overlay(close_up()))).convert("RGB"))
    half = (drawn.shape[1] - 6) // 2
    for one in (drawn[:, :half], drawn[:, half + 6 :]):
        assert one[:, :48].max() < 12


def test_a_large_crop_is_drawn_small() -> None:
    wide = Image.open(io.BytesIO(overlay(close_up(height=1080, width=1920))))
    assert wide.size == (2 * MOST_PX + 6, 288)


def test_heat_that_is_no_number_is_no_heat() -> None:
    broken = CloseUp(close_up().picture, np.full((4, 4), np.nan, np.float32))
    drawn = np.asarray(Image.open(io.BytesIO(overlay(broken))).convert("RGB")).astype(int)
    assert np.ptp(drawn[:, -100:], axis=2).max() < 12


def test_heat_maps_are_written_beside_the_snapshot_for_their_owner_alone_and_hashed(tmp_path: Path) -> None:
    writer = EvidenceWriter(EvidenceSettings(directory=tmp_path), CAMERA)
    picture = np.full((90, 160, 3), 90, np.uint8)
    verdict = defect(1.0, objects=MOST_HEATMAPS + 1)
    made = writer.write("ab", 1, verdict, "warning", START, picture=picture, with_clip=False)
    assert made.degraded == ()
    assert made.heatmaps[MOST_HEATMAPS] is None
    paths = [Path(urlsplit(uri).path) for uri in made.heatmaps if uri is not None]
    assert [path.name for path in paths] == ["ab-1-heat1.jpg", "ab-1-heat2.jpg", "ab-1-heat3.jpg"]
    assert {path.parent for path in paths} == {Path(urlsplit(made.ref.snapshot_uri or "").path).parent}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert made.ref.sha256.heatmaps == tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


def test_a_heat_map_that_cannot_be_drawn_leaves_the_alert_its_other_evidence(tmp_path: Path) -> None:
    writer = EvidenceWriter(EvidenceSettings(directory=tmp_path), CAMERA)
    bad = CloseUp(np.zeros((0, 0, 3), np.uint8), np.zeros((0, 0), np.float32))
    verdict = replace(defect(1.0), objects=(replace(defect(1.0).objects[0], close_up=bad),))
    made = writer.write("ab", 1, verdict, "warning", START, picture=np.zeros((90, 160, 3), np.uint8), with_clip=False)
    assert made.ref.snapshot_uri is not None
    assert made.heatmaps == (None,)
    assert made.degraded[0].startswith("no heat map: ")


def test_a_defects_message_names_its_heat_map_and_so_does_its_resolution(tmp_path: Path) -> None:
    clock, told = FakeClock(START), list[Alert]()
    with closing(Outbox(tmp_path / "outbox.sqlite3", (), clock)) as outbox:
        writer = EvidenceWriter(EvidenceSettings(directory=tmp_path / "evidence"), CAMERA)
        incidents = Incidents("site", "gate", IncidentSettings(resolve_after_s=2))
        origin = Origin(SiteIdentity(id="site"), CAMERA)
        desk = AlertDesk(
            origin, incidents, outbox, evidence=EvidenceDesk(writer, outbox, None), on_ready=told.append, clock=clock
        )
        picture = np.full((90, 160, 3), 90, np.uint8)
        desk.feed(defect(1.0), picture)
        assert not desk.busy
        desk.feed(defect(4.0, alarm=False), picture)
    opened, resolved = told
    assert (opened.data.kind, opened.data.action, resolved.data.action) == ("defect", "open", "resolve")
    uri = opened.data.objects[0].heatmap_uri
    assert uri is not None
    assert uri.endswith("-1-heat1.jpg")
    assert resolved.data.objects[0].heatmap_uri == uri
    assert resolved.data.evidence.sha256.heatmaps == opened.data.evidence.sha256.heatmaps != ()
    assert "close_up" not in opened.body().decode()


def test_an_open_incident_of_behaviour_keeps_the_gate_open(tmp_path: Path) -> None:
    clock = FakeClock(START)
    with closing(Outbox(tmp_path / "outbox.sqlite3", (), clock)) as outbox:
        incidents = Incidents("site", "gate", IncidentSettings())
        desk = AlertDesk(Origin(SiteIdentity(id="site"), CAMERA), incidents, outbox, clock=clock)
        assert not desk.busy
        desk.feed(verdict_at(1.0))
        assert desk.busy
