"""How large something that nothing recognised is beside people as they are there."""

from __future__ import annotations

from dataclasses import replace

from streamproc.normality.size import Side, SizeModel
from streamproc.types import BesidePerson, Measurement

_SIDES: tuple[Side, ...] = ("height", "width")
_WHOLE = frozenset({"dwell"})
"""Measurements whose box is around all of the thing; others' is around what stands out most of it."""


def with_size(measurement: Measurement, sizes: SizeModel) -> Measurement:
    """``measurement``, told beside people where it is of no track and people were seen there."""
    if measurement.box_norm is None or measurement.track_id is not None:
        return measurement
    ratios = sizes.ratios("person", measurement.box_norm)
    if ratios is None:
        return measurement
    return replace(measurement, beside_person=_beside(ratios, sizes, measurement.name in _WHOLE))


def _beside(ratios: dict[Side, float], sizes: SizeModel, whole: bool) -> BesidePerson | None:
    normal = sizes.classes["person"].ranges
    if any(ratios[side] > normal[side].high for side in _SIDES):
        return "larger"
    if any(ratios[side] >= normal[side].low for side in _SIDES):
        return "alike"
    return "smaller" if whole else None
