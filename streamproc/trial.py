# Longer than 300 lines: all that is tried of a pipeline's servers is one report, read in the order of its lines.
"""`streamproc models check`: what a site runs once its model servers are up, before it trusts them with cameras."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamproc.alike import differences, likenesses
from streamproc.camera import UnitSettings
from streamproc.config import (
    CameraSettings,
    ExplainSettings,
    PipelineSettings,
    SamplingSettings,
    ServerSettings,
    VlmPerception,
)
from streamproc.errors import ConfigError, InferenceError, ReplyError
from streamproc.footage import NormalFootage
from streamproc.inspection.answers.explainer import Explainer
from streamproc.inspection.answers.routes import Found, make_route
from streamproc.inspection.answers.settings import PictureRoute
from streamproc.inspection.live.explaining import in_words
from streamproc.inspection.nouns import Score
from streamproc.modelserver import ModelServer
from streamproc.perception.selftest import VisionServer, sees_pictures, self_test, square
from streamproc.perception.vlm import VlmCaptioner, show
from streamproc.runtime.clock import Clock
from streamproc.types import Caption, Frame, ObservedWindow, Window

UNUSABLE = 0.1
"""Share of the replies that may be unusable: each is a window without words."""
_LONGEST = 200
_SIDE_PX = 224  # of what is drawn for an explanation: about a region of a camera's picture


@dataclass(frozen=True, slots=True)
class Timed:
    """What became of windows that were put into words."""

    windows: int
    seconds: float
    p50_s: float
    p95_s: float
    lost: int
    """The server did not answer in time, or refused."""
    unusable: int
    """The reply was cut off or not in the form asked for."""
    why: str
    """The last failure, in words; empty where there was none."""
    said: str
    """The last caption's text."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One server and what it was found to do."""

    role: str
    server: str
    """Model and address, without credentials."""
    refused: str | None
    """Why it cannot be used, with the remedy; None where it can."""
    doubts: tuple[str, ...] = ()
    footage: str = ""
    pictures: float = 0.0
    """In a request, on average."""
    alone: Timed | None = None
    """One window after the other."""
    together: Timed | None = None
    """As many at once as the preset permits."""
    at_once: int = 0
    read_tokens: float | None = None
    """A window, prompt and pictures."""
    written_tokens: float | None = None
    window_s: float = 0.0
    deadline_s: float = 0.0
    explained: str = ""
    """What it said of a drawn thing, where it explains defects."""
    explained_s: float | None = None
    """After so long."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Why it fails; empty where it passes."""
        if self.refused is not None:
            return (self.refused,)
        timed = [(words, one) for words, one in (("alone", self.alone), ("together", self.together)) if one is not None]
        faults = [f"{words}, {one.lost} of {one.windows} windows lost: {one.why}" for words, one in timed if one.lost]
        for words, one in timed:
            if one.unusable > UNUSABLE * one.windows:
                faults.append(f"{words}, {one.unusable} of {one.windows} replies unusable: {one.why}")
            if not one.lost and one.p95_s > self.deadline_s / 2:
                faults.append(
                    f"{words}, p95 is {one.p95_s:.2f} s, more than half of deadline_s ({self.deadline_s:g} s): lower "
                    "max_in_flight, image_width_px or max_tokens, or raise deadline_s"
                )
        return tuple(faults)

    def __str__(self) -> str:
        lines = [f"{self.role}: {self.server}"]
        lines += [f"  doubt     {doubt}" for doubt in self.doubts]
        if self.alone is not None and self.together is not None:
            rate = self.together.windows / max(self.together.seconds, 1e-9)
            lines += [
                f"  windows   {self.alone.windows} of {self.footage}, {self.pictures:.1f} pictures each",
                f"  alone     p50 {self.alone.p50_s:.2f} s, p95 {self.alone.p95_s:.2f} s",
                f"  together  {self.at_once} at once: {rate:.2f} windows/s, p50 {self.together.p50_s:.2f} s, "
                f"p95 {self.together.p95_s:.2f} s: enough for {rate * self.window_s:.1f} cameras in which something "
                f"always moves (a window each {self.window_s:g} s)",
            ]
            if self.read_tokens is not None and self.written_tokens is not None:
                lines.append(f"  tokens    {self.read_tokens:.0f} read and {self.written_tokens:.0f} written a window")
            unusable = self.alone.unusable + self.together.unusable
            if unusable:
                lines.append(f"  unusable  {unusable} replies, the last: {self.together.why or self.alone.why}")
            said = self.together.said or self.alone.said
            lines += [f"  said      {_short(said)}"] if said else []
        if self.explained_s is not None:
            lines += [f"  explained a drawn square in {self.explained_s:.2f} s: {_short(self.explained)}"]
        lines += [f"  FAIL      {fault}" for fault in self.faults] or ["  PASS"]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class TrialReport:
    """All servers of a preset."""

    pipeline: str
    trials: tuple[Trial, ...]

    @property
    def passed(self) -> bool:
        """Whether each can be used as the preset wants it."""
        return not any(trial.faults for trial in self.trials)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        trials = [asdict(trial) | {"faults": trial.faults, "passed": not trial.faults} for trial in self.trials]
        return {"passed": self.passed, "pipeline": self.pipeline, "trials": trials}

    def __str__(self) -> str:
        if not self.trials:
            return f"preset {self.pipeline} asks no model server"
        end = "PASS" if self.passed else "FAIL"
        return "\n".join([*map(str, self.trials), f"{end}: the model servers of preset {self.pipeline}"])


