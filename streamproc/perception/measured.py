"""Measurements in words: what about something is unlike the camera's normal footage."""

from __future__ import annotations

from streamproc.types import Measurement, Part

_TOLD = 0.25
"""Share of the score from which a part is worth words."""
_FASTER = 1.05
"""Times the normal speed from which something is fast: below it "1.0 times" would be read."""
_GLIDING = frozenset(("walks", "moves"))
ALONE = frozenset(("direction", "size", "dwell", "crowding", "lying", "crouching"))
"""Measurements that are no part of the score of what moves."""


_DOWN = {"lying": "lies on the ground", "crouching": "crouches"}


def fast(measurement: Measurement) -> bool:
    """Whether speed is part of what is odd."""
    part = _part(measurement, "speed")
    return part is not None and part.value >= _FASTER * part.normal


def looks_alone(measurement: Measurement) -> bool:
    """Whether nothing of it tells how something moves."""
    return measurement.name == "appearance" and all(part.name == "appearance" for part in measurement.parts)


def somebody(measurement: Measurement) -> bool:
    """Whether it is of a person, whatever a detector calls them."""
    return measurement.name in _DOWN


def oddly(label: str, action: str, measurement: Measurement) -> str:
    """``action`` of something called ``label``, or what it is called where it is done as ``measurement`` tells."""
    if measurement.name in _DOWN:
        return _DOWN[measurement.name]
    if measurement.name == "dwell":
        return "stays"
    glide = _part(measurement, "glide")
    if glide is not None and glide.value > glide.normal and action in _GLIDING:
        return "glides"
    if action == "walks" and fast(measurement):
        return "hurries" if label == "person" else "runs"
    return action


def sized(measurement: Measurement) -> str:
    """What nothing recognised, beside people: ``Something the size of a person``."""
    match measurement.beside_person:
        case "smaller":
            return "Something small"
        case "alike":
            return "Something the size of a person"
        case "larger":
            return "Something larger than a person"
    return "Something"


def unlike(measurement: Measurement, action: str, count: int) -> str:
    """What ``measurement`` tells of ``count`` things that do ``action``: ``as if cycling or skating, up to 2.1 times as
    fast as is normal there``."""
    if measurement.name in _DOWN:
        seconds = max(1, round(measurement.value))
        fallen = "as if fallen, " if measurement.name == "lying" else ""
        return f"{fallen}for {seconds} second{'s' if seconds > 1 else ''}, longer than anybody in the normal footage"
    if measurement.name == "direction":
        return "the wrong way, as hardly anything goes there"
    if measurement.name == "size":
        return f"{'up to ' if count > 1 else ''}{measurement.value:.1f} {measurement.unit}"
    if measurement.name == "crowding":
        return f"{measurement.value:.0f} {measurement.unit}, more than is normal there"
    said = []
    if measurement.name == "dwell":
        said.append(f"for {measurement.value:.0f} seconds, where nothing stays so long")
    if action == "glides":
        said.append("as if cycling or skating")
    speed = _part(measurement, "speed")
    if speed is not None and fast(measurement):
        most = "up to " if count > 1 else ""
        said.append(f"{most}{speed.value / speed.normal:.1f} times as fast as is normal there")
    if _part(measurement, "appearance") is not None:
        said.append("looking unlike anything seen there before")
    return ", ".join(said) or "unlike what is normal there"


def _part(measurement: Measurement, name: str) -> Part | None:
    if measurement.parts:
        return next((part for part in measurement.parts if part.name == name and part.share >= _TOLD), None)
    if measurement.name != name:
        return None
    return Part(name, measurement.value, measurement.unit, measurement.normal, 1.0)
