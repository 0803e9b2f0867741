# Longer than 300 lines: one page of nouns is read from top to bottom, in the order in which they flow.
"""The nouns: what flows from a camera to a topic.

All are frozen, slotted dataclasses without behaviour beyond their invariants. Boxes are normalised
``(x0, y0, x1, y1)`` in 0..1 of the picture, top left first. ``pts_s`` is media time in seconds within a run and
decides; ``received_at`` and ``captured_at`` are wall-clock UTC and label.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
"""Normalised (x0, y0, x1, y1), 0..1, x0 <= x1 and y0 <= y1."""

Severity = Literal["critical", "error", "warning", "info"]
About = Literal["human", "environment"]
Says = Literal["normal", "anomaly"]
Kind = Literal["behaviour", "defect"]
Judgement = Literal["anomaly", "normal", "unknown"]


_HOST = 1
"""DLPack's number of the processor's own memory."""


@runtime_checkable
class Picture(Protocol):
    """RGB pixels, (height, width, 3) uint8, on the host or on a device; a numpy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, 3)."""
        ...

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


def on_host(picture: Picture) -> npt.NDArray[np.uint8]:
    """The picture's pixels as a numpy array, (height, width, 3) uint8 RGB; no copy where they are on the host already.

    A picture on a device copies itself when it is asked for an array.
    """
    if isinstance(picture, np.ndarray):
        return cast("npt.NDArray[np.uint8]", picture)
    pixels = np.from_dlpack(picture) if picture.__dlpack_device__()[0] == _HOST else np.asarray(picture)
    return cast("npt.NDArray[np.uint8]", pixels)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a decoder and a muxer must know of a video stream; the same for all packets of a run."""

    codec: str
    """FFmpeg's name: ``h264``, ``hevc``, ``mpeg4``, ``mjpeg``."""
    width_px: int
    height_px: int
    fps: float | None
    """Nominal frames a second as the stream declares them; None where it does not."""
    extradata: bytes
    """Codec configuration (SPS/PPS for H.264), empty where it travels in band."""
    pix_fmt: str | None = None
    """FFmpeg's pixel format, where the bytes alone do not tell it (``rawvideo`` of a webcam)."""


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """One encoded picture of one camera, never copied after it was received."""

    camera_id: str
    run: int
    """Number of the session with the camera; one more after each reconnect."""
    pts_s: float
    """Presentation time in seconds of media time, from 0 at the run's first packet."""
    dts_s: float
    """Decoding time in seconds; not decreasing within a run."""
    received_at: datetime
    """Wall-clock time of receipt, UTC."""
    is_keyframe: bool
    data: bytes
    """The encoded bytes, as demuxed."""


@dataclass(frozen=True, slots=True, eq=False)
class PacketBatch:
    """Packets of one run in order of arrival, with what is needed to decode or mux them."""

    stream: StreamInfo
    packets: tuple[Packet, ...]
    degraded: tuple[str, ...] = ()
    """In what they are less than was wanted, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture from one camera."""

    camera_id: str
    run: int
    """Number of the session with the camera; one more after each reconnect."""
    pts_s: float
    """Media time in seconds, increasing within a run."""
    received_at: datetime
    """Wall-clock time of receipt, UTC."""
    picture: Picture
    """RGB pixels, (height, width, 3) uint8, on the host or a device; privacy masks are already black."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The sampled frames that are looked at together."""

    camera_id: str
    run: int
    index: int
    """Counts the windows of a run from 0, dropped ones included."""
    bursts: tuple[tuple[Frame, ...], ...]
    """Groups of neighbouring frames, oldest first; motion is measured inside a burst."""

    def __post_init__(self) -> None:
        if not self.bursts or not all(self.bursts):
            raise ValueError("a window holds at least one burst, a burst at least one frame")

    @property
    def start_s(self) -> float:
        """Media time of the first frame."""
        return self.bursts[0][0].pts_s

    @property
    def end_s(self) -> float:
        """Media time of the last frame."""
        return self.bursts[-1][-1].pts_s

    @property
    def last(self) -> Frame:
        """The newest frame."""
        return self.bursts[-1][-1]

    @property
    def captured_at(self) -> datetime:
        """Wall-clock time at which the window's last frame was received, UTC."""
        return self.last.received_at


