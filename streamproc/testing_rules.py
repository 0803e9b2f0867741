"""Public fakes of what rules are learned with: an embedder that knows a few topics, captions, and a model's replies."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from streamproc.rules.meaning import Floats
from streamproc.types import Caption, ModelRef

_NEUTRAL = 20
"""How many neutral sentences ``meaning`` embeds first; what they differ in must be no topic."""


class TopicEmbedder:
    """A direction for each topic: sentences that name the same topics mean the same, others have nothing in common."""

    def __init__(self, *topics: str) -> None:
        """Each topic is a few words with spaces between; a sentence that holds one of them is about it."""
        self._topics = [topic.split() for topic in topics]

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, topics + 4) float32, each row of length 1."""
        count = len(self._topics)
        rows = np.zeros((len(texts), count + 4), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for index, words in enumerate(self._topics):
                row[index] = float(any(word in text.lower() for word in words))
            row[count] = 0.2
        for index, row in enumerate(rows if len(texts) == _NEUTRAL else ()):
            row[:] = 0
            row[count + 1 + index % 3] = 1
        unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def captions_of(texts: Sequence[str]) -> list[Caption]:
    """Free text, a caption a second."""
    model = ModelRef("perception", "words", "1")
    return [Caption("gate", 1, float(second), text, (), model) for second, text in enumerate(texts)]


def rule_lists(
    normal_people: Sequence[str] = (),
    normal_things: Sequence[str] = (),
    anomaly_people: Sequence[str] = (),
    anomaly_things: Sequence[str] = (),
) -> str:
    """A language model's reply."""
    lists = {
        "normal_people": normal_people,
        "normal_things": normal_things,
        "anomaly_people": anomaly_people,
        "anomaly_things": anomaly_things,
    }
    return json.dumps({name: list(sentences) for name, sentences in lists.items()})