def try_servers(pipeline: PipelineSettings, clip: Path | None, windows: int, clock: Clock) -> TrialReport:
    """Ask each server of the preset whether it can, and hold those of one role against each other; time the captioner's
    over ``windows`` windows of ``clip``, or of drawn pictures, and have a drawn thing explained where defects are.

    Raises:
        SourceError: the clip cannot be read.
        ConfigError: it holds nothing.
    """
    trials = []
    wanted = {
        "perception": pipeline.perception,
        "deduction": pipeline.deduction.llm,
        "induction": pipeline.induction,
        "explanation": pipeline.inspection.explain if pipeline.inspection is not None else None,
    }
    for role, settings in wanted.items():
        if not isinstance(settings, ServerSettings):
            continue
        each = [_try_one(role, one, pipeline, clip, windows, clock) for one in settings.apart()]
        differ = _differences(settings, clock) if len(each) > 1 else {}
        trials += [replace(one, doubts=(*one.doubts, *differ.get(one.server, ()))) for one in each]
    return TrialReport(pipeline.name, tuple(trials))


def _try_one(
    role: str, settings: ServerSettings, pipeline: PipelineSettings, clip: Path | None, windows: int, clock: Clock
) -> Trial:
    if isinstance(settings, VlmPerception):
        return _try_eyes(pipeline, settings, clip, windows, clock)
    if isinstance(settings, ExplainSettings):
        return _try_words(settings, clock)
    with closing(ModelServer(settings, clock)) as server:
        return Trial(role, server.name, _refusal(server.check))


def _differences(settings: ServerSettings, clock: Clock) -> Mapping[str, tuple[str, ...]]:
    with ExitStack() as opened:
        servers = [opened.enter_context(closing(ModelServer(one, clock))) for one in settings.apart()]
        well = {server.name: server for server in servers if _refusal(server.check) is None}
        return differences(likenesses(well))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _refusal(check: Callable[[], object]) -> str | None:
    try:
        check()
    except (ConfigError, InferenceError) as error:
        return str(error)
    return None


