# Longer than 300 lines: the schema's texts are here, and an operator's settings are looked up on one page.
"""Validated settings: a site file and the pipeline preset it names.

The YAML is read by ``yamlfile.load_model``, whose errors name file, line, column, value and what is permitted. Every
field's description becomes the JSON Schema's, so that an editor completes and explains it. Addresses keep their
``${NAME}`` placeholders here; ``secrets.resolve`` fills them in at the moment of connecting, so no setting ever holds a
credential.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from streamproc.secrets import check_address, check_placeholders, check_secret


class Settings(BaseModel):
    """Frozen; unknown fields are refused; docstrings under fields are their descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone of the tz database; write e.g. Europe/Zurich, America/New_York or UTC")
    return name


@dataclass(frozen=True, slots=True)
class Form:
    """What a pattern permits, in words; stands beside it in a type."""

    words: str


def _no_pixels(corners: Any) -> Any:
    numbers = [
        number
        for corner in (corners if isinstance(corners, list | tuple) else ())
        for number in (corner if isinstance(corner, list | tuple) else ())
        if isinstance(number, int | float)
    ]
    if any(number > 1 for number in numbers):
        raise ValueError(
            f"{max(numbers):g} is not a fraction: corners are [x, y] in 0..1 of the picture's width and height; divide "
            "pixels by them"
        )
    return corners


def _does_not_cross_itself(corners: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    sides = list(pairwise((*corners, corners[0])))
    for (i, one), (j, other) in combinations(enumerate(sides, 1), 2):
        if _turn(*one, other[0]) * _turn(*one, other[1]) < 0 and _turn(*other, one[0]) * _turn(*other, one[1]) < 0:
            raise ValueError(
                f"the side after corner {i} crosses that after corner {j}; name the corners in order, around"
            )
    return corners


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Above 0 where the way over ``a`` and ``b`` to ``c`` turns one way, below where the other, 0 where straight on."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _as_several(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


def _each_once(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(addresses)) < len(addresses):
        raise ValueError("an address stands there twice; each server is named once")
    return addresses


Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$"),
    Form("lower-case letters, digits, - and _, at most 63, beginning with a letter or digit"),
]
Address = Annotated[str, StringConstraints(min_length=1), AfterValidator(check_address)]
Addresses = Annotated[
    tuple[Address, ...],
    AfterValidator(_each_once),
    BeforeValidator(_as_several),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]
