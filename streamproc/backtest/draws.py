"""The same test after learning from random pairs of normal clips: what little footage is enough for."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streamproc.backtest.located import Located
from streamproc.backtest.opened import Opened, together
from streamproc.backtest.quiet import Quiet
from streamproc.backtest.split import CLIPS_A_DRAW
from streamproc.backtest.video_report import Score, VideoReport


@dataclass(frozen=True, slots=True)
class DrawsReport:
    """One report a draw."""

    reports: tuple[VideoReport, ...]
    learned_from: tuple[tuple[str, ...], ...]
    """Names of each draw's normal clips."""

    @property
    def aurocs(self) -> Mapping[Score, float | None]:
        """Means over the draws, by score; None where the labels are of one kind only."""
        return {score: self._mean(score) for score in self.reports[0].by_score}

    @property
    def opened(self) -> Opened:
        """Of all draws together."""
        return together(report.opened for report in self.reports)

    @property
    def quiet(self) -> Quiet | None:
        """Of all draws together; None where nothing was held out."""
        every = [report.quiet for report in self.reports if report.quiet]
        return Quiet(sum(one.incidents for one in every), sum(one.seconds for one in every)) if every else None

    @property
    def located(self) -> Mapping[str, Located]:
        """Of all draws together."""
        names = dict.fromkeys(name for report in self.reports for name in report.located)
        return {name: sum((one.located.get(name, Located()) for one in self.reports), Located()) for name in names}

    def _mean(self, score: Score) -> float | None:
        aurocs = [report.by_score[score].auroc for report in self.reports]
        known = [auroc for auroc in aurocs if auroc is not None]
        return statistics.fmean(known) if known else None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: means first, then each draw's report."""
        fps = [report.fps for report in self.reports if report.fps]
        return {
            "score": self.reports[0].score,
            "auroc": self.aurocs[self.reports[0].score],
            "aurocs": dict(self.aurocs),
            "events": self.opened.events,
            "opened": self.opened.opened,
            "delay_s_median": self.opened.delay_s_median,
            "located": {name: asdict(one) for name, one in self.located.items()},
            "held_out": self.quiet and self.quiet.as_dict(),
            "fps": statistics.fmean(fps) if fps else None,
            "draws": [
                {"learned_from": names} | report.as_dict()
                for names, report in zip(self.learned_from, self.reports, strict=True)
            ],
        }

    def __str__(self) -> str:
        rows = [f"learned from {CLIPS_A_DRAW} random normal clips, {len(self.reports)} times; auroc:"]
        names = list(self.aurocs)
        rows.append(f"{'clips':<24}" + "".join(f"{name:>10}" for name in names) + "  opened  off label")
        for clips, report in zip(self.learned_from, self.reports, strict=True):
            told = "".join(_told(report.by_score[name].auroc) for name in names)
            opened = f"{report.opened.opened}/{report.opened.events}"
            rows.append(f"{', '.join(clips)[:24]:<24}{told}{opened:>8}{report.opened.off_label:>11}")
        rows.append(f"{'mean':<24}" + "".join(_told(self.aurocs[name]) for name in names))
        rows.append(f"opened        {self.opened}")
        rows += [f"place         {name}: {one}" for name, one in self.located.items()]
        if self.quiet:
            rows.append(f"held out      {self.quiet}; a clip that several draws played counts each time")
        return "\n".join(rows)


def _told(auroc: float | None) -> str:
    return f"{'-' if auroc is None else f'{auroc:.3f}':>10}"
