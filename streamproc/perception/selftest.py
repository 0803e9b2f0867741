"""Whether a server's model can do what captions need, asked before the first window.

What is surely wrong is refused with its reason and its remedy: a model that takes no pictures, a template that leaves
them out or reads them as text, fewer pictures a request than the settings want, a context too small for them. That is
seen from the tokens the server counts, not from what the model knows. What only seems wrong, as a model that cannot
tell red from blue, is a warning: a site may know better.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Literal, NoReturn

import cv2
import numpy as np
import structlog
from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

from streamproc.config import VlmPerception
from streamproc.errors import ConfigError, InferenceError, ReplyError
from streamproc.modelreply import Reply, RequestRefused
from streamproc.modelserver import ModelServer
from streamproc.perception import prompts
from streamproc.perception.pictures import Pixels, as_uri
from streamproc.perception.prompts import Scene

log = structlog.get_logger(__name__)

LEAST_TOKENS = 8
"""Fewer a picture are a word in its place, like "[image]"; the models that spend least on one spend some tens."""
_SIDE_PX = 224
_ABOUT_PICTURES = ("image", "multimodal", "multi-modal", "mmproj", "vision")
"""Words in servers' refusals of a picture (vLLM, llama.cpp, SGLang)."""
_ABOUT_LENGTH = ("context length", "context size", "too long", "longer than", "max_model_len", "maximum model length")


class Colour(Reply):
    """What is asked of a drawn square."""

    colour: Literal["red", "green", "blue", "yellow"]


_SQUARES: dict[str, tuple[int, int, int]] = {"red": (220, 20, 20), "blue": (20, 20, 220)}


class VisionServer(ModelServer):
    """A server whose check asks its model for more than its name."""

    settings: VlmPerception

    def check(self) -> tuple[str, ...]:
        """Ask each server which models it has, and its model whether it can put pictures into words; their names.

        Raises:
            ConfigError: it serves another model, or this one cannot, with reason and remedy.
            InferenceError: it cannot be reached now, which may pass.
        """
        models = super().check()
        if len(self.settings.apart()) == 1:
            self._tell(self_test(self, self.settings))
            return models
        for settings in self.reached():
            with closing(VisionServer(settings, self.clock)) as one:
                ModelServer.check(one)
                self._tell(self_test(one, one.settings))
        return models

    def _tell(self, doubts: Sequence[str]) -> None:
        for doubt in doubts:
            log.warning("model_doubtful", role="perception", model=self.settings.model, reason=doubt)


def self_test(server: ModelServer, settings: VlmPerception) -> tuple[str, ...]:
    """What seems wrong, in words; nothing in the best case. ``server.check`` has been called.

    Raises:
        ConfigError: what is surely wrong, with its remedy.
        InferenceError: the server cannot be reached now.
    """
    return (*_takes_pictures(server), *_has_room(server, settings), *_sees(server))


def sees_pictures(server: ModelServer) -> tuple[str, ...]:
    """The same for a model that looks at pictures of any kind; `self_test` also asks what captions need.

    Raises:
        ConfigError: what is surely wrong, with its remedy.
        InferenceError: the server cannot be reached now.
    """
    return (*_takes_pictures(server), *_sees(server))


def _takes_pictures(server: ModelServer) -> tuple[str, ...]:
    flat = np.full((_SIDE_PX, _SIDE_PX, 3), 128, np.uint8)
    busy = np.random.default_rng(0).integers(0, 255, flat.shape, np.uint8)
    without = server.cost(_asked((), "Describe it.")).prompt_tokens
    try:
        one, other = (server.cost(_asked((picture,), "Describe it.")).prompt_tokens for picture in (flat, busy))
    except InferenceError as error:
        if isinstance(error, RequestRefused) or any(word in str(error).casefold() for word in _ABOUT_PICTURES):
            _refuse(server, f"takes no picture: {error}", "serve a vision-language model, with its own chat template")
        raise
    if without is None or one is None or other is None:
        return ("it does not count tokens (usage.prompt_tokens): whether pictures reach the model is not known",)
    if one - without < LEAST_TOKENS:
        _refuse(
            server,
            f"leaves pictures out: a prompt has {without} tokens without a picture and {one} with one",
            "serve a vision-language model with its own chat template (take out --chat-template)",
        )
    if other - one > (one - without) / 2:
        _refuse(
            server,
            f"reads pictures as text: of two equally large ones the one with more detail has {other - one} tokens more",
            "take out --chat-template and --chat-template-content-format, so that the model's own are used",
        )
    return ()


