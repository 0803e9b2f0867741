"""A calibration in words and numbers, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streamproc.normality.calibration import Calibration
from streamproc.normality.crowding import Count
from streamproc.normality.down import DOWN
from streamproc.normality.kinds import Kind

Section = tuple[str, tuple[str, ...]]
"""A heading, and its lines."""
_UNITS: Mapping[Kind, str] = {
    "speed": "times the place's normal speed",
    "glide": "times that, less what swinging limbs make of it",
    "appearance": "standard deviations from what is known",
}
"""As they are measured; what is told of an anomaly is told in times of the 99th percentile."""


def sections(calibration: Calibration, doubt: str | None = None) -> list[Section]:
    """What it holds, in the order in which people ask for it."""
    c = calibration
    learned = (
        f"{c.learned_at} from {_footage(c)}",
        f"{c.observed_s:.0f} s observed ({c.observed_s / 3600:.2f} h), {c.busy_s:.0f} s with something moving",
        f"pictures {_size(c.picture_px)}, motion measured at {_size(c.flow_px)} ({c.flow}), {c.samples_per_s:.1f} "
        "times a second",
    )
    return [
        ("camera", (c.camera_id,)),
        *([("doubt", (doubt,))] if doubt else []),
        ("learned", learned),
        ("alarm", (_threshold(c), str(c.false_alarms))),
        *((kind, _kind(c, kind)) for kind in c.kinds),
        ("normal speed", (_speed(c),)),
        ("memory", (_memory(c),)),
        ("stays", (_stays(c),)),
        ("people", _people(c)),
        ("direction", _directions(c)),
        ("size", _sizes(c)),
        ("posture", _postures(c)),
    ]


def as_dict(calibration: Calibration, doubt: str | None = None) -> dict[str, Any]:
    """The numbers; speeds in px/s of the picture, arrays left out."""
    c = calibration
    dwell = c.scene.dwell if c.scene is not None else None
    top, bottom = normal_speeds(c)
    return {
        **c.model_dump(mode="json", include={"camera_id", "learned_at", "observed_s", "busy_s", "samples_per_s"}),
        **c.model_dump(mode="json", include={"picture_px", "flow_px", "flow", "kinds", "novelty", "false_alarms"}),
        "sha256": c.sha256,
        "doubt": doubt,
        "clips": [clip.model_dump(mode="json") for clip in c.clips],
        "normal_speed_px_s": {"top": top, "bottom": bottom},
        "traffic_most": float(c.traffic.array.max()) if c.traffic is not None else None,
        "memory": None
        if c.memory is None
        else {"detector": c.memory.detector, "prototypes": c.memory.prototypes.shape[0], "patches": c.memory.patches},
        "examples": len(c.examples.shares) if c.examples is not None else 0,
        "stays": None
        if dwell is None
        else {
            "longest_s": max(dwell.longest_s, default=None),
            "observed_s": dwell.observed_s,
            "why_not": dwell.why_not or None,
        },
        "crowding": None if c.scene is None else c.scene.crowding.model_dump(mode="json"),
        "directions": None
        if c.directions is None
        else {
            "places": sum(1 for passages in c.directions.model.passages if passages),
            "earned": c.directions.earned and c.directions.earned.model_dump(mode="json"),
            "why_not": c.directions.why_not or None,
        },
        "sizes": None
        if c.sizes is None
        else {
            "classes": c.sizes.model.model_dump(mode="json")["classes"],
            "earned": c.sizes.earned and c.sizes.earned.model_dump(mode="json"),
            "why_not": c.sizes.why_not or None,
        },
        "postures": None
        if c.postures is None
        else {
            posture: {
                "longest_s": c.postures.longest_s.get(posture, 0.0),
                "told_from_s": c.postures.threshold_s(posture),
            }
            for posture in DOWN
        },
        "view_known": c.scene is not None and c.scene.view is not None,
    }


def normal_speeds(calibration: Calibration) -> tuple[float, float]:
    """Upper end of normal speed at the picture's upper and lower edge, px/s of the picture that was learned from."""
    scale = calibration.picture_px[0] / calibration.flow_px[0]
    field = calibration.place.normal((calibration.flow_px[1], 1))[:, 0] * scale
    return float(field[0]), float(field[-1])


