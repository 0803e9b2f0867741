"""`eval visa-dr`: how well a vision-language model finds and explains what is wrong on pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamproc.commands.bars import bars
from streamproc.commands.inspecting_images import BackboneName, ExpertFile, SidePx, Threads, inspection_parts
from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.commands.servers import checked
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.evaluation.questions import Question
    from streamproc.inspection.nouns import Backbone, Score
    from streamproc.inspection.serving import OnnxExpert
    from streamproc.modelserver import ModelServer

Key = typer.Option(metavar="${NAME}", help="Where the key is; never the key.")


def visa_dr(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="JSON of {image, anomaly} or {image, questions}, or lines of it."),
    ],
    images: Annotated[Path, typer.Option(metavar="DIR", help="Where the paths of pictures begin.")],
    server: Annotated[str, typer.Option(metavar="URL", help="An OpenAI-compatible API: http://gpu1:8000/v1.")],
    model: Annotated[str, typer.Option(metavar="NAME", help="A vision-language model, as the server lists it.")],
    api_key: Annotated[str | None, Key] = None,
    expert: ExpertFile = None,
    judge_server: Annotated[str | None, typer.Option(metavar="URL", help="Of a language model that marks.")] = None,
    judge_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="That model; without it nothing marks.")
    ] = None,
    judge_key: Annotated[str | None, Key] = None,
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep each answer here; what stands here already is not asked again."),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Requests under way.")] = 4,
    backbone: BackboneName = "dinov2-s",
    side_px: SidePx = None,
    threads: Threads = 1,
    json: JsonFlag = False,
) -> None:
    """Ask a model about pictures and hold its answers against those wanted: Anomaly-OV's VisA-D&R.

    Detection by the word "Yes", averaged over classes; reasoning by ROUGE-L, likeness of sentences, and a judge's mark
    from 1 to 10. With --expert the model is shown and told what inspection found, and that is measured by itself too.
    """
    from streamproc.commands import evaluating
    from streamproc.evaluation import answered
    from streamproc.evaluation.picture_answers import Asking
    from streamproc.evaluation.questions import load_questions

    if (judge_server is None) != (judge_model is None):
        raise ConfigError("--judge-server and --judge-model go together")
    questions = load_questions(images, files)
    answered.rouge_scorer()  # what is missing is told before anything is asked
    embedder = evaluating._embedder() if any(one.level != "detection" for one in questions) else None
    with ExitStack() as opened, bars() as tell:
        asked = _server(server, model, api_key, at_once, {"base_url": "server"}, opened)
        judging = None
        if judge_server is not None and judge_model is not None:
            words = {"base_url": "judge-server", "model": "judge-model", "api_key": "judge-key"}
            judging = answered.AskedJudge(_server(judge_server, judge_model, judge_key, 1, words, opened))
        looked = (
            None if expert is None else _looked(questions, inspection_parts(backbone, side_px, threads, expert), tell)
        )
        said = Asking(asked, answers, looked).answers(questions, _counted(tell, "asked", len(questions)), at_once)
        marked = _counted(tell, "marked", sum(one.level != "detection" for one in questions))
        levels = {
            level: answered.reasoning(level, said, embedder, judging, marked) if embedder is not None else None
            for level in ("low", "complex")
        }
    of_yes = [one for one in questions if one.level == "detection"]
    wanted = answered.by_class(of_yes, lambda one: one.wanted == "Yes")
    measures: dict[str, answered.Detection | answered.Reasoning | None] = {
        "detection": answered.detection(wanted, answered.by_class(of_yes, lambda one: answered.says_yes(said[one]))),
        "expert": None
        if looked is None
        else answered.detection(wanted, answered.by_class(of_yes, lambda one: looked[one.image].value >= 0.5)),
        **levels,
    }
    of = {"pictures": len({one.image for one in questions}), "classes": len({one.kind for one in questions})}
    if json:
        emit_json({"model": model, "judge": judge_model, **of, "questions": len(questions), **measures})
        return
    say(f"{model}: {of['pictures']} pictures of {of['classes']} classes, {len(questions)} questions")
    for name, measured in measures.items():
        if measured is not None:
            say(f"{name:9} " + ", ".join(f"{key} {_figure(value)}" for key, value in asdict(measured).items()))


def _figure(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def _counted(tell: Callable[[str, int, int], None], name: str, total: int) -> Callable[[], None]:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        tell(name, done, total)

    return advance


def _looked(
    questions: Sequence[Question], parts: tuple[Backbone, OnnxExpert | None], tell: Callable[[str, int, int], None]
) -> dict[Path, Score]:
    from streamproc.inspected import learned
    from streamproc.inspection.fused import Inspector
    from streamproc.inspection.reading import read_picture

    encoder, known = parts
    inspector = Inspector(encoder, learned(None, encoder, known, "knn", tell))
    pictures = list(dict.fromkeys(one.image for one in questions))
    advance = _counted(tell, "looked at", len(pictures))
    looked = {}
    for picture in pictures:
        looked[picture] = inspector.inspect(read_picture(picture)).score
        advance()
    return looked


def _server(
    url: str, model: str, key: str | None, at_once: int, words: Mapping[str, str], opened: ExitStack
) -> ModelServer:
    from streamproc.config import ServerSettings
    from streamproc.modelserver import ModelServer
    from streamproc.runtime.clock import SystemClock

    asked = {"base_url": url, "model": model, "api_key": key, "max_in_flight": at_once, "deadline_s": 120}
    settings = checked(ServerSettings, asked, words)
    made = ModelServer(settings, SystemClock())
    opened.callback(made.close)
    made.check()
    return made