def _has_room(server: ModelServer, settings: VlmPerception) -> tuple[str, ...]:
    count = settings.frames_per_window
    size = (settings.image_width_px * 3 // 4, settings.image_width_px, 3)
    pictures = [square(name, size, i / count) for i, name in zip(range(count), ["red", "blue"] * count, strict=False)]
    asked = _request(pictures, settings)
    try:
        whole = server.cost(asked).prompt_tokens
    except RequestRefused as error:
        said = str(error).casefold()
        if any(word in said for word in _ABOUT_LENGTH):
            _refuse(
                server,
                f"has no room for {count} pictures of {size[1]}x{size[0]} px: {error}",
                "serve it with a larger --max-model-len, or lower frames_per_window or image_width_px",
            )
        limit = f"--limit-mm-per-prompt '{{\"image\": {count}}}'"
        _refuse(
            server,
            f"refuses {count} pictures in a request: {error}",
            f"serve it with {limit}, or lower frames_per_window",
        )
    room = server.context_tokens
    if whole is not None and room is not None and whole + settings.max_tokens > room:
        _refuse(
            server,
            f"has room for {room} tokens, and {count} pictures of {size[1]}x{size[0]} px with a reply of "
            f"{settings.max_tokens} need {whole + settings.max_tokens}",
            "serve it with a larger --max-model-len, or lower frames_per_window, image_width_px or max_tokens",
        )
    if whole is not None and count > 1:
        fewer = server.cost(_request(pictures[1:], settings)).prompt_tokens
        if fewer is not None and whole - fewer < LEAST_TOKENS:
            _refuse(
                server,
                f"shows its model fewer pictures than it is sent: {count} cost {whole} tokens, one less {fewer}",
                f"serve a model that takes {count} pictures, or lower frames_per_window",
            )
    try:
        server.ask_one(asked, Scene, schema=prompts.schema(0))
    except ReplyError as error:
        return (f"its reply to drawn test pictures is no description: {error}",)
    return ()


def _sees(server: ModelServer) -> tuple[str, ...]:
    answers = {}
    for name in _SQUARES:
        asked = _asked((square(name, (_SIDE_PX, _SIDE_PX, 3), 0.5),), "Which colour is the square? Reply with JSON.")
        (answers[name],) = server.ask(asked, Colour, logprobs=True)
    red, blue = answers.values()
    if isinstance(red, ReplyError) or isinstance(blue, ReplyError):
        return ("it was shown a drawn square and named none of the colours that it could choose from",)
    if red.tokens and red.tokens == blue.tokens:
        _refuse(
            server,
            "answers alike, to the last digit of its probabilities, whatever picture it is shown",
            "the picture does not reach the model: serve it with its own chat template and processor",
        )
    if (red.colour, blue.colour) == ("red", "blue"):
        return ()
    return (
        f"it was shown a red and a blue square and calls them {red.colour} and {blue.colour}: too small a model, or a "
        "wrong chat template",
    )


def square(colour: str, size: tuple[int, int, int], at: float) -> Pixels:
    """A drawn picture: a square on grey, ``at`` 0..1 of the way from left to right."""
    picture = np.full(size, 128, np.uint8)
    side = size[0] // 2
    x = round(at * (size[1] - side))
    cv2.rectangle(picture, (x, side // 2), (x + side, side // 2 + side), _SQUARES[colour], cv2.FILLED)
    return picture


def _asked(pictures: Sequence[Pixels], text: str) -> list[ChatCompletionMessageParam]:
    parts: list[ChatCompletionContentPartParam] = [
        {"type": "image_url", "image_url": {"url": as_uri(pixels)}} for pixels in pictures
    ]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


def _request(pictures: Sequence[Pixels], settings: VlmPerception) -> list[ChatCompletionMessageParam]:
    asked = _asked(pictures, prompts.user(len(pictures), 0, 1.0))
    return [{"role": "system", "content": prompts.system(settings.marks > 0)}, *asked]


def _refuse(server: ModelServer, reason: str, remedy: str) -> NoReturn:
    own = f"model server {server.name} "
    raise ConfigError(f"{own}{reason.replace(own, '')}; {remedy}")
