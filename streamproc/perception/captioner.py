"""What puts a window into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamproc.types import Caption, Fact, ModelRef, ObservedWindow

NOTHING_SEEN = "Nobody and nothing of note is seen."


class Captioner(Protocol):
    """``perception.scene.SceneCaptioner`` composes sentences from what was measured, ``perception.vlm.VlmCaptioner``
    asks a vision-language model. May be called from several threads.
    """

    def caption(self, observed: ObservedWindow) -> Caption:
        """The window in words: people first, then the rest.

        Raises:
            InferenceError: the model failed; the window is lost.
            ReplyError: the model's reply is unusable; keeps its text.
        """
        ...


def composed(observed: ObservedWindow, facts: Sequence[Fact], model: ModelRef, degraded: Sequence[str] = ()) -> Caption:
    """The caption that ``facts`` are, as of the window's end."""
    window = observed.window
    text = " ".join(fact.text for fact in facts) or NOTHING_SEEN
    return Caption(window.camera_id, window.run, window.end_s, text, tuple(facts), model, tuple(degraded))