@dataclass(frozen=True, slots=True)
class Part:
    """One of several things measured of the same object, by which together it is unlike normal footage."""

    name: str
    """``speed``, ``glide``, ``appearance``."""
    value: float
    """In ``unit``, smoothed over time."""
    unit: str
    """In words: ``times the normal speed here``."""
    normal: float
    """The upper end of normal, in ``unit``."""
    share: float
    """Of the whole's score that it brings, 0..1."""


BesidePerson = Literal["smaller", "alike", "larger"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Something measured, beside what this camera's normal footage measured like."""

    name: str
    """``speed``, ``dwell``, …; of several parts the one that brings most of the score."""
    value: float
    """In ``unit``, smoothed over time: a single frame's value is never told."""
    unit: str
    """Unit of ``value`` and ``normal`` in words: ``times normal speed``, ``s``."""
    normal: float
    """The upper end of normal here (99th percentile of the normal footage), in ``unit``."""
    score: float
    """Calibrated on held-out normal footage and smoothed: 0 its median, 1 its 99th percentile."""
    threshold: float
    """Score at or above which the measurement speaks of an anomaly on this camera."""
    box_norm: Box | None = None
    """Where, if it has a place."""
    track_id: int | None = None
    """Whose, if a track carries it."""
    parts: tuple[Part, ...] = ()
    """What it is made of, the largest share first; empty where it is one thing."""
    beside_person: BesidePerson | None = None
    """How large it is beside people as they are there, where no track carries it; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object followed through time, as of the window's last frame."""

    track_id: int
    label: str
    """Class name in the detector's words: ``person``, ``car``."""
    pred_score: float
    """Detector's confidence, 0..1."""
    box_norm: Box
    age_s: float
    """Media time since it was first seen in this run."""
    speed: Measurement | None = None
    """How fast it moves beside what is normal at its place; None where speed cannot be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedWindow:
    """A window with what moves in it and how that measures beside normal footage."""

    window: Window
    tracks: tuple[Track, ...]
    measurements: tuple[Measurement, ...]
    """Of the scene as a whole; each calibrated."""
    motion: float
    """Share of the picture that moved, 0..1."""
    not_judged: tuple[str, ...] = ()
    """What could not be measured and why, in words (``speed: 1 frame/s, needs 5``); never passed as normal."""
    calibration_sha256: str | None = None
    """Of the calibration that it was measured by; None where there is none."""
    course: tuple[tuple[float, float], ...] = ()
    """Media time of each frame in which something was measured, and how far what moves stood out by then, in times of
    the threshold: of that frame and those before it alone."""
    drift: tuple[str, ...] = ()
    """What has come to measure otherwise than the footage that was learned, for hours, in words."""
    took_s: float = 0.0
    """Seconds that it took to track and measure, the wait for a turn included, where the camera is live."""
    passed_by: int = 0
    """Windows since the last observed one that were not looked at, as nothing stood out."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that had a part in a verdict."""

    role: str
    """``detector``, ``perception``, ``deduction``, ``embedding``."""
    name: str
    revision: str
    """Version, or the first 12 digits of the weights' sha256."""
    prompt_sha256: str | None = None
    """Of the prompt templates, where there are any."""
    stand_in_for: str | None = None
    """What a GPU site would run instead, where this is an embedded stand-in."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What was answered to the question what is wrong with a thing."""

    text: str
    """In words; empty where there is no answer."""
    model: ModelRef | None = None
    """Whose words they are."""
    missing: str = ""
    """Why there is no answer."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence of a caption, in parts."""

    about: About
    subject: str
    """Singular noun: ``person``, ``car``, ``something``."""
    count: int
    action: str
    """Third person singular: ``walks``, ``hurries``, ``stands``; empty for things that do nothing."""
    place: str
    """Where in words: ``on the left``, a zone's name; may be empty."""
    text: str
    """The whole sentence, with its full stop."""
    measurement: Measurement | None = None
    """What was measured, where the sentence rests on a measurement."""
    track_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Caption:
    """What is seen in a window, in words: people first, then the rest."""

    camera_id: str
    run: int
    pts_s: float
    """Media time of the window's last frame."""
    text: str
    facts: tuple[Fact, ...]
    """The same in parts; empty where a model wrote free text."""
    model: ModelRef
    degraded: tuple[str, ...] = ()
    """What was missing when it was written, in words."""


@dataclass(frozen=True, slots=True)
class When:
    """Where and when a rule holds; empty means always."""

    zones: tuple[str, ...] = ()
    hours: str | None = None
    """``HH:MM-HH:MM`` in the camera's time zone; may pass midnight."""
    days: tuple[str, ...] = ()
    """``mon`` … ``sun``."""


@dataclass(frozen=True, slots=True)
class Support:
    """In how many of the batches of normal footage a rule was found."""

    k: int
    n: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence about what is normal or not on a camera."""

    id: str
    about: About
    says: Says
    text: str
    keywords: tuple[str, ...] = ()
    severity: Severity = "warning"
    support: Support | None = None
    when: When | None = None
    enabled: bool = True
    strengths: tuple[float, ...] = ()
    """What each keyword is worth, 0..1: less where normal footage meets it now and then. Empty: 1 each."""
    weight: float = 1.0
    """What meeting the rule is worth, 0..1."""
    more_people_than: int | None = None
    """Met where more people are told of than this, whatever they do."""
    forbids: str = ""
    """What a rule that forbids is met by, affirmed: ``Someone is cycling here.``; empty where it forbids nothing."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force on a camera, as loaded from one file."""

    id: str
    site: str
    camera: str
    version: int
    sha256: str
    """Of the file's bytes."""
    rules: tuple[Rule, ...]
    calibration_sha256: str | None = None
    """Of the calibration that was measured when they were learned; None where none was."""
    alarm_score: float | None = None
    """Smoothed score, 0..1, that raises an alarm, from what normal footage scored; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that a caption meets, and by what; one rule may be met several times."""

    rule_id: str
    how: Literal["keyword", "semantic"]
    score: float
    """0..1, of the rule's weight: 1 for a keyword or a number of people, the likeness for a semantic match."""
    words: str
    """The caption's words that met the rule."""


Reflection = Literal["kept", "changed", "unheard", "late"]
"""A further question's outcome: the verdict was kept or changed, no usable answer came, there was no time to ask."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One voter's opinion of a window; it must cite rules that exist and match, or it is void."""

    voter: Literal["keyword", "semantic", "novelty", "llm"]
    verdict: Judgement
    cites: tuple[str, ...]
    """Rule ids."""
    weight: float
    score: float
    """How anomalous the voter holds the window to be, 0..1."""
    reason: str
    void: str | None = None
    """Why the vote does not count; None for a valid vote."""
    reflected: Reflection | None = None
    """What came of asking the language model once more; None where it was not."""


@dataclass(frozen=True, slots=True, eq=False)
class CloseUp:
    """What inspection looked at, and where in it something is wrong."""

    picture: Picture
    """The crop; privacy masks are black."""
    heat: npt.NDArray[np.float32]
    """(h, w) 0..1 over the crop, row 0 at its top; at 0.5 as hot as what raises an alarm."""


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """An object that an alert points at."""

    label: str
    box_norm: Box
    pred_score: float
    text: str = ""
    crop_uri: str | None = None
    heatmap_uri: str | None = None
    measurement: Measurement | None = None
    """What was measured of it, where something was."""
    close_up: CloseUp | None = field(default=None, compare=False, repr=False)
    """What its heat map is drawn from; never part of a message."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a window, and why."""

    camera_id: str
    run: int
    pts_s: float
    captured_at: datetime
    """Wall-clock time of capture of the window's last frame, UTC."""
    kind: Kind
    judgement: Judgement
    """Of this window alone."""
    score: float
    """This window's, 0..1."""
    smoothed: float
    """Causally smoothed over the camera's past windows, 0..1."""
    alarm: bool
    """Whether the smoothed score reaches the threshold calibrated on normal footage."""
    category: str
    """What kind of thing it is: the leading rule's id, or the measurement's name."""
    severity: Severity
    cited_rules: tuple[Rule, ...]
    votes: tuple[Vote, ...]
    captions: tuple[Caption, ...]
    measurements: tuple[Measurement, ...]
    reason: str
    rule_set: RuleSet
    models: tuple[ModelRef, ...]
    objects: tuple[DetectedObject, ...] = ()
    zone: str | None = None
    degraded: tuple[str, ...] = ()
    latency_ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage: ``decode``, ``queue``, ``perception``, ``deduction``."""
    dropped_windows: int = 0
    """Windows of this camera dropped since its previous verdict."""


CameraPhase = Literal["connecting", "streaming", "lost", "refused", "frozen", "ended"]


@dataclass(frozen=True, slots=True)
class CameraState:
    """A change in a camera's condition, for health and metrics."""

    camera_id: str
    run: int
    phase: CameraPhase
    at: datetime
    """UTC."""
    detail: str = ""
    """The reason in words, without credentials."""


PacketDropCause = Literal["no_keyframe", "decoder", "corrupt", "stopping"]
"""Why packets were never decoded. ``no_keyframe``: before a run's first one, which they build on; ``decoder``: decoding
fell behind; ``corrupt``: they or one they build on were damaged; ``stopping``: the camera was told to stop."""
WindowDropCause = Literal["busy", "shed", "inference", "unobserved"]
"""Why windows were lost. ``busy``: a newer one took its place; ``shed``: the camera looked away, so that all can be
watched; ``inference``: a model failed on it; ``unobserved``: the
camera was told to stop before it was looked at."""
SkipCause = Literal["still", "usual", "calm"]
"""Why a window was not given to a model. ``still``: nothing moved; ``usual``: what moved is usual there, and the last
caption holds; ``calm``: it was not looked at."""
CropDropCause = Literal["fresher", "full", "inference", "stopping", "covered", "cut_off", "small", "masked"]
"""Why a crop was not inspected. ``fresher``: a newer one of the same thing took its place; ``full``: too many waited;
``inference``: a model failed on it; ``stopping``: the site was told to stop. And before any of that: ``covered``:
people stood before the region; ``cut_off``: the object was partly outside the picture; ``small``: there was too little
of it to see; ``masked``: all of it lies under a privacy mask."""
DropCause = PacketDropCause | WindowDropCause
DecoderFault = Literal["dali_missing", "dali_no_device", "dali_codec", "dali_long_gop", "dali_broken_gop", "dali_stuck"]
"""Why a camera that DALI should decode is decoded by PyAV. ``dali_missing``: DALI is not installed; ``dali_no_device``:
there is no GPU or no driver; ``dali_codec``: the device does not decode the codec; ``dali_long_gop``: keyframes are
further apart than is waited for; ``dali_broken_gop``: it refused a group of pictures, or gave others than expected;
``dali_stuck``: a batch did not end."""
CameraFault = Literal["reader_abandoned", "restarted", DecoderFault]
"""What went wrong among a camera's threads. ``reader_abandoned``: one hung inside FFmpeg and was left behind;
``restarted``: they ended for a reason that nobody expected, and were started afresh. And why another decoder had to
step in, each told once a camera."""


@dataclass(frozen=True, slots=True)
class ServerGauges:
    """What a model server tells of itself; totals since it started, over all who ask it."""

    prefix_queries: float
    """Tokens of prompts that were looked for in its prefix cache."""
    prefix_hits: float
    """Of these, how many it held."""
    waiting: float
    """Requests that wait in it now."""
    running: float
    """Requests that it works on now."""
    queue_s: float
    """Seconds that requests waited in it before it began with them, together."""
    queued: float
    """Requests that did."""


@dataclass(frozen=True, slots=True)
class ServerReading:
    """A model server as its client knows it now."""

    server: str
    """Its address, without credentials."""
    up: bool
    detail: str
    """The last failure, in words without credentials; empty if there was none since it was up."""
    in_flight: int
    """Calls that were given to it and are not over."""
    answered: int
    """Requests that it answered, if only with a refusal."""
    failed: int
    """Requests that it did not answer, or not in time."""
    prompt_tokens: int | None
    """Tokens of all prompts that it answered; None where it does not count."""
    cached_tokens: int
    """Of these, what it says that its prefix cache held; 0 where it does not say."""
    gauges: ServerGauges | None
    """What it told of itself some seconds ago; None where it tells nothing."""
