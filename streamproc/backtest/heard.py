"""What one recording's replay tells: its alerts, and a score a window."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from PIL import Image

from streamproc.backtest.outcome import Moment
from streamproc.backtest.standing_out import novelty
from streamproc.replay import Judged

_WIDTH_PX = 640
_QUALITY = 80


@dataclass(slots=True)
class Heard:
    """Told of windows and alerts in order."""

    clip: str
    started: datetime
    """When the recording's first picture was captured, UTC."""
    timezone: ZoneInfo | None
    """Of the camera; None where nobody knows when that was."""
    pictures_left: int
    """Of how many alerts more to keep the picture."""
    opened: dict[str, Moment] = field(default_factory=dict)
    verdicts: list[tuple[float, float]] = field(default_factory=list)
    """Seconds into the recording, and the smoothed score."""
    novelties: list[tuple[float, float]] = field(default_factory=list)
    """The same with what stands out most, in times of its threshold; by the frame where that is known."""
    threshold: float = 0.0
    unwatched: int = 0

    def seconds(self, at: datetime) -> float:
        """Into the recording."""
        return (at - self.started).total_seconds()

    def window(self, judged: Judged) -> float:
        """A window was judged; returns the second of its last picture."""
        now_s = self.seconds(judged.at)
        # Where nothing moves nothing is judged, and nothing alarms.
        self.verdicts.append((now_s, judged.verdict.smoothed if judged.verdict else 0.0))
        window = judged.observed.window
        # By the frame where that is known: what a frame measures like is known with it, not at its window's end.
        course = [(now_s + at_s - window.end_s, score) for at_s, score in judged.observed.course]
        self.novelties += course or [(now_s, novelty(judged.observed))]
        self.threshold = judged.threshold
        return now_s

    def alert(self, data: Mapping[str, Any]) -> None:
        """An alert was told."""
        key = data["alert_id"]
        start, end = (datetime.fromisoformat(data[name]) if data[name] else None for name in ("start", "end"))
        match data["action"], self.opened.get(key):
            case "suppress", _:
                self.unwatched += 1
            case "open", _ if start is not None:
                start_s = self.seconds(start)
                rules = tuple((rule["id"], rule["text"]) for rule in data["cited_rules"] if rule["says"] == "anomaly")
                picture = _small(data["evidence"]["snapshot_uri"]) if self.pictures_left > 0 else None
                self.pictures_left -= picture is not None
                self.opened[key] = Moment(
                    clip=self.clip,
                    start_s=start_s,
                    end_s=start_s,
                    at=start.astimezone(self.timezone) if self.timezone else None,
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
                self.opened[key] = replace(moment, end_s=self.seconds(end), severity=data["severity"])


def _small(uri: str | None) -> bytes | None:
    """The annotated picture, as large as a contact sheet needs it."""
    if uri is None:
        return None
    with Image.open(unquote(urlsplit(uri).path)) as image:
        image.thumbnail((_WIDTH_PX, 2 * _WIDTH_PX))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
