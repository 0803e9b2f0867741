"""Findings put into words by a vision-language model; the score stays the expert's."""

from __future__ import annotations

from dataclasses import dataclass

from openai.types.chat import ChatCompletionMessageParam

from streamproc.config import ExplainSettings
from streamproc.inspection.answers import prompts
from streamproc.inspection.answers.prompts import SHA256, Answers, Doubt
from streamproc.inspection.answers.routes import Found, Route
from streamproc.modelreply import RequestRefused
from streamproc.modelserver import ModelServer
from streamproc.types import ModelRef


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is said of a crop, and by whom."""

    score: float
    """The expert's, 0..1, as it was; whatever the model says."""
    doubt: Doubt
    """The word that the model was given for it."""
    there: bool
    """Whether the model sees something that is not as it should be; it may contradict the score."""
    what: str
    why: str
    prevention: str
    route: str
    model: ModelRef


class Explainer:
    """Asks the four questions of one crop at a time, in one request: a crop is read once."""

    def __init__(self, server: ModelServer, settings: ExplainSettings, route: Route) -> None:
        """``route`` as ``make_route`` makes it."""
        self._server, self._settings, self._route = server, settings, route
        self.model = ModelRef("explanation", settings.model, settings.revision, prompt_sha256=SHA256)

    def explain(self, found: Found) -> Explanation:
        """The model's answers.

        Raises:
            RequestRefused: the server is well and does not take the route; in its own words, without a credential.
            InferenceError: no usable answer in time, or the route lacks something.
            ReplyError: the reply is truncated or not in the form asked for; keeps its text.
        """
        score, name = found.score.value, self._route.name
        doubt = prompts.doubt_of(score, self._settings.slightly_below, self._settings.highly_from)
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": prompts.system()},
            {"role": "user", "content": self._route.parts(found, doubt)},
        ]
        try:
            said = self._server.ask_one(messages, Answers, schema=prompts.schema())
        except RequestRefused as error:
            raise RequestRefused(f"route {name}: {error}") from None
        there = said.there == "yes"
        what, why, prevention = (" ".join(text.split()) for text in (said.what, said.why, said.prevention))
        return Explanation(score, doubt, there, what, why, prevention, name, self.model)