Placeholder = Annotated[str, StringConstraints(min_length=1), AfterValidator(check_placeholders)]
Secret = Annotated[str, StringConstraints(min_length=1), AfterValidator(check_secret)]
Timezone = Annotated[str, AfterValidator(_known_timezone)]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[Unit, Unit]
Polygon = Annotated[
    tuple[Point, ...], Field(min_length=3), AfterValidator(_does_not_cross_itself), BeforeValidator(_no_pixels)
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hours = Annotated[
    str,
    StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$"),
    Form("HH:MM-HH:MM in quotes, e.g. '22:00-06:00'"),
]


class Area(Settings):
    """A named part of a camera's picture."""

    name: Slug
    """Short name, as rules and alerts use it."""
    polygon: Polygon
    """Corners as [x, y], 0..1 of the picture from the top left."""


class Schedule(Settings):
    """When a camera is watched; outside it alerts are not raised."""

    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    """Days of the week."""
    hours: Hours = "00:00-24:00"
    """HH:MM-HH:MM in the camera's time zone; may pass midnight."""


class CameraSettings(Settings):
    """One camera."""

    id: Slug
    """Short id, the key of its alerts: lower-case letters, digits, - and _."""
    name: str = ""
    """Name for people; the id if left out."""
    main: Address
    """Address of the main stream: rtsp://, rtsps://, a file, a folder of pictures, or device:/dev/video0. Put
    credentials in as ${NAME} (environment) or ${file:/run/secrets/name}; one of them may be the whole address."""
    sub: Address | None = None
    """Address of the sub-stream to analyse, where the camera has one; the main stream if left out. Evidence is then
    cut from the main stream, which is opened beside it and not decoded; both should show the same view."""
    transport: Literal["tcp", "udp"] = "tcp"
    """How RTSP carries the video."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds without an answer or a packet after which the camera counts as lost."""
    rules: Path | None = None
    """The camera's rule set, relative to this file; write one with `streamproc induce`."""
    zones: tuple[Area, ...] = ()
    """Named places for rules and alerts."""
    privacy_masks: tuple[Area, ...] = ()
    """Parts blacked out before any model, picture or clip."""
    regions: tuple[Area, ...] = ()
    """Parts that inspection looks at closely: a valve, a door, a conveyor. Needs a pipeline with `inspection`, and
    `streamproc induce` to have seen them as they should be."""
    inspected_objects: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = ()
    """Kinds of tracked objects that inspection looks at as well, in the detector's words: car, truck, bottle."""
    timezone: Timezone = "UTC"
    """Time zone of the schedule and of rules' hours, by its tz database name."""
    schedule: tuple[Schedule, ...] = ()
    """When the camera is watched; always if left out."""
    realtime: bool = True
    """For a file as source: play at its own speed, as a camera would."""

    @model_validator(mode="after")
    def _regions_are_told_apart(self) -> CameraSettings:
        names = [region.name for region in self.regions]
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"two regions are called {name}; what is known of each goes by its name"
                raise PydanticCustomError("regions_are_told_apart", message, {"at": ("regions", index, "name")})
        return self


class PyavDecoder(Settings):
    """Decode with FFmpeg through PyAV, on the CPU."""

    kind: Literal["pyav"] = "pyav"
    """Always pyav."""
    threads: Annotated[int, Field(ge=1, le=16)] = 1
    """FFmpeg's decoding threads a camera."""


class DaliDecoder(Settings):
    """Decode with NVIDIA DALI on a GPU's video decoder (NVDEC), many cameras at once; needs the extra `dali`. What it
    cannot decode, PyAV does. Pictures come a keyframe interval late."""

    kind: Literal["dali"]
    """Always dali."""
    device: Literal["mixed", "cpu"] = "mixed"
    """`mixed` is the GPU. `cpu` decodes VP9 alone, for trials without one."""
    device_id: Annotated[int, Field(ge=0, le=63)] = 0
    """Which GPU."""
    batch_gops: Annotated[int, Field(ge=1, le=256)] = 16
    """Most groups of pictures decoded together; each takes memory on the GPU for its wanted pictures in full size."""
    most_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 20.0
    """Milliseconds that a group waits for others to be decoded with."""
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    """Groups of a batch that are decoded at the same time; at least as many as the GPU has video decoders."""
    most_gop_s: Annotated[float, Field(gt=0, le=30)] = 4.0
    """A camera whose keyframes are further apart is decoded by PyAV: its pictures would come as late as that."""
    fallback_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """FFmpeg's decoding threads a camera, where PyAV steps in."""


DecoderSettings = Annotated[PyavDecoder | DaliDecoder, Field(discriminator="kind")]


class SamplingSettings(Settings):
    """When to look."""

    window_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Seconds a window spans."""
    bursts_per_s: Annotated[float, Field(gt=0, le=30)] = 5.0
    """Bursts a second of media time."""
    burst_frames: Annotated[int, Field(ge=1, le=8)] = 2
    """Neighbouring frames a burst; for motion two or more, unless bursts are less than a quarter of a second apart."""
    width_px: Annotated[int, Field(ge=160, le=3840)] = 640
    """Width to which wider pictures are scaled for analysis; evidence keeps the full size."""
    gate_motion: Unit = 0.0005
    """Share of the picture that must move for a window to be worth a model's time; 0 looks at every window."""
    gate_refresh_s: Annotated[float, Field(gt=0)] = 30.0
    """A scene that is still, or as usual, is put into words this often all the same."""
    gate_usual: Annotated[float, Field(gt=0, lt=100)] | None = None
    """Percent of normal footage's seconds that count as usual. Windows that are, by what was measured, by the kinds of
    objects there, and to the rules as the embedded captioner's words meet them, are not put into words; the last words
    hold. Left out: whatever moves is put into words."""


class NormalitySettings(Settings):
    """Tracks and measurements beside the camera's normal footage."""

    detections_per_s: Annotated[float, Field(gt=0, le=30)] = 2.0
    """How often the detector looks."""
    calm_looks_per_s: Annotated[float, Field(ge=1, le=10)] | None = None
    """Frames a second that are looked at while nothing stands out beside the camera's calibration, with half the looks
    of the detector; all, as soon as something begins to and for a second after. Left out: all, always."""
    flow_width_px: Annotated[int, Field(ge=160, le=1280)] = 384
    """Width at which motion is measured; narrower pictures are taken as they are."""
    flow: Literal["fine", "quick"] = "fine"
    """How motion is measured: `fine` tells small people's steps, `quick` takes half the time."""
    person_score: Unit = 0.5
    """Least confidence of a person."""
    object_score: Unit = 0.5
    """Least confidence of anything else."""


class ScenePerception(Settings):
    """The embedded captioner: sentences from detections, tracks and measurements. A stand-in for a VLM."""

    kind: Literal["scene"] = "scene"
    """Always scene."""


UNPINNED: Final = "unpinned"
"""In place of a revision: nobody said which."""


class VllmEngine(Settings):
    """vLLM in streamproc's own process; its extra is `vllm`."""

    kind: Literal["vllm"]
    """Always vllm."""
    load: Annotated[str, StringConstraints(min_length=1)]
    """The model's folder, or its repository on the hub."""
    options: dict[str, JsonValue] = {}
    """Options of `vllm serve` by name: {max-model-len: 8192, limit-mm-per-prompt: {image: 4}}."""


class ServerSettings(Settings):
    """Where a model is served: by an OpenAI-compatible server, vLLM by reference, by several, or in this process."""

    base_url: Addresses = ()
    """Address of the API, with its version: http://gpu1:8000/v1; or a list of them, which share the requests."""
    engine: VllmEngine | None = None
    """In place of base_url: the model runs in streamproc's own process. Each role that asks for one loads its own."""
    model: Annotated[str, StringConstraints(min_length=1)]
    """Model name as the server lists it."""
    revision: str = UNPINNED
    """Revision of the model's weights that the server runs, for the alert's record; an engine loads it."""
    api_key: Secret | None = None
    """As ${NAME} or ${file:/run/secrets/name}; none if the server wants none."""
    deadline_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Seconds after which a request is given up, retries included; of several servers one has half of it to answer,
    then another is asked."""
    max_in_flight: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests under way at once, at each server."""
    max_tokens: Annotated[int, Field(ge=16, le=4096)] = 400
    """Longest reply."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Further attempts within the deadline, with jitter; of several servers, at each."""

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if bool(self.base_url) == (self.engine is not None):
            given = "given beside engine" if self.base_url else "missing"
            message = f"{given}; the address of the API, http://gpu1:8000/v1, or engine for a model in this process"
            raise PydanticCustomError("is_in_one_place", message, {"at": ("base_url",)})
        return self

    def apart(self) -> tuple[Self, ...]:
        """The same for each server alone."""
        if len(self.base_url) < 2:
            return (self,)
        return tuple(self.model_copy(update={"base_url": (address,)}) for address in self.base_url)


class VlmPerception(ServerSettings):
    """A vision-language model behind an OpenAI-compatible server."""

    kind: Literal["vlm"]
    """Always vlm."""
    frames_per_window: Annotated[int, Field(ge=1, le=32)] = 4
    """Pictures a request carries, close-ups among them; at most what the server permits."""
    image_width_px: Annotated[int, Field(ge=64, le=2048)] = 640
    """Width of the pictures sent."""
    selection: Literal["event", "uniform"] = "event"
    """Which frames: with as much of what happens between each two of them, or evenly spread."""
    marks: Annotated[int, Field(ge=0, le=5)] = 3
    """At most so many numbered outlines are drawn around what moves or stands out; 0 for pictures as they are."""
    close_ups: Annotated[int, Field(ge=0, le=8)] = 1
    """So many of the pictures show the first of them enlarged; 0 for whole views only."""
    stale_after_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    """Seconds after its last picture came from which a window whose turn it is is not sent any more, but has the
    verdict unknown; deadline_s if left out. Recordings that are played at full speed are always sent."""


class LlmSettings(ServerSettings):
    """A language model as one of the voters."""

    samples: Annotated[int, Field(ge=1, le=16)] = 3
    """Replies asked for a window; their majority is the vote."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    logprobs: bool = True
    """Whether a reply counts with the probability of its verdict, where the server tells it; else each counts 1."""
    reflect: bool = True
    """Whether the model is asked once more, about the rule in doubt, where it contradicts what others are sure of."""
    stale_after_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    """Seconds after its last picture came from which the model is not asked about a window any more; twice deadline_s
    if left out, for it had to be put into words before. Of recordings that are played at full speed it is asked all."""


class StatisticalInduction(Settings):
    """Rules from counting what captions hold, and by contrast from a general taxonomy; no language model."""

    kind: Literal["statistical"] = "statistical"
    """Always statistical."""


class LlmInduction(ServerSettings):
    """Rules by a language model behind an OpenAI-compatible server, its votes counted; used by `streamproc induce`."""

    kind: Literal["llm"]
    """Always llm."""
    deadline_s: Annotated[float, Field(gt=0, le=300)] = 120.0
    """Seconds after which a batch is given up, retries included."""
    max_tokens: Annotated[int, Field(ge=16, le=4096)] = 1500
    """Longest reply; one that is cut off is unusable."""
    batches: Annotated[int, Field(ge=1, le=100)] = 10
    """Batches of references, each a request; votes are counted over them."""
    references: Annotated[int, Field(ge=1, le=20)] = 1
    """Reference captions a batch."""
    choice: Literal["diverse", "random"] = "diverse"
    """How references are chosen: unlike each other and spread over time, or drawn."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of that choice."""
    least_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of the batches that must have written a rule; one below it is proposed, switched off."""


class VoterWeights(Settings):
    """How much each voter counts; 0 silences it."""

    keyword: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Words of the caption that a rule lists."""
    semantic: Annotated[float, Field(ge=0, le=10)] = 0.5
    """Sentences that mean what a rule says."""
    novelty: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Measurements beside the camera's normal footage."""
    llm: Annotated[float, Field(ge=0, le=10)] = 2.0
    """The language model."""


class DeductionSettings(Settings):
    """How votes become a verdict."""

    weights: VoterWeights = VoterWeights()
    """How much each voter counts."""
    smoothing_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Time constant of the causal smoothing of scores; 0 for none."""
    semantic_threshold: Unit = 0.6
    """Least similarity at which a sentence matches a rule."""
    alarm_score: Unit = 0.5
    """Smoothed score that raises an alarm where calibration on normal footage asks for no more."""
    max_false_alarms_per_hour: Annotated[float, Field(gt=0)] | None = None
    """A rate that must not be exceeded; refused where the normal footage is too short to support it."""
    llm: LlmSettings | None = None
    """The language model; none on a site without one."""


class DinoV2Encoder(Settings):
    """DINOv2-S, embedded; fetched on first use."""

    kind: Literal["dinov2"] = "dinov2"
    """Always dinov2."""
    side_px: Annotated[int, Field(ge=98, le=518, multiple_of=14)] = 224
    """Edge of the squares that crops become: on one core a look takes 0.2 s at 224, 0.5 s at 336, 1 s at 448."""


class EfficientNetEncoder(Settings):
    """EfficientNet-Lite0, embedded; fetched on first use. The quickest: many things on one core."""

    kind: Literal["efficientnet"] = "efficientnet"
    """Always efficientnet."""
    side_px: Annotated[int, Field(ge=96, le=512, multiple_of=32)] = 224
    """Edge of the squares that crops become: on one core a look takes 16 ms at 224, 33 ms at 320, 66 ms at 448."""


class SiglipEncoder(Settings):
    """The vision tower of a LLaVA-OneVision, by PyTorch: the encoder of published experts. Wants a GPU."""

    kind: Literal["siglip"] = "siglip"
    """Always siglip."""
    model: Annotated[str, Field(min_length=1)]
    """A hub id, as llava-hf/llava-onevision-qwen2-0.5b-ov-hf, or the absolute path of such a model's folder."""


SHIPPED: Final = Path("shipped")
"""In place of an expert's file: the one that comes with the package for the encoder."""


class OnnxExpertSettings(Settings):
    """An expert that tells defects on things it has never seen, as `inspect train` and `inspect export` write it."""

    kind: Literal["onnx"] = "onnx"
    """Always onnx."""
    path: Path
    """The file, relative to this one; it must have been trained on the same encoder. `shipped`: the package's own."""


class MemorySettings(Settings):
    """What each region and kind of object looks like when it is as it should be, from the camera's normal footage."""

    kind: Literal["knn", "subspace"] = "knn"
    """knn: how far the nearest known place is; subspace: what the known places' main directions leave over."""
    shots: Annotated[int, Field(ge=2, le=64)] = 16
    """Crops that are enrolled of each, spread over the footage."""


class ExplainSettings(ServerSettings):
    """A vision-language model that says what is wrong with a thing, why, and how to prevent it; it changes no score."""

    deadline_s: Annotated[float, Field(gt=0, le=300)] = 60.0
    """Seconds after which an explanation is given up, retries included."""
    max_in_flight: Annotated[int, Field(ge=1, le=256)] = 1
    """Requests under way at once."""
    slightly_below: Unit = 0.3
    """Scores below it are told to the model as slightly suspicious; Anomaly-OV's published code's s_low."""
    highly_from: Unit = 0.7
    """Scores from it on are told to the model as highly suspicious; the published code's s_high."""

    @model_validator(mode="after")
    def _words_are_in_order(self) -> Self:
        if self.slightly_below > self.highly_from:
            message = f"slightly_below {self.slightly_below:g} lies above highly_from {self.highly_from:g}"
            raise PydanticCustomError("words_are_in_order", message, {"at": ("slightly_below",)})
        return self


class InspectionSettings(Settings):
    """Close looks at a camera's regions and objects: is each as it should be, and where not."""

    encoder: Annotated[DinoV2Encoder | EfficientNetEncoder | SiglipEncoder, Field(discriminator="kind")] = (
        DinoV2Encoder()
    )
    """What crops are described by."""
    expert: OnnxExpertSettings | None = None
    """Tells defects without having seen the thing before; none: the memory alone speaks."""
    memory: MemorySettings = MemorySettings()
    """What is normal, by camera and thing."""
    explain: ExplainSettings | None = None
    """Explains defects, beside everything: an alert never waits for it, and the next message about it carries it."""
    every_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """Least seconds between two looks at the same thing; of the pictures between, the sharpest is looked at."""
    looks: Annotated[int, Field(ge=3, le=50)] = 5
    """Looks that are taken together, by their median: the latest of a region, the sharpest of an object."""
    persistence: Annotated[int, Field(ge=1, le=50)] = 2
    """Looks in a row after which that median must still say the same for a defect to be raised."""
    defect_at: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Times its threshold from which a thing counts as defective."""
    ok_at: Annotated[float, Field(gt=0, le=100)] = 0.8
    """Times its threshold below which a defective thing counts as it should be again."""
    least_px: Annotated[int, Field(ge=8, le=512)] = 32
    """Shorter edge of the smallest crop that is looked at."""
    severity: Literal["critical", "error", "warning", "info"] = "warning"
    """Of a defect's alert."""
    most_waiting: Annotated[int, Field(ge=1, le=1024)] = 32
    """Crops of the whole site that wait to be looked at; a newer one of the same thing takes an older one's place."""

    @model_validator(mode="after")
    def _thresholds_are_apart(self) -> InspectionSettings:
        if self.ok_at > self.defect_at:
            message = f"ok_at {self.ok_at:g} lies above defect_at {self.defect_at:g}: a thing would be both"
            raise PydanticCustomError("thresholds_are_apart", message, {"at": ("ok_at",)})
        return self


class PipelineSettings(Settings):
    """Which stages run, on which backends."""

    schema_version: Literal[1]
    """Version of this file's form."""
    name: Slug
    """Name of the preset."""
    decoder: DecoderSettings = PyavDecoder()
    """What decodes."""
    sampling: SamplingSettings = SamplingSettings()
    """When to look."""
    normality: NormalitySettings = NormalitySettings()
    """Tracks and measurements."""
    perception: Annotated[ScenePerception | VlmPerception, Field(discriminator="kind")] = ScenePerception()
    """What puts a window into words."""
    deduction: DeductionSettings = DeductionSettings()
    """How votes become a verdict."""
    induction: Annotated[StatisticalInduction | LlmInduction, Field(discriminator="kind")] = StatisticalInduction()
    """What learns rules from normal footage; `streamproc run` makes no use of it."""
    inspection: InspectionSettings | None = None
    """Close looks at regions and objects, beside the rest; none: they are read by nothing."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Windows that are put into words and decided at once, never two of one camera. Left out: 4, or one a camera where
    a model server is asked, so that no camera waits for another's answer."""
    processes: Annotated[int, Field(ge=0, le=256)] | None = None
    """Processes that cameras are watched in, each restarted by itself where it crashes, hangs or grows; 0: in the
    site's own. Left out: one for every eight cameras from nine on where PyAV decodes, else 0."""
    process_memory_mb: Annotated[int, Field(ge=256)] | None = None
    """Most megabytes of one of these processes; one that grows beyond is restarted. Left out: by its cameras."""

    @property
    def asks_servers(self) -> bool:
        """Whether a window may wait for a model server."""
        return isinstance(self.perception, ServerSettings) or self.deduction.llm is not None


class KafkaSecurity(Settings):
    """Passed on to the Kafka client."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the connection is protected."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How the client proves who it is."""
    sasl_username: Placeholder | None = None
    """As ${NAME} or ${file:…}."""
    sasl_password: Secret | None = None
    """As ${NAME} or ${file:…}."""
    ssl_cafile: Path | None = None
    """Certificate authorities, PEM."""
    ssl_certfile: Path | None = None
    """The client's certificate, PEM."""
    ssl_keyfile: Path | None = None
    """The client's key, PEM."""
    ssl_check_hostname: bool = True
    """Whether the broker's certificate must name its host."""

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> KafkaSecurity:
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_mechanism and self.sasl_username and self.sasl_password
        ):
            raise ValueError("SASL needs sasl_mechanism, sasl_username and sasl_password")
        return self


