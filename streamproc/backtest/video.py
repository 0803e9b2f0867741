"""A rule set on recordings, by `replay`: what a live run would have raised."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from streamproc.backends import Backends
from streamproc.backtest.chosen import Chosen
from streamproc.backtest.heard import Heard
from streamproc.backtest.labels import Labels, Recording, is_normal, scored
from streamproc.backtest.opened import Opened, opened, together
from streamproc.backtest.outcome import Moment, Outcome
from streamproc.backtest.progress import Advance
from streamproc.evaluation.metrics import ScoredVideo, measure
from streamproc.replay import Judged, replay
from streamproc.runtime.spent import Spent

MOST_PICTURES = 200
"""In a contact sheet, so that a browser opens it: about 60 kB each."""
Heed = Callable[[Recording, float, Judged], None]
"""Is told of each window: the recording, the second of its last picture, what was made of it."""


@dataclass(frozen=True, slots=True)
class Footage:
    """The recordings, and what is known of them."""

    site: Path
    camera: str
    timezone: str
    recordings: tuple[Recording, ...]
    labels: Mapping[Path, Labels] | None
    start: datetime | None
    """When the first recording began, UTC; the others follow it. None where that is not known."""
    backends: Backends | None = None
    """The site's models, where they are loaded already."""
    spent: Spent | None = None
    """Is told what takes how long."""


def run_on_video(
    one: Chosen, footage: Footage, advance: Advance, *, pictures: bool, heed: Heed = lambda *_: None
) -> Outcome:
    """What ``one`` would have raised.

    Raises:
        ConfigError, SourceError, ModelError: as ``replay`` does.
    """
    begin = footage.start or datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    moments: list[Moment] = []
    videos: list[ScoredVideo] = []
    novelties: list[ScoredVideo] = []
    events: list[Opened] = []
    threshold, unwatched, seen = 0.0, 0, 0.0
    busy_s: Counter[str] = Counter()
    for recording in footage.recordings:
        left = MOST_PICTURES - sum(moment.picture is not None for moment in moments) if pictures else 0
        heard, took_s = _replayed(one, footage, recording, begin, advance, left, heed)
        of_clip = list(heard.opened.values())
        if footage.labels is not None:
            labels = footage.labels[recording.path]
            events.append(opened(recording, labels, of_clip))
            of_clip = [replace(m, false=is_normal(recording, labels, m.start_s)) for m in of_clip]
            videos.append(scored(recording, labels, heard.verdicts))
            novelties.append(scored(recording, labels, heard.novelties))
        moments += of_clip
        threshold, unwatched = heard.threshold or threshold, unwatched + heard.unwatched
        # Before the first window is judged, models and dictionaries are loaded.
        seen += (heard.verdicts[-1][0] - heard.verdicts[0][0]) * recording.fps if heard.verdicts else 0.0
        busy_s.update(took_s)
        begin += timedelta(seconds=recording.duration_s)
    footage_s = sum(recording.duration_s for recording in footage.recordings)
    fps = sum(len(recording.times_s) for recording in footage.recordings) / footage_s
    known = [recording.path.name for recording in footage.recordings if one.knows(recording.path)]
    notes = [f"the rules were learned from {', '.join(known)}: what they raise there says little"] if known else []
    notes += [f"incidents at hours at which the camera is not watched, left out: {unwatched}"] if unwatched else []
    return Outcome(
        rules=one.name,
        version=one.rules.version,
        sha256=one.rules.sha256[:12],
        threshold=threshold,
        footage_s=footage_s,
        normal_s=sum(video.labels.count(0) for video in videos) / fps if videos else footage_s,
        moments=tuple(moments),
        measures=measure(videos, threshold, fps) if videos else None,
        notes=tuple(notes),
        scored=tuple(videos),
        novelty=tuple(novelties),
        opened=together(events) if videos else None,
        ms={part: 1e3 * seconds / seen for part, seconds in busy_s.items()} if seen else {},
    )


def _replayed(
    one: Chosen,
    footage: Footage,
    recording: Recording,
    begin: datetime,
    advance: Advance,
    pictures: int,
    heed: Heed,
) -> tuple[Heard, Mapping[str, float]]:
    """What was heard, and processor seconds by part after the first window."""
    zone = ZoneInfo(footage.timezone) if footage.start is not None else None
    heard = Heard(recording.path.name, begin, zone, pictures)
    what, reached_s = f"{one.name}: {recording.path.name}", 0.0
    spent = footage.spent or Spent()
    before: Mapping[str, float] = {}
    advance(what, 0.0)

    def judged(window: Judged) -> None:
        nonlocal reached_s, before
        if not heard.verdicts:
            before = spent.so_far()
        now_s = heard.window(window)
        heed(recording, now_s, window)
        advance(what, now_s - reached_s)
        reached_s = now_s

    with tempfile.TemporaryDirectory(prefix="streamproc-backtest-") as folder:

        def told(alert: dict[str, Any]) -> None:
            heard.alert(alert["data"])
            for file in Path(folder).rglob("*.*"):
                file.unlink()

        replay(
            footage.site,
            footage.camera,
            recording.path,
            begin,
            Path(folder) if pictures else None,
            told,
            judged,
            rules=one.path,
            backends=footage.backends,
            spent=spent,
        )
    advance(what, recording.duration_s - reached_s)
    after = spent.so_far() if heard.verdicts else {}
    return heard, {part: seconds - before.get(part, 0.0) for part, seconds in after.items()}
