"""How a crop and what the expert found on it reach a model server."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Protocol, assert_never, cast

import numpy as np
from openai.types.chat import ChatCompletionContentPartParam

from streamproc.errors import InferenceError
from streamproc.inspection.answers import prompts
from streamproc.inspection.answers.pictures import as_uri, hottest, outlined, scaled
from streamproc.inspection.answers.projector import Projector
from streamproc.inspection.answers.prompts import Doubt
from streamproc.inspection.answers.settings import EmbedsRoute, PictureRoute
from streamproc.inspection.nouns import Features, Floats, Pixels, Reading, Score

Parts = list[ChatCompletionContentPartParam]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A crop and what was found on it."""

    crop: Pixels
    score: Score
    """Whose value decides the word of doubt; the model never changes it."""
    thing: str = "a thing"
    """What it is, in words, as in "the picture shows a valve"."""
    features: Features | None = None
    """Of the model's own tower; what is sent by tokens needs them."""
    reading: Reading | None = None
    """The expert's of ``features``."""


class Route(Protocol):
    """Makes the parts of a request's one message of the user."""

    @property
    def name(self) -> str:
        """As the settings' ``kind``."""
        ...

    def parts(self, found: Found, doubt: Doubt) -> Parts:
        """Pictures or tokens first, then one text; raises InferenceError where something it needs is not there."""
        ...


class ByPictures:
    """The plain crop, then the same with an outline around its hottest place."""

    name = "picture"

    def __init__(self, settings: PictureRoute) -> None:
        self._settings = settings

    def parts(self, found: Found, doubt: Doubt, ask: str = prompts.ASK) -> Parts:
        """One picture where the heat map has no hottest place, else two; the indication prompt in words; ``ask``."""
        plain, box = scaled(found.crop, self._settings.longest_px), hottest(found.score.heat)
        pictures = [plain] if box is None else [plain, outlined(plain, box)]
        parts: Parts = [{"type": "image_url", "image_url": {"url": as_uri(each)}} for each in pictures]
        parts.append({"type": "text", "text": prompts.of_pictures(found.thing, doubt, box is not None, ask)})
        return parts


class ByTokens:
    """The crop's tokens, the indication prompt and the selected tokens, in place of the picture's own."""

    name = "embeds"

    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    def parts(self, found: Found, doubt: Doubt) -> Parts:
        """One part of tokens and one text.

        Raises:
            InferenceError: there are no features, or they are not of the projector's tower.
        """
        if found.features is None or found.reading is None:
            raise InferenceError("route embeds: needs the tower's features and the expert's reading of the crop")
        tokens = self._projector.span(found.features, found.reading, doubt)
        # vLLM's own part, which the client's types do not know.
        part = cast(ChatCompletionContentPartParam, {"type": "image_embeds", "image_embeds": packed(tokens)})
        return [part, {"type": "text", "text": prompts.of_tokens(found.thing)}]


def packed(tokens: Floats) -> str:
    """Tokens (N, c) as vLLM reads them: base64 of a NumPy file of (N, c) in half precision, one item a part.

    Raises:
        InferenceError: a number is not finite in half precision.
    """
    with np.errstate(over="ignore"):
        halves = tokens.astype(np.float16)
    if not np.isfinite(halves).all():
        raise InferenceError("route embeds: the tokens hold numbers that are not finite in half precision")
    with io.BytesIO() as file:
        np.save(file, halves, allow_pickle=False)
        return base64.b64encode(file.getvalue()).decode("ascii")


def make_route(settings: PictureRoute | EmbedsRoute) -> Route:
    """The route that the settings name.

    Raises:
        ModelLoadError: the projector does not load; with the file's name.
    """
    match settings:
        case PictureRoute():
            return ByPictures(settings)
        case EmbedsRoute():
            return ByTokens(Projector.load(settings.projector))
        case other:
            assert_never(other)
