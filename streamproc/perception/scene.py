"""The embedded captioner: sentences composed from tracks and measurements, without a model of language or vision.

It says what was measured and no more: people first (how many, what each group does, where), then things. Nobody is said
to hurry unless what was measured has reached the threshold that was set from the camera's own normal footage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from streamproc.config import Area
from streamproc.perception.captioner import composed
from streamproc.perception.grammar import conjugated, counted
from streamproc.perception.measured import ALONE, fast, looks_alone, oddly, sized, somebody, unlike
from streamproc.perception.places import place_of
from streamproc.perception.riding import mount
from streamproc.types import Caption, Fact, Measurement, ModelRef, ObservedWindow, Track

_STILL = 0.08
"""Times the normal speed (its 99th percentile) below which someone stands: people who walk slowly measure .12 and more,
people who stand, shifting their weight, up to .07."""
_STIRS = 0.002
"""Share of the picture that must move before something is said to move where nothing was recognised."""
_VEHICLES = frozenset({"car", "truck", "bus", "motorcycle", "train"})
_ANIMALS = frozenset({"bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"})
REVISION = "4"
"""Of the wording and of the limits above."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A track, with what it does."""

    track: Track
    action: str
    odd: tuple[Measurement, ...]
    """The measurements by which it is unlike normal footage, the farthest from it first."""


class SceneCaptioner:
    """Without state; a stand-in for a vision-language model."""

    model = ModelRef("perception", "scene", REVISION, stand_in_for="a vision-language model")

    def __init__(self, zones: tuple[Area, ...] = ()) -> None:
        """``zones``: named places of the camera, the first that fits is named."""
        self._zones = zones

    def caption(self, observed: ObservedWindow) -> Caption:
        """The window in words and in parts; what was not judged is in ``degraded``."""
        odd = [m for m in observed.measurements if m.score >= m.threshold]
        looked = {track.track_id: _look(track, odd) for track in observed.tracks}
        seen = [_riding(one, looked) for one in looked.values()]
        people = self._facts(one for one in seen if one.track.label == "person")
        things = self._facts(one for one in seen if one.track.label != "person")
        carried = {track.track_id for track in observed.tracks}
        loose = [self._something(m, bool(observed.not_judged)) for m in odd if m.track_id not in carried]
        if not seen and not loose and observed.motion >= _STIRS:
            loose = [_anything(observed)]
        loose.sort(key=lambda fact: fact.about != "human")
        return composed(observed, (*people, *loose, *things), self.model, observed.not_judged)

    def _facts(self, seen: Iterable[_Seen]) -> list[Fact]:
        """One fact for all that do the same in the same place; the odd first, then the larger groups."""
        groups: dict[tuple[str, str, bool, str], list[_Seen]] = {}
        for one in seen:
            place = place_of(one.track.box_norm, self._zones)
            groups.setdefault((one.track.label, one.action, bool(one.odd), place), []).append(one)
        order = sorted(groups.items(), key=lambda item: (not item[0][2], -len(item[1]), item[0]))
        return [_fact(label, action, place, group) for (label, action, _, place), group in order]

    def _something(self, measurement: Measurement, may_stand: bool) -> Fact:
        place = place_of(measurement.box_norm, self._zones) if measurement.box_norm else ""
        if measurement.name == "crowding":  # Its people are counted one by one already.
            text = _sentence("A crowd", "is seen", place, unlike(measurement, "", 1))
            return Fact("environment", "crowd", 1, "", place, text, measurement)
        action = "" if may_stand and looks_alone(measurement) else oddly("something", "moves", measurement)
        addition = unlike(measurement, action, 1)
        if somebody(measurement):  # The detector knows who stands, and loses who lies.
            text = _sentence("One person", action, place, addition)
            return Fact("human", "person", 1, action, place, text, measurement)
        text = _sentence(sized(measurement), action or "is seen", place, addition)
        return Fact("environment", "something", 1, action, place, text, measurement)


def _anything(observed: ObservedWindow) -> Fact:
    """Something nobody recognised; without a speed that it stands out is all that is known."""
    action = "" if any(reason.startswith("speed:") for reason in observed.not_judged) else "moves"
    return Fact("environment", "something", 1, action, "", _sentence("Something", action or "is seen", "", ""))


def _look(track: Track, odd: list[Measurement]) -> _Seen:
    own = [m for m in odd if m.track_id == track.track_id]
    if track.speed is not None and track.speed.score >= track.speed.threshold:
        own.append(track.speed)
    farthest = _by_name(own)
    if track.speed is None and all(map(looks_alone, farthest)):
        return _Seen(track, "", farthest)
    still = track.speed is not None and track.speed.value < _STILL * track.speed.normal
    action = _action(track.label, still and not any(fast(one) for one in farthest))
    for one in farthest:
        action = oddly(track.label, action, one)
    return _Seen(track, action, farthest)


def _by_name(odd: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The farthest beyond its threshold of each that stands by itself, and of all that make up one score together."""
    farthest: dict[str, Measurement] = {}
    # What has parts tells more of the same, and of how it moves.
    for one in sorted(odd, key=lambda m: (bool(m.parts), _times(m))):
        farthest[one.name if one.name in ALONE else "moves"] = one
    return tuple(sorted(farthest.values(), key=_times, reverse=True))


def _times(measurement: Measurement) -> float:
    """Its score in times of its threshold."""
    return measurement.score / max(measurement.threshold, 1e-9)


def _riding(one: _Seen, looked: Mapping[int, _Seen]) -> _Seen:
    """``one``, who rides where they and what is under them move together in no way that people walk."""
    if one.track.label != "person" or (under := mount(one.track, (other.track for other in looked.values()))) is None:
        return one
    ridden = looked[under.track_id]
    odd = next((it.odd for it in (one, ridden) if any(map(fast, it.odd)) or (it.odd and it.action == "glides")), None)
    return one if odd is None else replace(one, action=f"rides a {under.label}", odd=odd)


def _action(label: str, still: bool) -> str:
    if label == "person":
        return "stands" if still else "walks"
    if label in _VEHICLES:
        return "stands" if still else "drives"
    if label in _ANIMALS:
        return "rests" if still else "walks"
    return "" if still else "moves"


def _fact(label: str, action: str, place: str, group: list[_Seen]) -> Fact:
    count = len(group)
    odd = _by_name(m for one in group for m in one.odd)
    verb = conjugated(action or "is seen", count)
    text = _sentence(counted(count, label), verb, place, ", ".join(unlike(one, action, count) for one in odd))
    return Fact(
        about="human" if label == "person" else "environment",
        subject=label,
        count=count,
        action=action,
        place=place,
        text=text,
        measurement=odd[0] if odd else None,
        track_ids=tuple(one.track.track_id for one in group),
    )


def _sentence(subject: str, verb: str, place: str, addition: str) -> str:
    words = f"{subject} {verb}" + (f" {place}" if place else "")
    return words + (f", {addition}." if addition else ".")
