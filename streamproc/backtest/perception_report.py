"""What came of a comparison of captioners, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streamproc.evaluation.perception import Agreement, Captioned, Entry

_NAME, _COLUMN = 24, 20


@dataclass(frozen=True, slots=True)
class PerceptionReport:
    """Of all clips together."""

    clips: tuple[str, ...]
    moments: int
    """Windows that were put into words."""
    labelled: int
    """Of them, those with a label of what is there."""
    every_s: float
    seen_by: str
    """The preset whose windows, tracks and measurements all captioners were given."""
    calibrated: bool
    """Whether it had a calibration of the camera: without, nothing is told of speed."""
    captioners: tuple[Captioned, ...]
    agreements: tuple[Agreement, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        how = "calibrated" if self.calibrated else "without a calibration"
        rows = [
            f"{len(self.clips)} clips, {self.moments} moments ({self.labelled} labelled), one each {self.every_s:g} s; "
            f"windows of {self.seen_by}, {how}",
            self._row("", lambda one: one.name),
            self._row("captions", lambda one: str(one.moments - one.failed)),
            self._row("failed", lambda one: _share(one.failed, one.moments)),
            self._row("words a caption", lambda one: _number(one.words_mean, ".1f")),
            self._row("sentences a caption", lambda one: _number(one.sentences_mean, ".1f")),
            self._row("ms, median / 95 %", _latency),
            self._row("people told of, mean", lambda one: _number(one.people_mean, ".1f")),
        ]
        for title, entries in (("object", _objects), ("action", _actions)):
            for number, words in enumerate(one.words for one in entries(self.captioners[0])):
                place = number

                def told(one: Captioned, place: int = place, of: _Of = entries) -> str:
                    return _found(of(one)[place])

                rows.append(self._row(f"{title} {words.split('|')[0]}"[: _NAME - 1], told))
        rows += [
            f"{one.name} names most: {_most(one.objects_most)}; {_most(one.actions_most)}" for one in self.captioners
        ]
        return "\n".join([*rows, *map(_agreed, self.agreements)])

    def _row(self, title: str, value: Callable[[Captioned], str]) -> str:
        return f"{title:<{_NAME}}" + "".join(f"{value(one)[: _COLUMN - 1]:>{_COLUMN}}" for one in self.captioners)


_Of = Callable[[Captioned], Sequence[Entry]]


def _objects(one: Captioned) -> Sequence[Entry]:
    return one.objects


def _actions(one: Captioned) -> Sequence[Entry]:
    return one.actions


def _found(entry: Entry) -> str:
    """``found 3/4, else 1/9``: named where it is labelled, and where it is not."""
    return f"{entry.found}/{entry.there}, else {entry.named_anyway}/{entry.absent}"


def _agreed(one: Agreement) -> str:
    return (
        f"{one.one} and {one.other} agree at {one.moments} moments: objects {_number(one.objects_jaccard, '.2f')} "
        f"(kappa {_number(one.objects_kappa, '.2f')}), actions {_number(one.actions_jaccard, '.2f')} "
        f"(kappa {_number(one.actions_kappa, '.2f')}); people differ by {_number(one.people_difference, '.1f')}"
    )


def _latency(one: Captioned) -> str:
    return "recorded" if one.ms_median is None else f"{one.ms_median:.3g} / {one.ms_p95:.3g}"


def _most(words: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{word} {count}" for word, count in words) or "nothing"


def _share(count: int, of: int) -> str:
    return f"{count} ({count / of:.1%})" if of else "-"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
