"""A rule set on recordings, by `replay`: what a live run would have raised."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from PIL import Image

from streamproc.backtest.chosen import Chosen
from streamproc.backtest.labels import Labels, Recording, is_normal, scored
from streamproc.backtest.outcome import Moment, Outcome
from streamproc.backtest.progress import Advance
from streamproc.evaluation.metrics import ScoredVideo, measure
from streamproc.replay import replay
from streamproc.types import Verdict

MOST_PICTURES = 200
"""In a contact sheet, so that a browser opens it: about 60 kB each."""
_WIDTH_PX = 640
_QUALITY = 80


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


@dataclass(slots=True)
class _Heard:
    """What one recording's replay tells."""

    started: datetime
    pictures_left: int
    opened: dict[str, Moment] = field(default_factory=dict)
    scores: list[tuple[float, float]] = field(default_factory=list)
    busy_s: list[float] = field(default_factory=list)
    """Processor time when each window was judged."""
    threshold: float = 0.0
    unwatched: int = 0

    @property
    def steady_s(self) -> tuple[float, float]:
        """Seconds of footage after the first window, before which models are loaded, and the processor's for them."""
        if len(self.scores) < 2:
            return 0.0, 0.0
        return self.scores[-1][0] - self.scores[0][0], self.busy_s[-1] - self.busy_s[0]


def run_on_video(one: Chosen, footage: Footage, advance: Advance, *, pictures: bool) -> Outcome:
    """What ``one`` would have raised.

    Raises:
        ConfigError, SourceError, ModelError: as ``replay`` does.
    """
    begin = footage.start or datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    moments: list[Moment] = []
    videos: list[ScoredVideo] = []
    threshold, unwatched, steady, busy_s = 0.0, 0, 0.0, 0.0
    for recording in footage.recordings:
        left = MOST_PICTURES - sum(moment.picture is not None for moment in moments) if pictures else 0
        heard = _replayed(one, footage, recording, begin, advance, left)
        labels = None if footage.labels is None else footage.labels[recording.path]
        for moment in heard.opened.values():
            false = None if labels is None else is_normal(recording, labels, moment.start_s)
            moments.append(replace(moment, false=false))
        if labels is not None:
            videos.append(scored(recording, labels, heard.scores))
        threshold, unwatched = heard.threshold or threshold, unwatched + heard.unwatched
        seen_s, took_s = heard.steady_s
        steady, busy_s = steady + seen_s * recording.fps, busy_s + took_s
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
        fps=steady / busy_s if busy_s else None,
    )


def _replayed(
    one: Chosen, footage: Footage, recording: Recording, begin: datetime, advance: Advance, pictures: int
) -> _Heard:
    heard = _Heard(begin, pictures)
    what, reached_s = f"{one.name}: {recording.path.name}", 0.0
    advance(what, 0.0)

    def judged(at: datetime, verdict: Verdict | None, threshold: float) -> None:
        nonlocal reached_s
        now_s = (at - begin).total_seconds()
        # Where nothing moves nothing is judged, and nothing alarms.
        heard.scores.append((now_s, verdict.smoothed if verdict else 0.0))
        heard.busy_s.append(time.process_time())
        heard.threshold = threshold
        advance(what, now_s - reached_s)
        reached_s = now_s

    with tempfile.TemporaryDirectory(prefix="streamproc-backtest-") as folder:

        def told(alert: dict[str, Any]) -> None:
            _hear(heard, recording, footage, alert["data"])
            for file in Path(folder).rglob("*.*"):
                file.unlink()

        evidence = Path(folder) if pictures else None
        replay(footage.site, footage.camera, recording.path, begin, evidence, told, judged, rules=one.path)
    advance(what, recording.duration_s - reached_s)
    return heard


def _hear(heard: _Heard, recording: Recording, footage: Footage, data: Mapping[str, Any]) -> None:
    key, shown = data["alert_id"], footage.start is not None
    start, end = (datetime.fromisoformat(data[name]) if data[name] else None for name in ("start", "end"))
    match data["action"], heard.opened.get(key):
        case "suppress", _:
            heard.unwatched += 1
        case "open", _ if start is not None:
            start_s = (start - heard.started).total_seconds()
            rules = tuple((rule["id"], rule["text"]) for rule in data["cited_rules"] if rule["says"] == "anomaly")
            picture = _small(data["evidence"]["snapshot_uri"]) if heard.pictures_left > 0 else None
            heard.pictures_left -= picture is not None
            heard.opened[key] = Moment(
                clip=recording.path.name,
                start_s=start_s,
                end_s=start_s,
                at=start.astimezone(ZoneInfo(footage.timezone)) if shown else None,
                severity=data["severity"],
                score=data["score"],
                rules=rules,
                category=data["category"],
                reason=data["reason"],
                caption=" ".join(caption["text"] for caption in data["captions"]),
                false=None,
                picture=picture,
            )
        case "resolve", Moment() as moment if end is not None:
            last_s = (end - heard.started).total_seconds()
            heard.opened[key] = replace(moment, end_s=last_s, severity=data["severity"])


def _small(uri: str | None) -> bytes | None:
    """The annotated picture, as large as a contact sheet needs it."""
    if uri is None:
        return None
    with Image.open(unquote(urlsplit(uri).path)) as image:
        image.thumbnail((_WIDTH_PX, 2 * _WIDTH_PX))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
