"""`streamproc induce --captions`: rules from a file of labelled captions.

References come from the frames labelled normal of some videos; those videos stand in the rule set's provenance, so that
nobody measures on them unawares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streamproc.backends import make_inducer
from streamproc.captions_induction import Judge, induce_from_captions
from streamproc.config import DeductionSettings, PipelineSettings
from streamproc.errors import ConfigError
from streamproc.evaluation.captioned import CaptionedVideo, load_captioned
from streamproc.evaluation.judging import CaptionJudge
from streamproc.evaluation.table import draw
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.rules.store import Footage, save_rules
from streamproc.runtime.clock import SystemClock


@dataclass(frozen=True, slots=True)
class LearnedFromCaptions:
    """What was learned, and where it was written."""

    rules: Path
    version: int
    videos: tuple[str, ...]
    captions: int
    """Normal ones, all of which counted."""
    normal_rules: int
    anomaly_rules: int
    proposed: tuple[str, ...]
    """Rules that too few batches speak for."""
    alarm_score: float | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"learned from {self.captions} captions of normal frames of {', '.join(self.videos)}",
            f"rules        {self.rules}, version {self.version}: {self.normal_rules} normal, "
            f"{self.anomaly_rules} anomaly, {len(self.proposed)} proposed",
        ]
        lines += [] if self.alarm_score is None else [f"alarm        from a score of {self.alarm_score:.2f} on"]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def learn_captions(
    file: Path,
    videos: Sequence[str],
    references: int,
    seed: int,
    out: Path,
    site: str,
    camera: str,
    preset: PipelineSettings | None = None,
) -> LearnedFromCaptions:
    """Learn from the named ``videos`` of a file of captions, or two drawn by ``seed``, and write the rules to ``out``.

    ``preset`` says what learns, and how is judged.

    Raises:
        ConfigError: the file, the videos or the rule file that is there are not as they must be.
        ModelError: a model cannot be had, or failed.
    """
    known = load_captioned(file)
    chosen = _named(known, videos) if videos else draw(known, seed)
    preset = preset or PipelineSettings(schema_version=1, name="captions")
    embedder = SentenceEmbedder(ModelStore().ensure("bge-small"))
    clock = SystemClock()
    inducer, server = make_inducer(preset.induction, embedder, clock)
    normal = {
        video.name: [text for label, text in zip(video.labels, video.texts, strict=True) if not label]
        for video in chosen
    }
    try:
        if server is not None:
            server.check()
        learned = induce_from_captions(
            normal,
            inducer,
            references=references,
            seed=seed,
            embedder=embedder,
            judge=_by_keywords(preset.deduction),
            settings=preset.deduction,
        )
    finally:
        if server is not None:
            server.close()
    footage = Footage((), clock.now(), alarm_score=learned.alarm_score, videos=learned.videos)
    merge = save_rules(out, site, camera, learned.induction, footage)
    in_force = [rule.says for rule in learned.induction.rules if rule.enabled]
    return LearnedFromCaptions(
        rules=out,
        version=merge.version,
        videos=learned.videos,
        captions=learned.induction.captions,
        normal_rules=in_force.count("normal"),
        anomaly_rules=in_force.count("anomaly"),
        proposed=merge.proposed,
        alarm_score=learned.alarm_score,
        notes=learned.notes,
    )


def slug_of(file: Path) -> str:
    """The file's name as an id: ``Gate 1.jsonl.gz`` becomes ``gate-1``."""
    stem = file.name.split(".")[0].lower()
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter == "_") else "-" for letter in stem)
    return kept.strip("-_")[:63] or "captions"


def _by_keywords(settings: DeductionSettings) -> Judge:
    """As `eval captions` judges: without meaning, for a video's every sentence would have to be embedded."""
    return lambda rules, texts: CaptionJudge(rules, settings).smoothed(texts)


def _named(known: Sequence[CaptionedVideo], names: Sequence[str]) -> list[CaptionedVideo]:
    if missing := [name for name in names if name not in {video.name for video in known}]:
        has = ", ".join(video.name for video in known)
        raise ConfigError(f"there is no video {', '.join(missing)}; the file holds {has}")
    return [video for video in known if video.name in names]