class KafkaSinkSettings(Settings):
    """A Kafka cluster."""

    kind: Literal["kafka"]
    """Always kafka."""
    bootstrap_servers: Annotated[tuple[str, ...], Field(min_length=1)]
    """Brokers to start from, host:port."""
    alerts_topic: str = "streamproc.alerts"
    """Topic of alerts."""
    health_topic: str = "streamproc.health"
    """Topic of camera, model server and outbox states."""
    dead_letter_topic: str = "streamproc.dead-letters"
    """Topic of messages that the alerts topic refuses for good."""
    security: KafkaSecurity = KafkaSecurity()
    """SASL and TLS."""


class JsonlSinkSettings(Settings):
    """JSON lines in a file, or on standard output."""

    kind: Literal["jsonl"]
    """Always jsonl."""
    path: Path | None = None
    """The file, appended to; standard output if left out."""


class EvidenceSettings(Settings):
    """Pictures and clips that alerts point at."""

    directory: Path = Path("var/evidence")
    """Where they are written, relative to this file."""
    before_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    """Seconds of video before an incident's first window."""
    ring_s: Annotated[float, Field(gt=0, le=300)] = 30.0
    """Seconds of packets kept a camera."""
    ring_mb: Annotated[float, Field(gt=0, le=2048)] = 64.0
    """Most megabytes of packets kept a camera; with a sub-stream, three quarters of it for the main stream."""
    retention_days: Annotated[float, Field(gt=0)] = 30.0
    """Days after which evidence is deleted."""
    max_gb: Annotated[float, Field(gt=0)] = 10.0
    """Most gigabytes of evidence; the oldest is deleted when there is more."""


