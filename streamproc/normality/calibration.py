"""What was measured on a camera's normal footage, as a small file beside its rule set."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamproc.config import NormalitySettings
from streamproc.errors import ConfigError
from streamproc.figures import plain
from streamproc.normality.arrays import Packed
from streamproc.normality.down import KnownPostures
from streamproc.normality.drift import DriftReference
from streamproc.normality.examples import Examples
from streamproc.normality.flow import flow_size
from streamproc.normality.heading import KnownDirections
from streamproc.normality.kinds import Kind
from streamproc.normality.learned import LearnedScene
from streamproc.normality.memory import Memory
from streamproc.normality.novelty import KindScale
from streamproc.normality.picture import GreyPicture
from streamproc.normality.place import RowPlace
from streamproc.normality.stature import KnownSizes
from streamproc.wholefile import private_file

SCHEMA_VERSION: Final = 2
_FORM = "streamproc.calibration"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Clip(_Part):
    """A piece of normal footage that was learned from."""

    name: str
    """File name, without its folders."""
    sha256: str
    """Of its bytes."""
    duration_s: float


class Scale(_Part):
    """One measurement's scale and threshold, from held-out parts of the normal footage."""

    median: float
    """The held-out footage's median, raw, while something moves: score 0."""
    p99: float
    """Its 99th percentile: score 1."""
    threshold: float
    """Smoothed score at which the measurement speaks of an anomaly: the largest of the one-hour level, the
    held-out maximum plus range, and a least value of the measurement's own (speed: the place's normal)."""
    held_out_max: float
    """Highest smoothed score of the held-out footage."""
    held_out_range: float
    """Difference of the folds' highest smoothed scores, largest less smallest."""
    one_hour_level: float
    """Smoothed score that is reached once an hour if maxima over two seconds follow a Gumbel distribution. An
    extrapolation wherever less than an hour was observed: nothing in the footage verifies it."""

    def score(self, value: float) -> float:
        """``value`` on the calibrated scale: 0 the normal footage's median, 1 its 99th percentile."""
        return (value - self.median) / (self.p99 - self.median)


class FalseAlarms(_Part):
    """What the held-out footage says about the rate of false alarms."""

    count: int
    """Alarms the held-out footage raised at the thresholds that were set from it."""
    hours: float
    """Hours observed."""
    upper_per_hour: float
    """95 % upper bound of the rate; three over the hours observed where there was none (rule of three)."""
    extrapolated: bool
    """Whether a threshold rests on an extrapolation beyond the hours observed."""

    def __str__(self) -> str:
        text = (
            f"{self.count or 'no'} alarm{'' if self.count == 1 else 's'} in the {self.hours * 3600:.0f} s of normal "
            f"footage that the threshold was set from; later footage like it: at most {plain(self.upper_per_hour)} "
            "false alarms an hour (95 % upper bound)"
        )
        return text + ("; the threshold for one an hour is extrapolated, not observed" if self.extrapolated else "")


