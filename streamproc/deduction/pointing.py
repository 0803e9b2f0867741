"""What an alert points at: the objects that carry the evidence, and the zone they are in."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.config import Area
from streamproc.deduction.evidence import Evidence
from streamproc.deduction.voters import measured_words
from streamproc.types import Box, DetectedObject, ObservedWindow

MOST_OBJECTS = 16


def objects(observed: ObservedWindow, evidence: Evidence) -> tuple[DetectedObject, ...]:
    """Tracks told of by the sentences that speak for an anomaly, and boxes of measurements beyond normal; the
    farthest beyond normal first, each once."""
    tracks = {track.track_id: track for track in observed.tracks}
    found: dict[int | Box, DetectedObject] = {}

    def add_track(track_id: int, text: str) -> None:
        if track_id in tracks and track_id not in found:
            track = tracks[track_id]
            found[track_id] = DetectedObject(track.label, track.box_norm, track.pred_score, text)

    for one in evidence.novel():
        m = one.measurement
        if m.track_id is not None and m.track_id in tracks:
            add_track(m.track_id, measured_words(one))
        elif m.box_norm is not None:
            found.setdefault(m.box_norm, DetectedObject("something", m.box_norm, 1.0, measured_words(one)))
        for i in one.facts:
            for track_id in evidence.facts[i].track_ids:
                add_track(track_id, evidence.facts[i].text)
    for met in evidence.standing():
        for i in met.facts:
            for track_id in evidence.facts[i].track_ids:
                add_track(track_id, evidence.facts[i].text)
    return tuple(found.values())[:MOST_OBJECTS]


def zone(pointed_at: Sequence[DetectedObject], evidence: Evidence, zones: Sequence[Area]) -> str | None:
    """Name of the zone in which the first object stands, or which the evidence's sentences name; None outside all."""
    if pointed_at:
        x0, _, x1, y1 = pointed_at[0].box_norm
        standing_at = ((x0 + x1) / 2, y1)
        return next((area.name for area in zones if _inside(standing_at, area.polygon)), None)
    names = {area.name for area in zones}
    leading = [i for one in evidence.novel() for i in one.facts] + [i for met in evidence.standing() for i in met.facts]
    return next((evidence.facts[i].place for i in leading if evidence.facts[i].place in names), None)


def _inside(point: tuple[float, float], polygon: Sequence[tuple[float, float]]) -> bool:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    x, y = point
    crossings = 0
    for (ax, ay), (bx, by) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            crossings += 1
    return crossings % 2 == 1
