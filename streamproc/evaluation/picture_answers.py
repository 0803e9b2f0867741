"""Asks a vision-language model questions about pictures, with or without what inspection found on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openai.types.chat import ChatCompletionMessageParam

from streamproc.errors import ConfigError, ReplyError
from streamproc.evaluation.questions import Question
from streamproc.inspection.answers.pictures import as_uri, scaled
from streamproc.inspection.answers.prompts import doubt_of
from streamproc.inspection.answers.routes import ByPictures, Found, Parts
from streamproc.inspection.answers.settings import PictureRoute
from streamproc.inspection.nouns import Score
from streamproc.inspection.reading import read_picture
from streamproc.modelserver import ModelServer

LONGEST_PX = 1024
"""Longer edge of what is sent, as in the published evaluation."""


class Asking:
    """Answers, each kept in a file as soon as it is there, so that a long run can be taken up again."""

    def __init__(self, server: ModelServer, kept: Path | None, looked: Mapping[Path, Score] | None = None) -> None:
        """``looked``: what inspection says of each picture, which the model is then shown and told; None without it.

        Raises:
            ConfigError: ``kept`` cannot be read, or is no file of answers.
        """
        self._server, self._kept, self._looked = server, kept, looked
        self._route = ByPictures(PictureRoute(longest_px=LONGEST_PX))
        self._by = f"{server.settings.model}{' with inspection' if looked is not None else ''}"
        self._known = _known(kept, self._by)

    def answers(
        self, questions: Sequence[Question], advance: Callable[[], None], at_once: int = 1
    ) -> dict[Question, str]:
        """The model's words to each question, ``at_once`` under way; a truncated reply as far as it came.

        Raises:
            InferenceError: the model does not answer.
            ConfigError: a picture cannot be read, or an answer not be kept.
        """
        said: dict[Question, str] = {}
        pool = ThreadPoolExecutor(at_once)
        try:
            for question, text in zip(questions, pool.map(self._answer, questions), strict=True):
                said[question] = text
                self._keep(question, text)
                advance()
        finally:
            pool.shutdown(cancel_futures=True)
        return said

    def _answer(self, question: Question) -> str:
        if (known := self._known.get(_name(question))) is not None:
            return known
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": self._parts(question)}]
        try:
            return self._server.write(messages)
        except ReplyError as error:
            return error.text

    def _parts(self, question: Question) -> Parts:
        pixels = read_picture(question.image)
        if self._looked is not None:
            score = self._looked[question.image]
            return self._route.parts(Found(pixels, score), doubt_of(score.value), question.text)
        return [
            {"type": "image_url", "image_url": {"url": as_uri(scaled(pixels, LONGEST_PX))}},
            {"type": "text", "text": question.text},
        ]

    def _keep(self, question: Question, text: str) -> None:
        name = _name(question)
        if self._kept is None or name in self._known:
            return
        self._known[name] = text
        line = {"by": self._by, "image": name[0], "question": name[1], "answer": text, "wanted": question.wanted}
        try:
            with self._kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            raise ConfigError(f"{self._kept} cannot be written: {error.strerror}") from None


def _name(question: Question) -> tuple[str, str]:
    return str(question.image), question.text


def _known(kept: Path | None, by: str) -> dict[tuple[str, str], str]:
    if kept is None or not kept.exists():
        return {}
    try:
        lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
        return {(one["image"], one["question"]): str(one["answer"]) for one in lines if one["by"] == by}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{kept} is no file of answers: {error!r}") from None
