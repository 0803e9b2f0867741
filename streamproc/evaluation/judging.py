"""Our own deduction over captions alone, one after the other and from the past alone.

The matcher and the voters are those that run live. There are no pictures, so no tracks and no measurements: keywords
vote, and meaning where there is an embedder. Rules for zones are met only where a caption tells the place, and rules
for hours and days are held against ``AT``, for captions carry no time. What a caption scores does not depend on those
before it, so that a caption which is repeated is judged once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from streamproc.config import DeductionSettings
from streamproc.deduction.deducer import Deducer
from streamproc.evaluation.averaging import ALPHA, averaged
from streamproc.rules.matching import Matcher
from streamproc.rules.meaning import Embedder
from streamproc.types import Caption, Frame, ModelRef, ObservedWindow, RuleSet, Verdict, Window

AT = datetime(2026, 1, 7, 12, tzinfo=UTC)
"""A Wednesday at noon."""
WRITTEN = ModelRef("perception", "captions from a file", "")
_CAMERA = "captions"
_FRAME = Frame(_CAMERA, 1, 0.0, AT, np.zeros((1, 1, 3), np.uint8))
UNSEEN = ObservedWindow(Window(_CAMERA, 1, 0, ((_FRAME,),)), (), (), 0.0, ("only captions were given",))
"""A window of which only a caption is known: no tracks, nothing measured."""


def written(text: str, frame: int = 0) -> Caption:
    """A caption from a file, as free text of frame number ``frame``."""
    return Caption(_CAMERA, 1, float(frame), text, (), WRITTEN)


class CaptionJudge:
    """Scores captions by one rule set."""

    def __init__(self, rules: RuleSet, settings: DeductionSettings, embedder: Embedder | None = None) -> None:
        """``settings`` give weights and thresholds; a language model that they name is not asked.

        Raises:
            InferenceError: the embedding model failed.
        """
        self.rules = rules
        self.threshold = max(settings.alarm_score, rules.alarm_score or 0.0)
        """Smoothed score that raises an alarm."""
        self.judged = 0
        """Captions that were judged; repeated ones once."""
        self.busy_s = 0.0
        """Processor seconds that they took."""
        self._deducer = Deducer(settings)
        self._matcher = Matcher(rules, embedder, settings.semantic_threshold)
        self._scores: dict[str, float] = {}

    @property
    def fps(self) -> float | None:
        """Captions a second on one core; None before the first. Those that were remembered do not flatter it."""
        return self.judged / self.busy_s if self.busy_s else None

    def verdict(self, text: str) -> Verdict:
        """What is decided about one caption, by itself."""
        caption = written(text)
        return self._deducer.decide(UNSEEN, caption, self._matcher.match(caption, AT, "UTC"), self.rules)

    def score(self, text: str) -> float:
        """One caption's score, 0..1, before smoothing."""
        if text not in self._scores:
            began_s = time.process_time()
            self._scores[text] = self.verdict(text).score
            self.busy_s += time.process_time() - began_s
            self.judged += 1
        return self._scores[text]

    def smoothed(self, texts: Sequence[str]) -> list[float]:
        """One video's scores, 0..1: averaged over its captions as the published ones are, not by seconds as live, for
        a file of captions tells no time. The score at a caption does not depend on later ones."""
        return averaged((self.score(text) for text in texts), ALPHA)
