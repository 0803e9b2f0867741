"""`streamproc rules recalibrate`: what operators said of alerts is taken into the rule file, as its next version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamproc.config import DeductionSettings
from streamproc.feedback.records import load_feedback
from streamproc.feedback.weighing import Weighed, weigh
from streamproc.rules.diff import Diff
from streamproc.rules.schema import FeedbackModel, RuleSetModel
from streamproc.rules.store import save_feedback
from streamproc.rules.versions import difference, load


class Teacher:
    """The feedback on a rule file's alerts, to be taken into what is written there."""

    def __init__(self, path: Path, settings: DeductionSettings) -> None:
        """Read the feedback; ``settings`` are those that the rules are judged with.

        Raises:
            ConfigError: it cannot be read.
        """
        self._said, self._settings = tuple(load_feedback(path).values()), settings
        self.weighed = Weighed(None, ())
        """What it came to for the rules that it was last held against."""

    def __call__(self, rules: RuleSetModel) -> FeedbackModel | None:
        """What it comes to for ``rules``."""
        self.weighed = weigh(rules, self._said, self._settings)
        return self.weighed.feedback


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """What came of it."""

    rules: Path
    version: int | None
    """The file's new version; None where nothing was written."""
    feedback: FeedbackModel | None
    """What is in the file now."""
    changes: Diff | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "rules": self.rules,
            "version": self.version,
            "feedback": self.feedback and self.feedback.model_dump(mode="json"),
            "changes": self.changes and self.changes.as_dict(),
            "notes": self.notes,
        }


def recalibrate(path: Path, settings: DeductionSettings | None = None, *, dry_run: bool = False) -> Recalibrated:
    """Take what was said of alerts into the rule file at ``path``; all of it anew, whatever it has taken in before.

    ``dry_run``: tell what that comes to, and write nothing.

    Raises:
        ConfigError: the rule file or the feedback is not valid, or cannot be written.
    """
    before = load(path)
    teacher = Teacher(path, settings or DeductionSettings())
    if dry_run:
        taught = replace(before, model=before.model.model_copy(update={"feedback": teacher(before.model)}))
        changes = difference(before, taught) if taught.model != before.model else None
        return Recalibrated(path, None, teacher.weighed.feedback, changes, teacher.weighed.notes)
    version = save_feedback(path, teacher)
    changes = None if version is None else difference(before, load(path))
    return Recalibrated(path, version, teacher.weighed.feedback, changes, teacher.weighed.notes)
