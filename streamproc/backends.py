"""The models that a process runs, each loaded once and shared by its cameras; which ones, the pipeline preset says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never

from streamproc.config import (
    CameraSettings,
    DinoV2Encoder,
    EfficientNetEncoder,
    InspectionSettings,
    LlmInduction,
    PipelineSettings,
    ScenePerception,
    ServerSettings,
    SiglipEncoder,
    StatisticalInduction,
    VlmPerception,
)
from streamproc.models.store import ModelStore
from streamproc.observing import ObserverModels
from streamproc.runtime.breaker import Health
from streamproc.runtime.clock import Clock
from streamproc.types import ModelRef

if TYPE_CHECKING:
    from streamproc.deduction.llm import LlmVoter
    from streamproc.inspection.live.crops import Thing
    from streamproc.inspection.live.explaining import Explaining
    from streamproc.inspection.live.findings import Inspector
    from streamproc.inspection.nouns import Backbone
    from streamproc.inspection.serving import OnnxExpert
    from streamproc.models.sentences import SentenceEmbedder
    from streamproc.modelserver import ModelServer
    from streamproc.perception.captioner import Captioner
    from streamproc.rules.inducer import Inducer
    from streamproc.rules.meaning import Embedder

Role = Literal["perception", "deduction", "explanation"]
"""What a model server is asked for."""


class Backends(ObserverModels):
    """Loads what a pipeline names. Everything it hands out may be used from any thread, observers by one at a time."""

    def __init__(
        self,
        pipeline: PipelineSettings,
        store: ModelStore,
        clock: Clock,
        on_health: Callable[[Role, Health], None] = lambda _role, _health: None,
    ) -> None:
        """Load the embedded models; model servers are not asked anything yet.

        ``on_health`` hears of model servers that went away or came back, by role.

        Raises:
            ModelLoadError: a model's files cannot be had or do not load.
        """
        from streamproc.models.sentences import SentenceEmbedder

        super().__init__(store)
        self._pipeline, self._store, self._clock = pipeline, store, clock
        self._looks: tuple[Backbone, OnnxExpert | None] | None = None
        self.embedder: SentenceEmbedder = SentenceEmbedder(store.ensure("bge-small"))
        self.servers: dict[Role, ModelServer] = {}
        """Model servers by what they are asked for while cameras are watched."""
        self.writer: ModelServer | None = None
        """The model server that writes rules; made by ``inducer``, for watching needs none."""
        wanted: dict[Role, ScenePerception | ServerSettings | None] = {
            "perception": pipeline.perception,
            "deduction": pipeline.deduction.llm,
            "explanation": pipeline.inspection.explain if pipeline.inspection is not None else None,
        }
        for role, settings in wanted.items():
            if isinstance(settings, VlmPerception):
                from streamproc.perception.selftest import VisionServer

                self.servers[role] = VisionServer(settings, clock, on_health=partial(on_health, role))
            elif isinstance(settings, ServerSettings):
                from streamproc.modelserver import ModelServer

                self.servers[role] = ModelServer(settings, clock, on_health=partial(on_health, role))

    def captioner(self, camera: CameraSettings) -> Captioner:
        """A camera's captioner."""
        match self._pipeline.perception:
            case ScenePerception():
                from streamproc.perception.scene import SceneCaptioner

                return SceneCaptioner(camera.zones)
            case VlmPerception() as settings:
                from streamproc.perception.vlm import VlmCaptioner

                return VlmCaptioner(self.servers["perception"], settings)
            case _ as unreachable:
                assert_never(unreachable)

    def inspectors(self, camera: CameraSettings, things: Sequence[Thing], memory: Path) -> Mapping[str, Inspector]:
        """Who looks at each of a camera's ``things``, by its key; things that nobody can judge are left out.

        ``memory`` is the file of what is known of them.

        Raises:
            ConfigError: the file does not load, or belongs to another camera or encoder.
            ModelLoadError: the encoder or the expert cannot be had.
        """
        from streamproc.inspection.live.inspectors import inspectors_of

        settings = self._pipeline.inspection
        if settings is None:
            return {}
        if self._looks is None:
            self._looks = self._load_looks(settings)
        backbone, expert = self._looks
        return inspectors_of(camera, things, settings, backbone, expert, memory)

    def _load_looks(self, settings: InspectionSettings) -> tuple[Backbone, OnnxExpert | None]:
        from streamproc.inspection.backbones.opening import SIGLIP, open_backbone
        from streamproc.inspection.serving import OnnxExpert
        from streamproc.inspection.shipped import expert_file

        match settings.encoder:
            case DinoV2Encoder(side_px=side_px):
                encoder = open_backbone("dinov2-s", side_px, store=self._store)
            case EfficientNetEncoder(side_px=side_px):
                encoder = open_backbone("efficientnet-lite0", side_px, store=self._store)
            case SiglipEncoder(model=model):
                encoder = open_backbone(f"{SIGLIP}{model}", store=self._store)
            case _ as unreachable:
                assert_never(unreachable)
        if settings.expert is None:
            return encoder, None
        return encoder, OnnxExpert(expert_file(settings.expert.path, encoder.name), encoder)

    def explaining(self) -> Explaining | None:
        """What explains defects; None on a site without a model for it."""
        settings = self._pipeline.inspection.explain if self._pipeline.inspection is not None else None
        if settings is None:
            return None
        from streamproc.inspection.answers.explainer import Explainer
        from streamproc.inspection.answers.routes import make_route
        from streamproc.inspection.answers.settings import PictureRoute
        from streamproc.inspection.live.explaining import Explaining

        server = self.servers["explanation"]
        return Explaining(Explainer(server, settings, make_route(PictureRoute())), server.close)

    def llm(self) -> LlmVoter | None:
        """The language model's voter; None on a site without one."""
        settings = self._pipeline.deduction.llm
        if settings is None:
            return None
        from streamproc.deduction.llm import LlmVoter

        return LlmVoter(self.servers["deduction"], settings)

    def inducer(self) -> Inducer:
        """What learns rules."""
        inducer, self.writer = make_inducer(self._pipeline.induction, self.embedder, self._clock)
        return inducer

    def models(self) -> tuple[ModelRef, ...]:
        """The embedded models, for alerts' records."""
        return (
            ModelRef("detector", "nanodet", self.detector.revision),
            *([ModelRef("pose", "movenet", self.pose.revision)] if self.pose is not None else []),
            ModelRef("embedding", "bge-small", self.embedder.revision),
        )

    def stand_ins(self) -> tuple[ModelRef, ...]:
        """What is embedded where a larger site runs a model server."""
        found: list[ModelRef] = []
        if isinstance(self._pipeline.perception, ScenePerception):
            from streamproc.perception.scene import SceneCaptioner

            found.append(SceneCaptioner.model)
        if self._looks is not None:
            from streamproc.inspection.live.inspectors import encoder_ref

            found.append(encoder_ref(self._looks[0]))
        return tuple(model for model in found if model.stand_in_for is not None)

    def close(self) -> None:
        """End the connections to model servers."""
        for server in (*self.servers.values(), *filter(None, [self.writer])):
            server.close()


def make_inducer(
    settings: StatisticalInduction | LlmInduction, embedder: Embedder, clock: Clock
) -> tuple[Inducer, ModelServer | None]:
    """What learns rules, and the model server that it asks, if any: to be checked before and closed after."""
    match settings:
        case StatisticalInduction():
            from streamproc.rules.induction import StatisticalInducer

            return StatisticalInducer(), None
        case LlmInduction():
            from streamproc.modelserver import ModelServer
            from streamproc.rules.language import LanguageModelInducer

            server = ModelServer(settings, clock)
            return LanguageModelInducer(server, embedder, settings), server
        case _ as unreachable:
            assert_never(unreachable)
