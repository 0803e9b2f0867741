"""The captioner that asks a vision-language model behind an OpenAI-compatible server.

The model sees pictures only, not the measurements: what it says and what was measured stay independent witnesses.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

from streamproc.config import VlmPerception
from streamproc.modelserver import ModelServer
from streamproc.perception.captioner import composed
from streamproc.perception.prompts import SHA256, SYSTEM, USER, Scene
from streamproc.types import About, Caption, Fact, Frame, ModelRef, ObservedWindow, Window, on_host

JPEG_QUALITY = 85


class VlmCaptioner:
    """Puts several pictures of a window into words with one request."""

    def __init__(self, server: ModelServer, settings: VlmPerception) -> None:
        self._server = server
        self._settings = settings
        self.model = ModelRef("perception", settings.model, settings.revision, prompt_sha256=SHA256)

    def caption(self, observed: ObservedWindow) -> Caption:
        """What the model says, in sentences and in parts.

        Raises:
            InferenceError: the server does not answer; the window is lost.
            ReplyError: the reply is truncated or not in the form asked for; keeps its text.
        """
        scene = self._server.ask_one(self._messages(observed.window), Scene)
        return composed(observed, _facts(scene), self.model)

    def _messages(self, window: Window) -> list[ChatCompletionMessageParam]:
        frames = spread(window, self._settings.frames_per_window)
        span_s = frames[-1].pts_s - frames[0].pts_s
        span = f"{span_s:.1f} seconds" if span_s > 0 else "one moment"
        parts: list[ChatCompletionContentPartParam] = [
            {"type": "image_url", "image_url": {"url": data_uri(frame, self._settings.image_width_px)}}
            for frame in frames
        ]
        parts.append({"type": "text", "text": USER.format(span=span)})
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": parts}]


def spread(window: Window, count: int) -> tuple[Frame, ...]:
    """``count`` frames evenly over the window, first and last among them; the last alone for 1, all if there are
    fewer."""
    frames = [frame for burst in window.bursts for frame in burst]
    if count == 1:
        return (frames[-1],)
    indices = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return tuple(frames[i] for i in indices)


def data_uri(frame: Frame, width_px: int) -> str:
    """The frame as a JPEG of at most ``width_px`` in a data URI."""
    pixels = on_host(frame.picture)
    height, width = pixels.shape[:2]
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")


def _facts(scene: Scene) -> tuple[Fact, ...]:
    """People first. Entries that say nothing, or count nobody, are left out."""
    people = [_fact("human", p.who or "person", p.count, p.action, p.place, p.sentence) for p in scene.people]
    things = [_fact("environment", t.what or "thing", t.count, t.action, t.place, t.sentence) for t in scene.things]
    return _unrepeated([fact for fact in (*people, *things) if fact.count > 0 and fact.text])


def _fact(about: About, subject: str, count: int, action: str, place: str, sentence: str) -> Fact:
    text = " ".join(sentence.split())
    if text and text[-1] not in ".!?":
        text += "."
    return Fact(about, subject.strip().lower(), count, action.strip().lower(), place.strip(), text)


def _unrepeated(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Models repeat themselves; a sentence said twice is evidence once."""
    return tuple({fact.text: fact for fact in reversed(facts)}.values())[::-1]
