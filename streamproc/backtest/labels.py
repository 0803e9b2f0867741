"""Labels of recordings' pictures, from a CSV file, and when each picture was taken."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamproc.config import CameraSettings
from streamproc.errors import ConfigError, Fault
from streamproc.evaluation.metrics import ScoredVideo
from streamproc.sources.session import open_session

_COLUMNS = ("clip", "frame", "label")
Labels = Mapping[int, int]
"""By picture, from 0: 1 where it is anomalous, else 0."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's pictures, not decoded."""

    path: Path
    times_s: tuple[float, ...]
    """When each was taken, from the first on."""

    @property
    def duration_s(self) -> float:
        """From the first to the end of the last, which is taken to be as long as the others."""
        count = len(self.times_s)
        return self.times_s[-1] * count / (count - 1) if count > 1 else 0.0

    @property
    def fps(self) -> float:
        """Pictures a second, on average."""
        return len(self.times_s) / self.duration_s if self.duration_s else 0.0


def look_at(path: Path) -> Recording:
    """A recording's times.

    Raises:
        ConfigError: it holds less than two pictures.
        SourceError: it cannot be read.
    """
    camera = CameraSettings(id="backtest", main=str(path.absolute()), realtime=False)
    with open_session(camera.main, camera) as session:
        times = sorted(raw.pts_s for raw in session if raw.pts_s is not None)
    if len(times) < 2:
        raise ConfigError(f"{path} holds less than two pictures")
    return Recording(path, tuple(time - times[0] for time in times))


def load_labels(path: Path, clips: Sequence[Path]) -> dict[Path, Labels]:
    """The labels of ``clips`` in a CSV file with the columns clip, frame (from 0) and label (1 = anomalous).

    A clip is named by its file's name, with or without suffix.

    Raises:
        ConfigError: the file is not there, not such a file, or lacks a clip.
    """
    by_name: dict[str, dict[int, int]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
                raise _fault(path, 1, f"no column {', '.join(missing)}; the first line names clip,frame,label")
            for row in rows:
                frame, label = row["frame"] or "", (row["label"] or "").strip()
                if not frame.strip().isdecimal() or label not in ("0", "1"):
                    raise _fault(path, rows.line_num, "frame must be a whole number from 0 on, label 0 or 1")
                by_name.setdefault(row["clip"].strip(), {})[int(frame)] = int(label)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = {clip: by_name.get(clip.name) or by_name.get(clip.stem) for clip in clips}
    if without := [clip.name for clip, labels in found.items() if not labels]:
        raise ConfigError(f"{path} has no labels of {', '.join(without)}; it has those of {', '.join(by_name)[:200]}")
    return {clip: labels for clip, labels in found.items() if labels}


def scored(recording: Recording, labels: Labels, scores: Sequence[tuple[float, float]]) -> ScoredVideo:
    """A score for each labelled picture: that of the last window that had ended by then, 0 before the first.

    ``scores`` are windows' ends, seconds into the recording, with their smoothed scores, in order.
    """
    ends = [end_s for end_s, _ in scores]
    frames = [frame for frame in sorted(labels) if frame < len(recording.times_s)]
    values = []
    for frame in frames:
        ended = bisect_right(ends, recording.times_s[frame] + 1e-3)  # the window's own last picture is in it
        values.append(scores[ended - 1][1] if ended else 0.0)
    given = tuple(labels[frame] for frame in frames)
    return ScoredVideo(recording.path.name, given, tuple(values), frame_rate=recording.fps or None)


def is_normal(recording: Recording, labels: Labels, at_s: float) -> bool:
    """Whether the last labelled picture at that time is normal."""
    frame = bisect_right(recording.times_s, at_s + 1e-3) - 1
    return not labels.get(max(frame, 0), 0)


def _fault(path: Path, line: int, message: str) -> ConfigError:
    return ConfigError(faults=(Fault(str(path), line, None, "", message),))
