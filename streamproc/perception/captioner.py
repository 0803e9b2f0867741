"""What puts a window into words."""

from __future__ import annotations

from typing import Protocol

from streamproc.types import Caption, ObservedWindow


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
