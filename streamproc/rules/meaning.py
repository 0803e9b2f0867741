"""How alike in meaning two short sentences about a scene are, on a scale where 0 says "no relation".

A sentence encoder finds any two sentences about a camera's picture alike: they share their subject and their form. With
BGE-small the cosine of unrelated ones is .46 to .74, and that of paraphrases .65 to .91. What neutral sentences about
scenes have in common, their mean and the two directions in which they differ most, is taken out of every vector
(Mu and Viswanath 2018, "All-but-the-Top"). Measured on 12 rules and 73 sentences: unrelated pairs then have a median of
.05 and a 99th percentile of .33, the best rule of an unrelated sentence at most .37, paraphrases a median of .52.
So a cosine of .05 becomes 0 and one of .65 becomes 1; the default threshold of .6 is a cosine of .41. On 37 sentences
that had no part in this it finds 9 of 17 paraphrases, puts 1 to a wrong rule, and takes 1 of 20 ordinary ones for an
anomaly: likeness of meaning adds to keywords, and does not replace them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import numpy.typing as npt

NO_RELATION = 0.05
"""Cosine of unrelated sentences, their median."""
SAME_MEANING = 0.65
"""Cosine of close paraphrases."""
_DIRECTIONS = 2
_NEUTRAL = (
    "A person is in the scene.",
    "People are in the scene.",
    "Someone does something here.",
    "Something is in the scene.",
    "There is a thing on the left.",
    "There is something in the middle.",
    "A man is here.",
    "A woman stands there.",
    "There is a building.",
    "There is a tree.",
    "The scene is quiet.",
    "A person on the right.",
    "It is on the ground.",
    "Someone is near the wall.",
    "People do something here.",
    "There are two of them.",
    "A thing moves.",
    "A person walks.",
    "There is a door.",
    "There is a sign.",
)

Floats = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Sentences as vectors; ``models.sentences.SentenceEmbedder`` is one."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, d) float32, each row of length 1.

        Raises:
            InferenceError: the model failed.
        """
        ...


_HELD: WeakKeyDictionary[Embedder, WeakValueDictionary[str, Floats]] = WeakKeyDictionary()
"""By embedder and text: vectors that some ``Meanings`` holds, so that neither an edit nor another camera with the same
rules has them made again. They go with the last that holds them; an embedder's own memory is also the captions'."""


class Meanings:
    """Sentences to compare others with, each embedded once for all that compare with it by the same embedder."""

    def __init__(self, embedder: Embedder, texts: Sequence[str]) -> None:
        """Embed ``texts`` and the neutral sentences.

        Raises:
            InferenceError: the model failed.
        """
        self._embedder = embedder
        neutral = embedder.embed(_NEUTRAL)
        self._mean: Floats = neutral.mean(axis=0)
        directions = np.linalg.svd(neutral - self._mean, full_matrices=False)[2]
        self._common: Floats = directions[: min(_DIRECTIONS, neutral.shape[1] - 1)]
        held = _HELD.setdefault(embedder, WeakValueDictionary())
        self._held = {text: vector for text in texts if (vector := held.get(text)) is not None}
        if new := [text for text in dict.fromkeys(texts) if text not in self._held]:
            for text, row in zip(new, embedder.embed(new), strict=True):
                self._held[text] = held[text] = row.copy()  # a row as such would keep the whole array
        self._texts = self._distinct(np.stack([self._held[text] for text in texts])) if texts else None

    def likeness(self, sentences: Sequence[str]) -> Floats:
        """(number of ``sentences``, number of texts), each 0..1: 0 no relation, 1 the same said otherwise.

        Raises:
            InferenceError: the model failed.
        """
        if self._texts is None or not sentences:
            return np.zeros((len(sentences), 0 if self._texts is None else len(self._texts)), np.float32)
        # The many rows first: the other way round they would be rearranged at every call, at twice the cost.
        scaled: Floats = (self._texts @ self._distinct(self._embedder.embed(sentences)).T).T
        scaled -= NO_RELATION
        scaled /= SAME_MEANING - NO_RELATION
        return np.clip(scaled, 0.0, 1.0, out=scaled)

    def _distinct(self, vectors: Floats) -> Floats:
        moved = vectors - self._mean
        moved = moved - moved @ self._common.T @ self._common
        distinct: Floats = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        return distinct
