"""Pictures that are the same again: scaled, saved anew, a frame later."""

from __future__ import annotations

import numpy as np

from streamproc.inspection.nouns import Backbone, Floats, Pixels
from streamproc.inspection.views import make_plain_views

SAME_ABOVE = 0.99
"""Cosine of two pictures' features (section A1.2, there with CLIP's)."""


def feature(backbone: Backbone, picture: Pixels) -> Floats:
    """(c,) float32 of length 1: the mean of the tokens of the whole picture.

    Raises:
        InferenceError: the encoder failed.
    """
    mean = backbone.encode(make_plain_views(picture, backbone.side_px)).tokens[0].mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


class Seen:
    """The pictures of one thing that were kept; compared within it alone, as duplicates are of one thing."""

    def __init__(self, same_above: float = SAME_ABOVE) -> None:
        self._same_above = same_above
        self._names: list[str] = []
        self._features: list[Floats] = []

    def same_as(self, name: str, feature: Floats) -> str | None:
        """The name of the likest kept picture if it is the same; else None, and this one is kept."""
        if self._features:
            cosines = np.stack(self._features) @ feature
            likest = int(cosines.argmax())
            if cosines[likest] > self._same_above:
                return self._names[likest]
        self._names.append(name)
        self._features.append(feature)
        return None