class Calibration(_Part):
    """A camera's normal, as far as it is measured. Frozen; ``save`` and ``load`` are its way to and from disk."""

    schema_version: Literal[2] = SCHEMA_VERSION
    camera_id: str
    learned_at: str
    """When it was measured, ISO 8601, UTC."""
    clips: tuple[Clip, ...]
    observed_s: Annotated[float, Field(gt=0)]
    """Seconds of footage in which motion could be measured."""
    busy_s: Annotated[float, Field(gt=0)]
    """Of these, seconds in which something moved."""
    samples_per_s: float
    """Measurements of motion a second."""
    picture_px: tuple[int, int]
    """Width and height of the pictures learned from."""
    flow_px: tuple[int, int]
    """Width and height at which motion was measured."""
    flow: Literal["fine", "quick"]
    """How it was measured."""
    background: GreyPicture
    """What the camera shows when nothing is there, at that size."""
    place: RowPlace
    """Upper end of normal speed by place, in px/s at that size."""
    memory: Memory | None
    """What things that stand out looked like; None where too little was seen, or the detector does not tell."""
    examples: Examples | None = None
    """What the memory's prototypes stand for, for people to look at."""
    traffic: Packed | None = None
    """(rows, columns): share of the time in which something moved there, for people to look at."""
    kinds: dict[Kind, KindScale]
    """What was measured of each kind."""
    unrest_px_s: Annotated[float, Field(ge=0)] = 0.0
    """Most that was left of the camera's own motion in the normal footage; flow's errors are in it, so that it says
    something of a camera only beside its own."""
    novelty: Scale
    """Of their sum."""
    usual: tuple[float, ...] = ()
    """Percentiles 0 to 100 of the highest score of each second of held-out footage, in times of that threshold; empty
    in an older calibration, or one of less than a minute."""
    looks: Scale | None = None
    """Of appearance by itself, a look a second: what is judged where motion cannot be; None where looks are not."""
    scene: LearnedScene | None = None
    """What was learned of the scene beside what moves; None in a calibration of part of the footage."""
    drift: dict[str, DriftReference] = {}
    """What each kind's largest values measured, by its name, for what changes slowly to be noticed; empty where that
    was not learned."""
    directions: KnownDirections | None = None
    """Which ways are gone; None in an older calibration."""
    sizes: KnownSizes | None = None
    """How large things are; None in an older calibration."""
    postures: KnownPostures | None = None
    """How long people lay and crouched; None where nobody was asked about, as without a pose model."""
    false_alarms: FalseAlarms

    @property
    def reservations(self) -> tuple[str, ...]:
        """What counts less than it might on this camera, or not at all, and why, in words."""
        own = [
            known.earned for known in (self.directions, self.sizes) if known is not None and known.earned is not None
        ]
        untold = (
            ("what stays", self.scene and self.scene.dwell.why_not),
            ("a crowd", self.scene and self.scene.crowding.why_not),
            ("the wrong way", self.directions and self.directions.model.why_not),
            ("an unusual size", self.sizes and self.sizes.model.why_not),
        )
        return (
            *(f"{what} is not told: {why}" for what, why in untold if why),
            *(kind.why for kind in self.kinds.values() if kind.why),
            *(earned.why for earned in own if earned.why),
            *(self.postures.why if self.postures is not None else ()),
        )

    def usual_up_to(self, percentile: float) -> float | None:
        """Score, in times of the threshold, that this share of normal seconds (0..100) stays below; None where that was
        not learned."""
        return float(np.interp(percentile, range(len(self.usual)), self.usual)) if self.usual else None

    @property
    def sha256(self) -> str:
        """Of the content, whatever the file's layout."""
        return _digest(self._body())

    def _body(self) -> dict[str, Any]:
        # What was not measured is left out, so that a later version's further field leaves the hash as it is.
        return {"schema_version": SCHEMA_VERSION, **self.model_dump(mode="json", exclude_defaults=True)}

    def require(self, settings: NormalitySettings) -> None:
        """Refuse to be held against motion that is measured otherwise.

        Raises:
            ConfigError: says what to set back.
        """
        wanted = flow_size(settings.flow_width_px, self.picture_px)[0]
        for name, was, is_now in (
            ("flow_width_px", self.flow_px[0], wanted),
            ("flow", self.flow, settings.flow),
        ):
            if was != is_now:
                raise ConfigError(
                    f"camera {self.camera_id}: its calibration was measured at {name}: {was}, the pipeline says "
                    f"{is_now}; set it back or run `streamproc induce` again"
                )

    def save(self, path: Path) -> None:
        """Write it as JSON; for its owner alone, since it shows people, small, as evidence does."""
        document = {"form": _FORM, "sha256": self.sha256, "calibration": self._body()}
        with private_file(path) as file:
            file.write((json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            ConfigError: there is no such file, it is none of this form or version, or it was changed by hand.
        """
        remedy = "; write it anew with `streamproc induce`"
        try:
            document: Any = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: the calibration cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(f"{path}: not a calibration: it is not JSON{remedy}") from None
        body = document.get("calibration") if isinstance(document, dict) else None
        if not isinstance(body, dict) or document.get("form") != _FORM:
            raise ConfigError(f"{path}: not a calibration: its form is not {_FORM}{remedy}")
        if body.get("schema_version") != SCHEMA_VERSION:
            found = str(body.get("schema_version"))[:20]
            raise ConfigError(f"{path}: calibration of version {found}, but {SCHEMA_VERSION} is what is read{remedy}")
        if _digest(body) != document.get("sha256"):
            raise ConfigError(f"{path}: the calibration was changed since it was measured{remedy}")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{path}: {where}: {first['msg']}{remedy}") from None


def _digest(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
