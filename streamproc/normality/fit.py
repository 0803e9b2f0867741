"""Learn a camera's normal from a few clips, in one pass over their windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import structlog

from streamproc.config import NormalitySettings
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration, Clip
from streamproc.normality.flow import FlowMeter
from streamproc.normality.held_out import RawSample, false_alarms, fit_scale
from streamproc.normality.place import Place, RowPlace, fit_rows
from streamproc.normality.speed import SpeedSample, hottest, measure_speed
from streamproc.types import Window

log = structlog.get_logger(__name__)

FOLDS = 4
LEAST_BUSY_S = 10.0
"""From less, an anomaly is noticed many seconds late."""
GOOD_BUSY_S = 40.0
MOST_S = 4 * 3600.0
"""Of footage: about 300 MB of samples."""

Progress = Callable[[float], None]
"""Told of the seconds of footage taken in so far."""


def fit(
    windows: Iterable[Window],
    settings: NormalitySettings,
    *,
    learned_at: datetime,
    clips: Sequence[Clip] = (),
    progress: Progress | None = None,
) -> Calibration:
    """A calibration from the ``windows`` of normal footage, in order; each clip a run of its own.

    ``learned_at`` is the wall clock's time, timezone-aware: footage tells media time only.

    Raises:
        ConfigError: too little moves in the footage, or motion cannot be measured in it; says how much there was.
    """
    meter = FlowMeter(settings.flow_width_px)
    samples: list[SpeedSample] = []
    why_not: dict[str, int] = {}
    run: int | None = None
    observed_s = 0.0
    last: Window | None = None
    for window in windows:
        if window.run != run:
            meter.begin_run()
            run = window.run
        last = window
        for frame in (frame for burst in window.bursts for frame in burst):
            motion = meter.add(frame)
            sample = measure_speed(motion, window.run)
            if sample is not None:
                samples.append(sample)
                observed_s += sample.elapsed_s
            elif motion.why_not:
                why_not[motion.why_not] = why_not.get(motion.why_not, 0) + 1
        if progress:
            progress(observed_s)
        if observed_s > MOST_S:
            log.warning("calibration_full", observed_s=round(observed_s), reason="longer footage is not taken in")
            break
    busy_s = sum(sample.elapsed_s for sample in samples if len(sample.cells))
    if last is None or busy_s < LEAST_BUSY_S:
        raise ConfigError(_too_little(busy_s, why_not))
    folds = [samples[len(samples) * i // FOLDS : len(samples) * (i + 1) // FOLDS] for i in range(FOLDS)]
    held_out = [
        _raw(fold, _place([sample for other in folds if other is not fold for sample in other], busy_s, why_not))
        for fold in folds
    ]
    scale = fit_scale(held_out, least_value=1.0)
    height, width = last.last.picture.shape[:2]
    flow_px = (settings.flow_width_px, max(16, round(height * settings.flow_width_px / width)))
    return Calibration(
        camera_id=last.camera_id,
        learned_at=learned_at.astimezone(UTC).isoformat(timespec="seconds"),
        clips=tuple(clips),
        observed_s=observed_s,
        busy_s=busy_s,
        samples_per_s=len(samples) / observed_s,
        picture_px=(width, height),
        flow_px=flow_px,
        place=_place(samples, busy_s, why_not),
        scales={"speed": scale},
        false_alarms=false_alarms(scale, observed_s),
    )


def _place(samples: Sequence[SpeedSample], busy_s: float, why_not: dict[str, int]) -> RowPlace:
    place = fit_rows(samples)
    if place is None:
        raise ConfigError(_too_little(busy_s, why_not))
    return place


def _raw(fold: Sequence[SpeedSample], place: Place) -> list[RawSample]:
    raw = []
    for sample in fold:
        spot = hottest(sample, place.normal(sample.grid))
        raw.append(RawSample(sample.run, sample.pts_s, sample.elapsed_s, spot.ratio if spot else None))
    return raw


def _too_little(busy_s: float, why_not: dict[str, int]) -> str:
    text = (
        f"normal footage: only {busy_s:.0f} s in which something moves; at least {LEAST_BUSY_S:.0f} s needed, "
        f"{GOOD_BUSY_S:.0f} s or more recommended"
    )
    if why_not:
        reason, count = max(why_not.items(), key=lambda item: item[1])
        text += f" ({count} frames could not be measured: {reason})"
    return text
