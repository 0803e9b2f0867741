"""A camera's looks become verdicts of ``kind: defect``, with where it is not as it should be, and who says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from streamproc.areas import area_of
from streamproc.config import Area, InspectionSettings
from streamproc.inspection.live.crops import Crop, Thing
from streamproc.inspection.live.findings import Inspector, Key, Words
from streamproc.inspection.live.picking import FORGET_S
from streamproc.inspection.live.pooling import Look, Pool
from streamproc.inspection.nouns import Floats
from streamproc.types import CloseUp, DetectedObject, Explained, Measurement, ModelRef, RuleSet, Verdict

_SPEAKS = {"expert": "by the expert", "memory": "by the memory of how it looked"}


@dataclass(slots=True)
class _Known:
    """One region or track."""

    thing: Thing
    track_id: int | None
    pool: Pool
    key: Key
    asked: bool = False
    run: int = 0
    seen_s: float = field(default=0.0)


class Judge:
    """Judges one camera's crops, in about the order of their times. One caller at a time."""

    def __init__(
        self,
        inspectors: Mapping[str, Inspector],
        settings: InspectionSettings,
        rules: Callable[[], RuleSet],
        zones: tuple[Area, ...] = (),
        words: Words | None = None,
    ) -> None:
        """``inspectors`` are by ``Thing.key``; ``rules`` gives the camera's rule set, for the record; ``words``
        explains defects."""
        self._inspectors, self._settings, self._rules, self._zones = inspectors, settings, rules, zones
        self._words = words
        self._known: dict[tuple[str, int | None], _Known] = {}
        self._now = (0, 0.0)

    def judge(self, crop: Crop) -> Verdict | None:
        """What the camera's things are held to be after one more look; None where nobody knows the thing.

        Raises:
            InferenceError: a model failed on it; nothing has changed.
        """
        inspector = self._inspectors.get(crop.thing.key)
        if inspector is None:
            return None
        finding = None if crop.again else inspector.inspect(crop.pixels)
        known = self._note(crop)
        if finding is not None:
            known.pool.add(Look(crop.pixels, crop.box_norm, crop.sharpness, finding))
            self._explain(known)
        return self._verdict(crop, [one for one in self._known.values() if one.pool.state == "defect"])

    @property
    def defects(self) -> int:
        """How many things are not as they should be."""
        return sum(one.pool.state == "defect" for one in self._known.values())

    def _note(self, crop: Crop) -> _Known:
        frame, key = crop.frame, (crop.thing.key, crop.track_id)
        self._now = max(self._now, (frame.run, frame.pts_s))
        if key not in self._known:
            keeps = Pool(self._settings, "latest" if crop.track_id is None else "sharpest")
            self._known[key] = _Known(crop.thing, crop.track_id, keeps, crop.key)
        known = self._known[key]
        known.run, known.seen_s = frame.run, frame.pts_s
        run, now_s = self._now
        # A track ends, and its number says nothing in another run; a region stays where it is.
        gone_s = now_s - max(FORGET_S, 3 * self._settings.every_s)
        for key, one in list(self._known.items()):
            if one.track_id is not None and (one.run < run or one.seen_s < gone_s):
                del self._known[key]
                self._forget(one)
        return known

    def _explain(self, known: _Known) -> None:
        if self._words is None:
            return
        if known.pool.state == "ok":
            self._forget(known)
        elif not known.asked:
            known.asked = True
            look = known.pool.shown
            self._words.ask(known.key, known.thing.words, look.pixels, _unit(known.pool.times), look.finding.heat)

    def _forget(self, known: _Known) -> None:
        if self._words is not None and known.asked:
            known.asked = False
            self._words.forget(known.key)

    def _verdict(self, crop: Crop, defects: list[_Known]) -> Verdict:
        defects.sort(key=lambda one: -one.pool.times)
        alarm = bool(defects)
        worst = defects[0] if defects else self._known.get((crop.thing.key, crop.track_id))
        times = worst.pool.times if worst is not None else 0.0
        latest = [one.pool.shown.finding.times for one in defects] or [times]
        named = [one.thing for one in defects] or [crop.thing]
        rules, told = self._rules(), self._told(defects)
        return Verdict(
            camera_id=crop.frame.camera_id,
            run=self._now[0],
            # Crops of several things are looked at in the order of their waiting: a verdict is never before the last.
            pts_s=self._now[1],
            captured_at=crop.frame.received_at,
            kind="defect",
            judgement="anomaly" if alarm else "normal",
            score=_unit(latest[0]),
            smoothed=_unit(times),
            alarm=alarm,
            category=named[0].name,
            severity=self._settings.severity if alarm else "info",
            cited_rules=(),
            votes=(),
            captions=(),
            measurements=tuple(map(self._measured, defects)),
            reason=" ".join(
                part
                for one in defects
                for part in (_reason(one), told[one.key].text if one.key in told else "")
                if part
            )
            or f"The {crop.thing.words} is as it should be.",
            rule_set=rules,
            models=tuple(dict.fromkeys((*self._models(named), *(one.model for one in told.values() if one.model)))),
            objects=tuple(map(self._object, defects)),
            zone=self._zone(defects),
            degraded=tuple(
                dict.fromkeys(
                    (
                        *(text for one in named for text in self._inspectors[one.key].degraded),
                        *(one.missing for one in told.values() if one.missing),
                    )
                )
            ),
        )

    def _told(self, defects: list[_Known]) -> dict[Key, Explained]:
        answers = ((one.key, self._words.told(one.key)) for one in defects) if self._words is not None else ()
        return {key: told for key, told in answers if told is not None}

    def _models(self, things: list[Thing]) -> tuple[ModelRef, ...]:
        return tuple(dict.fromkeys(model for one in things for model in self._inspectors[one.key].models))

    def _zone(self, defects: list[_Known]) -> str | None:
        zone = area_of(defects[0].pool.shown.box_norm, self._zones) if defects else None
        return zone.name if zone is not None else None

    def _measured(self, known: _Known) -> Measurement:
        times = round(known.pool.times, 3)
        return Measurement(
            name=known.thing.name,
            value=times,
            unit="times its threshold",
            normal=1.0,
            score=times,
            threshold=self._settings.defect_at,
            box_norm=known.pool.shown.box_norm,
            track_id=known.track_id,
        )

    def _object(self, known: _Known) -> DetectedObject:
        look = known.pool.shown
        return DetectedObject(
            label=known.thing.words,
            box_norm=look.box_norm,
            pred_score=_unit(known.pool.times),
            text=f"{known.thing.words}: {_figure(known.pool.times)} times its threshold",
            measurement=self._measured(known),
            close_up=CloseUp(look.pixels, look.finding.heat),
        )


