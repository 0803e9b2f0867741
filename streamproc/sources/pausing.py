"""How long a camera's packets may be left to come, while nobody needs one: reckoned by those that came in a session."""

from __future__ import annotations

import math

from streamproc.sources.timeline import Place

PAUSE_S = 0.5
"""Packets of a camera that nobody looks at yet are taken so far apart, together: each taking costs two threads' waking,
and 25 a second of one packet each were half as much work as reading them."""
_AHEAD_S = 0.02
"""So long before one that is looked at they are taken as they come."""
_LATE_S = 0.1
"""A camera whose packets come so much later than at best is read as they come."""
_DRIFT = 0.001
"""How far a camera's clock and ours may drift apart, in seconds a second."""
_UNREAD_BYTES = 64_000
"""So much a connection keeps for its reader from the first, on Linux."""
_RATED_S = 0.2
"""Media time after which bytes a second are reckoned anew."""


class Pausing:
    """Of one session."""

    def __init__(self) -> None:
        self._newest_s: float | None = None
        """Media time of the newest packet in its run."""
        self._session_s = 0.0
        """And in the session, of the latest so far."""
        self._behind_s, self._looked_s = math.inf, 0.0
        """How much less that is than the clock's time, at best, and when that was looked at."""
        self._bytes, self._rated_s = 0, 0.0
        """Since bytes a second were last reckoned, and when in media time that was."""
        self._bytes_a_s = 0.0
        """The most of late; 0 while nobody knows."""

    def came(self, place: Place, size: int) -> None:
        """A packet of ``size`` bytes."""
        self._newest_s, self._session_s = place.pts_s, max(self._session_s, place.session_s)
        self._bytes += size

    def left_s(self, due_s: float, now_s: float) -> tuple[float, float]:
        """Seconds for which packets can be left to come, and for which they may stay unread meanwhile; 0: not at all.

        ``due_s`` is the media time, in the present run, before which none will be looked at; ``now_s`` the clock's,
        monotonic.
        """
        if self._newest_s is None:
            return 0.0, 0.0
        behind_s = now_s - self._session_s
        self._behind_s = min(self._behind_s + _DRIFT * (now_s - self._looked_s), behind_s)
        self._looked_s = now_s
        late_s = behind_s - self._behind_s
        pause_s = max(0.0, min(PAUSE_S, due_s - self._newest_s - late_s - _AHEAD_S))
        rate = self._rate()
        return pause_s, _UNREAD_BYTES / rate if rate and late_s < _LATE_S else 0.0

    def _rate(self) -> float:
        passed_s = self._session_s - self._rated_s
        if passed_s >= _RATED_S:
            self._bytes_a_s = max(self._bytes / passed_s, 0.8 * self._bytes_a_s)
            self._bytes, self._rated_s = 0, self._session_s
        return self._bytes_a_s
