"""What an alert points at: the objects that carry the evidence, and the zone they are in."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.areas import area_of, named
from streamproc.config import Area
from streamproc.deduction.evidence import Evidence
from streamproc.deduction.voters import measured_words
from streamproc.types import Box, DetectedObject, Measurement, ObservedWindow

MOST_OBJECTS = 16


def objects(observed: ObservedWindow, evidence: Evidence) -> tuple[DetectedObject, ...]:
    """Tracks told of by the sentences that speak for an anomaly, and boxes of measurements beyond normal; the
    farthest beyond normal first, each once."""
    tracks = {track.track_id: track for track in observed.tracks}
    found: dict[int | Box, DetectedObject] = {}

    def add_track(track_id: int, text: str, measured: Measurement | None = None) -> None:
        if track_id in tracks and track_id not in found:
            track = tracks[track_id]
            found[track_id] = DetectedObject(
                track.label, track.box_norm, track.pred_score, text, measurement=measured or track.speed
            )

    for one in evidence.novel():
        m = one.measurement
        if m.track_id is not None and m.track_id in tracks:
            add_track(m.track_id, measured_words(one), m)
        elif m.box_norm is not None:
            found.setdefault(
                m.box_norm, DetectedObject("something", m.box_norm, 1.0, measured_words(one), measurement=m)
            )
        for i in one.facts:
            for track_id in evidence.facts[i].track_ids:
                add_track(track_id, evidence.facts[i].text)
    for met in evidence.standing():
        for i in met.facts:
            for track_id in evidence.facts[i].track_ids:
                add_track(track_id, evidence.facts[i].text)
    return tuple(found.values())[:MOST_OBJECTS]


def zone(pointed_at: Sequence[DetectedObject], evidence: Evidence, zones: Sequence[Area]) -> str | None:
    """Name of the zone in which the first object stands; where there is none to point at, of the zone that the first
    sentence to name one names. None outside all."""
    if pointed_at:
        area = area_of(pointed_at[0].box_norm, zones)
        return None if area is None else area.name
    names = [area.name for area in zones]
    leading = [i for one in evidence.novel() for i in one.facts] + [i for met in evidence.standing() for i in met.facts]
    told = (named(evidence.facts[i].place, names) or named(evidence.facts[i].text, names) for i in leading)
    return next((found[0] for found in told if found), None)
