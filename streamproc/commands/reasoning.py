"""`eval reasoning`: whether verdicts are right for the right reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamproc.commands.output import JsonFlag, emit_json, say

if TYPE_CHECKING:
    from streamproc.config import PipelineSettings, ServerSettings
    from streamproc.evaluation.answering import Answerer
    from streamproc.evaluation.items import Items
    from streamproc.modelserver import ModelServer
    from streamproc.rules.meaning import Embedder
    from streamproc.types import RuleSet


class Way(StrEnum):
    """Ways of answering, in the order of the table."""

    OURS = "ours"
    OURS_LLM = "ours-llm"
    DIRECT = "direct"
    SCENE = "scene"
    VISION = "vision"
    LIKENESS = "likeness"


_ASK_THE_MODEL = {Way.OURS_LLM, Way.DIRECT, Way.SCENE}
_BY_RULES = {Way.OURS, Way.OURS_LLM}
_RECONSTRUCTED = {Way.DIRECT, Way.SCENE, Way.VISION}


def reasoning(
    items: Annotated[
        Path | None,
        typer.Option(help="A YAML file of items, in the form of streamproc's own 40, which are the default."),
    ] = None,
    pipeline: Annotated[
        str, typer.Option(help="Preset, or its file: its deduction.llm and its vlm are the models that are asked.")
    ] = "embedded",
    way: Annotated[
        list[Way] | None,
        typer.Option(help="Only this way of answering; repeat for several. All that the preset has models for, else."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Ask what is going on in each item, and count detection and reasoning, right or wrong: RR, RW, WR, WW.

    ours: the rules, voters and alarm that run live, without a language model; ours-llm: with it. Both never see the
    choices. For comparison, with prompts that are reconstructed: direct asks the language model itself, scene asks it
    in the manner of Elhafsi et al. (2023), vision asks the vision model about the pictures. likeness takes the choice
    worded most like the caption: what the wording gives away.
    """
    from streamproc.backtest.progress import progress
    from streamproc.evaluation.items import OWN, load_items
    from streamproc.evaluation.reasoning import Report, ask_all
    from streamproc.site import load_preset

    asked, settings = load_items(items or OWN), load_preset(pipeline)
    not_run = {one: why for one, why in _not_run(asked, settings).items() if not way or one in way}
    ways = [one for one in Way if one not in not_run and (not way or one in way)]
    with ExitStack() as servers:
        learned, answerers = _answerers(ways, asked, settings, servers)
        with progress(len(ways) * len(asked.items)) as advance:
            scored = [
                ask_all(one, answerer, asked, reconstructed=one in _RECONSTRUCTED, advance=advance)
                for one, answerer in answerers
            ]
    report = Report(asked, learned, tuple(scored), {one.value: why for one, why in not_run.items()})
    if json:
        emit_json(report.as_dict())
    else:
        say(str(report))


def _not_run(items: Items, settings: PipelineSettings) -> Mapping[Way, str]:
    from streamproc.config import VlmPerception
    from streamproc.evaluation.asking import without_pictures

    told: dict[Way, str] = {}
    if settings.deduction.llm is None:
        why = f"preset {settings.name} has no language model (deduction.llm)"
        told.update({one: why for one in Way if one in _ASK_THE_MODEL})
    if not isinstance(settings.perception, VlmPerception):
        told[Way.VISION] = f"preset {settings.name} has no vision model (perception: vlm)"
    elif lacking := without_pictures(items.items):
        told[Way.VISION] = lacking
    return told


def _answerers(
    ways: Sequence[Way], items: Items, settings: PipelineSettings, servers: ExitStack
) -> tuple[str, list[tuple[Way, Answerer]]]:
    """Where the rules are from, in words; and what answers, in the order of ``ways``, each with its server checked.

    Raises:
        ConfigError: a server does not serve its model, or rules cannot be learned or loaded.
        InferenceError: a model cannot be reached.
    """
    from streamproc.commands import evaluating
    from streamproc.config import VlmPerception
    from streamproc.deduction.llm import LlmVoter
    from streamproc.evaluation.answering import ByLikeness, ByRules
    from streamproc.evaluation.asking import Asked

    made: dict[Way, Answerer] = {}
    llm = settings.deduction.llm
    judge = _server(llm, servers) if llm is not None and _ASK_THE_MODEL.intersection(ways) else None
    learned = "none are needed"
    if judge is not None:
        made[Way.DIRECT], made[Way.SCENE] = Asked(judge, "direct"), Asked(judge, "scene")
    if Way.VISION in ways and isinstance(settings.perception, VlmPerception):
        eyes = _server(settings.perception, servers)
        made[Way.VISION] = Asked(eyes, "vision", settings.perception.image_width_px)
    if {*_BY_RULES, Way.LIKENESS}.intersection(ways):
        embedder = evaluating._embedder()
        made[Way.LIKENESS] = ByLikeness(embedder)
        if _BY_RULES.intersection(ways):
            rules, learned = _learned(items, settings, embedder, servers)
            made[Way.OURS] = ByRules(rules, embedder, settings.deduction)
            if judge is not None and llm is not None:
                made[Way.OURS_LLM] = ByRules(rules, embedder, settings.deduction, LlmVoter(judge, llm))
    return learned, [(way, made[way]) for way in ways]


def _learned(
    items: Items, settings: PipelineSettings, embedder: Embedder, servers: ExitStack
) -> tuple[dict[str, RuleSet], str]:
    from streamproc.backends import make_inducer
    from streamproc.evaluation.answering import rules_of
    from streamproc.runtime.clock import SystemClock

    inducer, writer = make_inducer(settings.induction, embedder, SystemClock())
    if writer is not None:
        servers.callback(writer.close)
        writer.check()
    return rules_of(items, inducer, embedder)


def _server(wanted: ServerSettings, servers: ExitStack) -> ModelServer:
    from streamproc.modelserver import ModelServer
    from streamproc.runtime.clock import SystemClock

    made = ModelServer(wanted, SystemClock())
    servers.callback(made.close)
    made.check()
    return made
