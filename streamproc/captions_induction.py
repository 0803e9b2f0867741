"""Rules from captions of normal frames alone, without pictures and without a site.

A few references are what normal rules are read from; all captions count against keywords and set the alarm's
threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamproc.config import DeductionSettings
from streamproc.deduction.calibration import calibrate
from streamproc.errors import ConfigError
from streamproc.rules.inducer import Inducer
from streamproc.rules.induction import Induction, StatisticalInducer
from streamproc.rules.learned import rule_set
from streamproc.rules.meaning import Embedder
from streamproc.rules.references import choose
from streamproc.types import Caption, ModelRef, RuleSet

Judge = Callable[[RuleSet, Sequence[str]], Sequence[float]]
"""The smoothed scores, 0..1, that rules give the captions of one video, in order."""
_CAMERA = "captions"
_DEFAULTS = DeductionSettings()
_WRITTEN = ModelRef("perception", "captions from a file", "")


@dataclass(frozen=True, slots=True)
class FromCaptions:
    """What was learned from captions."""

    induction: Induction
    videos: tuple[str, ...]
    """Those that were learned from."""
    alarm_score: float | None
    """The alarm's threshold; None where nothing judged."""
    notes: tuple[str, ...]
    """What people should look at."""

    def rule_set(self, site: str = _CAMERA, camera: str = _CAMERA) -> RuleSet:
        """As the rule file would load."""
        return rule_set(self.induction, site, camera, self.alarm_score)


def induce_from_captions(
    normal: Mapping[str, Sequence[str]],
    inducer: Inducer | None = None,
    *,
    references: int = 10,
    seed: int = 0,
    embedder: Embedder | None = None,
    judge: Judge | None = None,
    settings: DeductionSettings = _DEFAULTS,
) -> FromCaptions:
    """Learn from ``normal``: the captions of normal frames, in order, by video.

    ``references`` of them, chosen by ``seed``, are what normal rules are read from: unlike each other and spread over
    time with an ``embedder``, else drawn. The statistical form has no model. With a ``judge`` each half of the captions
    is scored by what was learned from the other; the threshold is what ``calibrate`` makes of it by ``settings``.

    Raises:
        ConfigError: there are too few captions.
        InferenceError: a model failed.
    """
    inducer = inducer or StatisticalInducer()
    captions = [
        Caption(_CAMERA, run, float(frame), text, (), _WRITTEN)
        for run, texts in enumerate(normal.values(), 1)
        for frame, text in enumerate(texts)
    ]

    def learn(known: Sequence[Caption]) -> Induction:
        shown = choose(known, references, 1, embedder, "diverse" if embedder else "random", seed) if known else []
        return inducer.induce(known, shown)

    induction = learn(captions)
    notes: list[str] = []
    score = None
    if judge is not None:
        texts = [(video, text) for video, several in normal.items() for text in several]
        score, objection = calibrate(_judged(captions, texts, learn, induction, judge, notes), settings)
        notes += [objection] if objection else []
    return FromCaptions(induction, tuple(normal), score, tuple(notes))


def _judged(
    captions: Sequence[Caption],
    texts: Sequence[tuple[str, str]],
    learn: Callable[[Sequence[Caption]], Induction],
    induction: Induction,
    judge: Judge,
    notes: list[str],
) -> list[float]:
    """Scores of normal captions, each half judged by what was learned from the other; halves follow the order."""
    middle = len(captions) // 2
    scores: list[float] = []
    for known, unknown in ((captions[:middle], texts[middle:]), (captions[middle:], texts[:middle])):
        try:
            rules = rule_set(learn(known), _CAMERA, _CAMERA)
        except ConfigError:
            notes.append(
                "too few captions to judge one half by the other: the alarm's threshold was set on all of them"
            )
            return _scores(judge, rule_set(induction, _CAMERA, _CAMERA), texts)
        scores += _scores(judge, rules, unknown)
    return scores


def _scores(judge: Judge, rules: RuleSet, texts: Sequence[tuple[str, str]]) -> list[float]:
    """Video by video: smoothing does not run on from one into the next."""
    videos = dict.fromkeys(video for video, _ in texts)
    return [score for one in videos for score in judge(rules, [text for video, text in texts if video == one])]
