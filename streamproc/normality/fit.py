"""Learn a camera's normal from a few clips: what they measure like, and from which score on something is unlike them.

Each quarter of the footage is held against what was learned from the other three, so that none is judged by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from streamproc.config import NormalitySettings
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration, Clip
from streamproc.normality.down import fit_postures
from streamproc.normality.examples import find_examples
from streamproc.normality.flow import grey_of
from streamproc.normality.glimpse import Detector, Glimpse
from streamproc.normality.heading_fit import fit_directions, learn_directions, surprises
from streamproc.normality.held_out import false_alarms, fit_threshold
from streamproc.normality.kinds import Kinds
from streamproc.normality.learned import LearnedScene
from streamproc.normality.looks import fit_looks
from streamproc.normality.memory import Memory, Recall, fit_memory
from streamproc.normality.novelty import Novelty
from streamproc.normality.picture import packed
from streamproc.normality.place import RowPlace, fit_rows
from streamproc.normality.posture import PoseEstimator
from streamproc.normality.recording import Progress, Recorded, record
from streamproc.normality.scales import Fold, fit_drift, fit_kinds, scores
from streamproc.normality.scene_fit import SceneLearner
from streamproc.normality.shake import Shake
from streamproc.normality.stature_fit import fit_sizes
from streamproc.normality.traffic import fit_traffic
from streamproc.normality.usual import fit_usual
from streamproc.types import Window

FOLDS = 4
LEAST_BUSY_S = 10.0
"""From less, an anomaly is noticed many seconds late."""
GOOD_BUSY_S = 40.0
_LEAST_SCORE = 1.0
"""Of the threshold: one kind by itself at its 99th percentile, however still the footage was."""


def fit(
    windows: Iterable[Window],
    settings: NormalitySettings,
    *,
    learned_at: datetime,
    clips: Sequence[Clip] = (),
    detector: Detector | None = None,
    progress: Progress | None = None,
    pose: PoseEstimator | None = None,
) -> Calibration:
    """``record`` and ``fit_recorded`` with all that there is to learn, in one; keeps the windows until it is done.

    ``settings``, ``learned_at``, ``clips``: as there. Without ``detector`` neither appearance nor crowding is learned,
    without ``pose`` no postures.

    Raises:
        ConfigError: as ``fit_recorded``.
        InferenceError: the detector failed.
    """
    kept, learner = tuple(windows), SceneLearner()
    for window in kept:
        learner.add(grey_of(window.last, settings.flow_width_px), window.run, window.last.pts_s)
    recorded = record(kept, settings, detector, learner.background() if kept else None, progress, pose)
    scene = learner.learned(recorded.background, recorded.people) if kept else None
    return fit_recorded(recorded, settings, learned_at=learned_at, clips=clips, scene=scene)


def fit_recorded(
    recorded: Recorded,
    settings: NormalitySettings,
    *,
    learned_at: datetime,
    clips: Sequence[Clip] = (),
    scene: LearnedScene | None = None,
) -> Calibration:
    """A calibration from what was taken in, and what was learned of the ``scene``.

    ``learned_at`` is the wall clock's time, timezone-aware: footage tells media time only.

    Raises:
        ConfigError: too little moves in the footage, or motion cannot be measured in it; says how much there was.
    """
    glimpses = [one for window in recorded.windows for one in window]
    measured = [one for one in glimpses if one.sample is not None]
    samples = [one.sample for one in measured if one.sample is not None]
    observed_s = sum(sample.elapsed_s for sample in samples)
    busy_s = sum(sample.elapsed_s for sample in samples if len(sample.cells))
    if busy_s < LEAST_BUSY_S:
        raise ConfigError(_too_little(busy_s, glimpses))
    bounds = [len(measured) * i // FOLDS for i in range(FOLDS + 1)]
    folds, ways = [], []
    for first, end in pairwise(bounds):
        place, memory = _learned([*measured[:first], *measured[end:]], recorded.detector, busy_s, glimpses)
        others = learn_directions([*samples[:first], *samples[end:]], place)
        ways.append(surprises(others, samples[first:end], place))
        folds.append(Fold(measured[first:end], Kinds(place, None if memory is None else Recall(memory))))
    kinds = fit_kinds(folds)
    looks = fit_looks(folds, kinds)
    held_out = [scores(fold.glimpses, Novelty(fold.kinds, kinds)) for fold in folds]
    novelty = fit_threshold(held_out, _LEAST_SCORE)
    place, memory = _learned(measured, recorded.detector, busy_s, glimpses)
    memory = memory if "appearance" in kinds else None
    return Calibration(
        camera_id=recorded.camera_id,
        learned_at=learned_at.astimezone(UTC).isoformat(timespec="seconds"),
        clips=tuple(clips),
        observed_s=observed_s,
        busy_s=busy_s,
        samples_per_s=len(measured) / observed_s,
        picture_px=measured[-1].picture_px,
        flow_px=measured[-1].size_px,
        flow=settings.flow,
        background=packed(recorded.background),
        place=place,
        memory=memory,
        examples=find_examples(memory, recorded.looks) if memory is not None else None,
        traffic=fit_traffic(samples, place),
        kinds=kinds,
        unrest_px_s=_unrest_px_s(measured),
        novelty=novelty,
        usual=fit_usual(held_out, novelty.threshold),
        looks=looks,
        scene=scene,
        postures=fit_postures(glimpses) if recorded.postures_asked else None,
        drift=fit_drift(folds),
        directions=fit_directions(learn_directions(samples, place), ways),
        sizes=fit_sizes([look for window in recorded.sizes for look in window]),
        false_alarms=false_alarms(novelty, observed_s),
    )


def _learned(
    glimpses: Sequence[Glimpse], detector: str, busy_s: float, all_of: Sequence[Glimpse]
) -> tuple[RowPlace, Memory | None]:
    place = fit_rows([one.sample for one in glimpses if one.sample is not None])
    if place is None:
        raise ConfigError(_too_little(busy_s, all_of))
    textures = [one.look.texture for one in glimpses if one.look is not None and one.look.texture is not None]
    return place, fit_memory(textures, detector)


def _unrest_px_s(glimpses: Sequence[Glimpse]) -> float:
    shake, run, most = Shake(math.inf), None, 0.0
    for glimpse in glimpses:
        if glimpse.run != run:
            run = glimpse.run
            shake.reset()
        if glimpse.sample is not None:
            shake.add(glimpse.camera, glimpse.sample.elapsed_s)
            most = max(most, shake.left_px_s)
    return most


def _too_little(busy_s: float, glimpses: Sequence[Glimpse]) -> str:
    text = (
        f"normal footage: only {busy_s:.0f} s in which something moves; at least {LEAST_BUSY_S:.0f} s needed, "
        f"{GOOD_BUSY_S:.0f} s or more recommended"
    )
    why_not = [one.why_not for one in glimpses if one.why_not]
    if why_not:
        reason = max(set(why_not), key=why_not.count)
        text += f" ({why_not.count(reason)} frames could not be measured: {reason})"
    return text