def _try_eyes(
    pipeline: PipelineSettings, settings: VlmPerception, clip: Path | None, count: int, clock: Clock
) -> Trial:
    doubts: list[str] = []

    def check() -> None:
        ModelServer.check(server)
        doubts.extend(self_test(server, settings))

    with closing(VisionServer(settings, clock)) as server:
        refused = _refusal(check)
        if refused is not None:
            return Trial("perception", server.name, refused)
        found = _drawn(pipeline.sampling) if clip is None else _of_clip(pipeline, clip, clock)
        # Windows of their own for each part: a server remembers pictures that it has seen.
        observed = list(islice(found, 2 * count))
        alone, together = observed[: -(-len(observed) // 2)], observed[-(-len(observed) // 2) :]
        if not together:
            raise ConfigError(f"{clip} holds fewer than two windows of {pipeline.sampling.window_s:g} s")
        captioner = VlmCaptioner(server, settings)
        before = server.spent
        one_by_one = _timed(captioner, alone, 1)
        at_once = min(settings.max_in_flight, len(together))
        many = _timed(captioner, together, at_once)
        usable = len(observed) - one_by_one.lost - many.lost
        told = server.spent.prompt_tokens is not None and usable > 0
        pictures = [show(one, settings) for one in observed[:4]]
        return Trial(
            role="perception",
            server=server.name,
            refused=None,
            doubts=tuple(doubts),
            footage=clip.name if clip else "drawn pictures",
            pictures=sum(len(one.whole) + len(one.close_ups) for one in pictures) / len(pictures),
            alone=one_by_one,
            together=many,
            at_once=at_once,
            read_tokens=((server.spent.prompt_tokens or 0) - (before.prompt_tokens or 0)) / usable if told else None,
            written_tokens=((server.spent.reply_tokens or 0) - (before.reply_tokens or 0)) / usable if told else None,
            window_s=pipeline.sampling.window_s,
            deadline_s=settings.deadline_s,
        )


def _try_words(settings: ExplainSettings, clock: Clock) -> Trial:
    pixels = square("red", (_SIDE_PX, _SIDE_PX, 3), 0.5)
    heat = (pixels[..., 0] > pixels[..., 1]).astype(np.float32)
    doubts: list[str] = []

    def check() -> None:
        ModelServer.check(server)
        doubts.extend(sees_pictures(server))

    with closing(ModelServer(settings, clock)) as server:
        if (refused := _refusal(check)) is not None:
            return Trial("explanation", server.name, refused)
        explainer = Explainer(server, settings, make_route(PictureRoute()))
        found = Found(pixels, Score(settings.highly_from, heat, "both"), "a grey plate")
        began_s = time.perf_counter()
        try:
            said = in_words(explainer.explain(found), found.thing)
        except InferenceError as error:
            return Trial("explanation", server.name, str(error), tuple(doubts))
        except ReplyError as error:
            doubts.append(f"its reply about a drawn square is no explanation: {error}")
            return Trial("explanation", server.name, None, tuple(doubts))
        took_s = time.perf_counter() - began_s
        return Trial("explanation", server.name, None, tuple(doubts), explained=said.text, explained_s=took_s)


def _timed(captioner: VlmCaptioner, windows: Sequence[ObservedWindow], at_once: int) -> Timed:
    def put(observed: ObservedWindow) -> tuple[float, Caption | InferenceError | ReplyError]:
        began_s = time.perf_counter()
        try:
            said: Caption | InferenceError | ReplyError = captioner.caption(observed)
        except (InferenceError, ReplyError) as error:
            said = error
        return time.perf_counter() - began_s, said

    began_s = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(put, windows))
    seconds = time.perf_counter() - began_s
    p50_s, p95_s = np.percentile([took_s for took_s, _ in results], (50, 95))
    failures = [said for _, said in results if not isinstance(said, Caption)]
    texts = [said.text for _, said in results if isinstance(said, Caption)]
    return Timed(
        windows=len(results),
        seconds=seconds,
        p50_s=float(p50_s),
        p95_s=float(p95_s),
        lost=sum(isinstance(failure, InferenceError) for failure in failures),
        unusable=sum(isinstance(failure, ReplyError) for failure in failures),
        why=str(failures[-1]) if failures else "",
        said=texts[-1] if texts else "",
    )


def _of_clip(pipeline: PipelineSettings, clip: Path, clock: Clock) -> Iterator[ObservedWindow]:
    if not clip.exists():
        raise ConfigError(f"{clip}: no such clip")
    camera = CameraSettings(id="trial", main=str(clip.absolute()))
    settings = UnitSettings(
        camera=camera, sampling=pipeline.sampling, decoder=pipeline.decoder, normality=pipeline.normality
    )
    for window in NormalFootage([clip.absolute()], settings, clock).windows():
        yield ObservedWindow(window, (), (), 1.0)


def _drawn(sampling: SamplingSettings) -> Iterator[ObservedWindow]:
    """Windows without end: two squares that move over a noisy ground, no two windows alike."""
    width, noise = sampling.width_px, np.random.default_rng(0)
    height = width * 9 // 16
    number, run = max(1, round(sampling.window_s * sampling.bursts_per_s)), 0
    at = datetime(2026, 1, 1, tzinfo=UTC)
    while True:
        ground = noise.integers(90, 140, (height, width, 3), np.uint8)
        start = noise.random(2)
        frames = []
        for i in range(number):
            picture = ground.copy()
            for row, colour in enumerate(((200, 30, 30), (30, 30, 200))):
                side = height // 6
                x = round((start[row] * 0.6 + 0.3 * i / number) * (width - side))
                y = height // 4 + row * height // 3
                cv2.rectangle(picture, (x, y), (x + side // 2, y + side), colour, cv2.FILLED)
            pts_s = i / sampling.bursts_per_s
            frames.append((Frame("trial", run, pts_s, at + timedelta(seconds=pts_s), picture),))
        yield ObservedWindow(Window("trial", run, 0, tuple(frames)), (), (), 1.0)
        run += 1
