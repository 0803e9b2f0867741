"""Public fakes for what puts a site together: its files on disk, its models, its cameras and deliveries."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamproc.alerts.health import Health
from streamproc.backends import Role
from streamproc.camera import UnitSettings
from streamproc.config import CameraSettings
from streamproc.inspection.live.crops import Thing
from streamproc.normality.calibration import Calibration
from streamproc.rules.induction import StatisticalInducer
from streamproc.testing_defects import FakeInspector
from streamproc.testing_sources import FakeObserver
from streamproc.types import Caption, Fact, ModelRef, ObservedWindow

WALKS = "Two people walk in the middle."
HURRIES = "One person hurries on the left."

_RULES = """\
schema_version: 1
site: site
camera: {camera}
version: 3
rules:
  - {{id: normal-walk, about: human, says: normal, text: People walk here., keywords: [walk], severity: info}}
  - {{id: people-hurry, about: human, says: anomaly, text: Somebody hurries here., keywords: [hurry]}}
"""


def write_rules(path: Path, camera: str = "gate", provenance: Mapping[str, object] | None = None) -> Path:
    """A rule file in which walking is normal and hurrying is not; ``provenance`` adds to what induction wrote."""
    text = _RULES.format(camera=camera)
    if provenance:
        fields = {"how": "by hand", "created_at": "2026-11-21T08:00:00Z", **provenance}
        text += f"provenance: {json.dumps(fields)}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_site(folder: Path, *cameras: str, pipeline: str = "embedded", more: str = "", main: str = "clip.mp4") -> Path:
    """A site file with ``cameras`` (``gate`` if none) whose rules are ``rules/ID.yaml``; ``more`` is top-level YAML.

    Alerts go to ``alerts.jsonl`` and no port is listened on, unless ``more`` says otherwise.
    """
    rows = "".join(
        f"  - {{id: {one}, main: {json.dumps(main)}, rules: rules/{one}.yaml}}\n" for one in cameras or ["gate"]
    )
    alerts = "" if "alerts:" in more else "alerts: {sinks: [{kind: jsonl, path: alerts.jsonl}]}\n"
    pages = "" if "observability:" in more else "observability: {port: null}\n"
    path = folder / "site.yaml"
    text = f"schema_version: 1\nsite: {{id: site}}\npipeline: {pipeline}\ncameras:\n{rows}{alerts}{pages}{more}"
    path.write_text(text, encoding="utf-8")
    return path


class ScriptedCaptioner:
    """Says of each window what ``says`` returns, or raises what it returns."""

    model = ModelRef("perception", "scripted", "1", stand_in_for="a captioner")

    def __init__(self, says: Callable[[ObservedWindow], str | Exception]) -> None:
        self._says = says
        self.asked = 0
        """How many windows it was asked about."""

    def caption(self, observed: ObservedWindow) -> Caption:
        """One sentence about people."""
        self.asked += 1
        text = self._says(observed)
        if isinstance(text, Exception):
            raise text
        window = observed.window
        verb = next(word for word in text.split() if word.startswith(("walk", "hurr")))
        fact = Fact("human", "person", 1, verb, "", text)
        return Caption(window.camera_id, window.run, window.end_s, text, (fact,), self.model)


class FakeBackends:
    """Stands for ``backends.Backends`` without a model: nothing is measured, and a script says what is seen."""

    detector = None
    pose = None
    embedder = None

    def __init__(self, says: Callable[[ObservedWindow], str | Exception] = lambda _: WALKS) -> None:
        self.scripted = ScriptedCaptioner(says)
        self.servers: dict[Role, Any] = {}
        self.writer: Any = None
        self.closed = False
        self.looks: dict[str, FakeInspector] = {}
        """Who looks at things, by their key."""

    def observer(self, calibration: Callable[[], Calibration | None], settings: UnitSettings) -> FakeObserver:
        """One to whom everything moves."""
        return FakeObserver(motion=1.0)

    def explaining(self) -> None:
        """Nothing is explained."""

    def captioner(self, camera: CameraSettings) -> ScriptedCaptioner:
        """The same for all cameras."""
        return self.scripted

    def inspectors(self, camera: CameraSettings, things: Sequence[Thing], memory: Path) -> dict[str, FakeInspector]:
        """One for each thing that has one in ``looks``."""
        return {thing.key: self.looks[thing.key] for thing in things if thing.key in self.looks}

    def llm(self) -> None:
        """None."""

    def inducer(self) -> StatisticalInducer:
        """The one without a model."""
        return StatisticalInducer()

    def models(self) -> tuple[ModelRef, ...]:
        """A detector."""
        return (ModelRef("detector", "none", "1"),)

    def stand_ins(self) -> tuple[ModelRef, ...]:
        """The script."""
        return (self.scripted.model,)

    def close(self) -> None:
        """Note it."""
        self.closed = True


class FakeUnit:
    """Stands for ``camera.CameraUnit``: starts nothing, and ends in time, late, or when told that it has ended."""

    def __init__(self, journal: list[str], name: str = "gate", *, late: bool = False) -> None:
        self._journal, self._name, self._late = journal, name, late
        self.ended = False
        self.dead = False

    def start(self) -> None:
        """Note it."""
        self._journal.append(f"start camera {self._name}")

    def ask_to_stop(self) -> None:
        """Note it."""
        self._journal.append(f"ask camera {self._name}")

    def stop(self, timeout_s: float) -> bool:
        """Whether it ended."""
        self._journal.append(f"stop camera {self._name}")
        return not self._late

    def join(self, timeout_s: float | None = None) -> bool:
        """Whether it ended by itself."""
        return self.ended


class FakeDelivery:
    """Stands for ``alerts.delivery.Delivery``: keeps what it is told."""

    def __init__(self, journal: list[str], name: str = "kafka", *, waiting: int = 0, late: bool = False) -> None:
        self.name = name
        self.failing = False
        self.dead = False
        self.said: list[Health] = []
        self.fails: Exception | None = None
        """Raised by ``drain``."""
        self._journal, self._waiting, self._late = journal, waiting, late

    def start(self) -> None:
        """Note it."""
        self._journal.append(f"start delivery {self.name}")

    def health(self, message: Health) -> None:
        """Keep it."""
        self.said.append(message)

    @property
    def states(self) -> Sequence[str]:
        """What was said, in short."""
        return [message.data.state for message in self.said]

    def drain(self, timeout_s: float) -> int:
        """How many messages are left."""
        self._journal.append(f"drain {self.name}")
        if self.fails is not None:
            raise self.fails
        return self._waiting

    def stop(self, timeout_s: float) -> bool:
        """Whether it ended."""
        self._journal.append(f"stop delivery {self.name}")
        return not self._late


class HeldGate:
    """Something that blocks its caller until ``release`` is set, and tells that it does."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.release = threading.Event()

    def hold(self) -> None:
        """Block for at most twenty seconds."""
        self.reached.set()
        self.release.wait(20)