class IncidentSettings(Settings):
    """How alarms become incidents."""

    resolve_after_s: Annotated[float, Field(gt=0)] = 5.0
    """Seconds without an alarm after which an incident is resolved."""
    update_every_s: Annotated[float, Field(gt=0)] = 10.0
    """Least seconds between two updates of an incident that only goes on."""


class AlertSettings(Settings):
    """Where alerts go."""

    sinks: Annotated[
        tuple[Annotated[KafkaSinkSettings | JsonlSinkSettings, Field(discriminator="kind")], ...], Field(min_length=1)
    ]
    """One or more of kafka and jsonl."""
    outbox: Path = Path("var/outbox.sqlite3")
    """The disk queue between the decision and the sinks, relative to this file."""
    evidence: EvidenceSettings = EvidenceSettings()
    """Pictures and clips."""
    incidents: IncidentSettings = IncidentSettings()
    """How alarms become incidents."""


class ObservabilitySettings(Settings):
    """Logs, metrics, health pages."""

    log_format: Literal["console", "json"] = "console"
    """For people or for programs."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that is written."""
    host: str = "127.0.0.1"
    """Address on which /metrics, /healthz and /readyz answer."""
    port: Annotated[int, Field(ge=0, le=65535)] | None = 9464
    """Port of the same; null for none, 0 for any free one."""


class SiteIdentity(Settings):
    """The site."""

    id: Slug
    """Short id: lower-case letters, digits, - and _."""
    name: str = ""
    """Name for people; the id if left out."""


class SiteSettings(Settings):
    """A site: its cameras, its pipeline, where its alerts go."""

    schema_version: Literal[1]
    """Version of this file's form."""
    site: SiteIdentity
    """Which site this is."""
    pipeline: str = "embedded"
    """Name of a preset that comes with streamproc, or a YAML file's path relative to this file."""
    cameras: Annotated[tuple[CameraSettings, ...], Field(min_length=1)]
    """The cameras."""
    alerts: AlertSettings
    """Where alerts go."""
    observability: ObservabilitySettings = ObservabilitySettings()
    """Logs, metrics, health pages."""

    @model_validator(mode="after")
    def _ids_are_unique(self) -> SiteSettings:
        first: set[str] = set()
        for index, camera in enumerate(self.cameras):
            if camera.id in first:
                message = f"the camera id {camera.id} is used twice; ids must be unique"
                raise PydanticCustomError("ids_are_unique", message, {"at": ("cameras", index, "id")})
            first.add(camera.id)
        return self