def _footage(c: Calibration) -> str:
    seconds = sum(clip.duration_s for clip in c.clips)
    names = [clip.name for clip in c.clips]
    told = ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"
    return f"{len(names)} clip{'' if len(names) == 1 else 's'} of {seconds:.0f} s: {told}" if names else "no named clip"


def _size(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} x {size_px[1]}"


def _threshold(c: Calibration) -> str:
    known = c.novelty
    return (
        f"from a score of {known.threshold:.2f} on; held-out normal footage came to {known.held_out_max:.2f} at most, "
        f"its four parts within {known.held_out_range:.2f}; {known.one_hour_level:.2f} is expected once an hour"
    )


def _kind(c: Calibration, kind: Kind) -> tuple[str, ...]:
    known = c.kinds[kind]
    hour = known.median + known.one_hour_level * (known.p99 - known.median)
    counts = "counts in full" if known.weight == 1.0 else f"counts {known.weight:.2f}"
    levels = f"median {known.median:.2f}, 99th percentile {known.p99:.2f}, once an hour {hour:.2f}"
    numbers = f"{levels} {_UNITS[kind]}; {counts}"
    return (numbers, known.why) if known.why else (numbers,)


def _speed(c: Calibration) -> str:
    top, bottom = normal_speeds(c)
    return f"up to {top:.0f} px/s at the upper edge of the picture, {bottom:.0f} px/s at the lower edge"


def _memory(c: Calibration) -> str:
    if c.memory is None:
        return "none: what things look like is not judged"
    count = c.memory.prototypes.shape[0]
    return (
        f"{count} prototypes of {c.memory.patches:,} places that stood out, as detector {c.memory.detector} sees them"
    )


def _stays(c: Calibration) -> str:
    if c.scene is None:
        return "not learned"
    dwell = c.scene.dwell
    if dwell.why_not:
        return f"not judged: {dwell.why_not}"
    places = range(len(dwell.longest_s))
    longest = max(dwell.longest_s)
    known = f"up to {longest:.0f} s" if longest else "nothing stayed"
    least, most = (f"{some(dwell.threshold_s(place) for place in places):.0f}" for some in (min, max))
    return f"{known}, in {dwell.observed_s:.0f} s; told from {least if least == most else f'{least} to {most}'} s on"


def _people(c: Calibration) -> tuple[str, ...]:
    if c.scene is None:
        return ("not learned",)
    crowding = c.scene.crowding
    if crowding.people is None or crowding.densest is None:
        return (f"not judged: {crowding.why_not}",)
    return f"at once: {_count(crowding.people)}", f"at one spot: {_count(crowding.densest)}"


def _directions(c: Calibration) -> tuple[str, ...]:
    known = c.directions
    if known is None:
        return ("not learned",)
    if known.earned is None or known.why_not:
        return (f"not judged: {known.why_not}",)
    places = sum(1 for passages in known.model.passages if passages)
    told = (
        f"known at {places} of {len(known.model.passages)} places; told where a way is "
        f"{math.exp(known.earned.threshold):.1f} times as unusual as ways there are"
    )
    return (told, known.earned.why) if known.earned.why else (told,)


def _sizes(c: Calibration) -> tuple[str, ...]:
    known = c.sizes
    if known is None:
        return ("not learned",)
    if known.earned is None or known.why_not:
        return (f"not judged: {known.why_not}",)
    threshold = known.earned.threshold
    lines = [
        f"{name}: usual height {one.height((one.rows[0] + one.rows[1]) / 2) or 0.0:.0%} of the picture's in the middle "
        f"of where they stand; told below {one.ranges['height'].low ** threshold:.1f} and above "
        f"{one.ranges['height'].high ** threshold:.1f} times the usual"
        for name, one in known.model.classes.items()
    ]
    return (*lines, known.earned.why) if known.earned.why else tuple(lines)


def _postures(c: Calibration) -> tuple[str, ...]:
    known = c.postures
    if known is None:
        return ("not learned: there was no pose model",)
    return tuple(
        f"{posture}: {f'for up to {seconds:.1f} s' if (seconds := known.longest_s.get(posture)) else 'nobody'}; told "
        f"from {known.threshold_s(posture):.0f} s on"
        for posture in DOWN
    )


def _count(known: Count) -> str:
    return f"{known.median:.0f} mostly, up to {known.normal:.0f}; told from {known.threshold:.0f} on"