def _reason(known: _Known) -> str:
    pool = known.pool
    said = ", ".join(f"{_figure(one.times)} times its threshold {_SPEAKS[one.by]}" for one in pool.opinions)
    return (
        f"The {known.thing.words} is not as it should be, most of all {where(pool.shown.finding.heat)}: {said} "
        f"(median of {pool.looks} looks)."
    )


def where(heat: Floats) -> str:
    """In which ninth of the crop the heat is most, in words: ``in its upper left``."""
    hot = np.clip(np.nan_to_num(heat) - 0.5 * float(np.nan_to_num(heat).max()), 0, None)
    if hot.sum() <= 0:
        return "all over"
    rows, columns = np.indices(heat.shape)
    down = float(((rows + 0.5) * hot).sum() / hot.sum() / heat.shape[0])
    across = float(((columns + 0.5) * hot).sum() / hot.sum() / heat.shape[1])
    upper = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else ""
    side = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    if not upper and not side:
        return "in its middle"
    return (
        f"in its {upper} {side}".rstrip() if upper and side else f"in its {upper} part" if upper else f"on its {side}"
    )


def _figure(times: float) -> str:
    """``2.4``, ``31``; beyond that only that it is far: a dozen pictures tell a threshold, and nothing that far out."""
    return f"{times:.1f}" if times < 10 else f"{times:.0f}" if times <= 100 else "over 100"


def _unit(times: float) -> float:
    """Times of a threshold as a score: 0.5 at the threshold, below 1 whatever it is."""
    return times / (1 + times) if times > 0 else 0.0
