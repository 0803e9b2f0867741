"""Media time: where a packet of a session stands in a run.

A stream's own clock starts anywhere, jumps back where a server loops its file, and leaps forward after an outage inside
the session. Each such break starts a new run at the next keyframe, so that within a run time only goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.errors import SourceError
from streamproc.sources.session import Demuxed

BACK_S = 1.0
"""A step back beyond this is a break; less is jitter and is smoothed."""
GAP_S = 10.0
"""A leap forward beyond this is a break."""
REORDERED_S = 0.7
"""Longer than pictures wait for others that are shown before them: 16 at 25 a second."""
KEYFRAME_WAIT_S = 30.0
"""A run starts at a keyframe, and a camera that sends none for so long has nothing that could be decoded."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a packet stands."""

    run: int
    pts_s: float
    """From 0 at the run's first packet."""
    dts_s: float
    """Not decreasing within the run; a little below 0 at its start where pictures are reordered."""
    session_s: float
    """Media time since the session's first packet, going on over breaks."""


class Timeline:
    """Places the packets of one session; its first run is ``first_run``."""

    def __init__(self, camera_id: str, first_run: int, fps: float | None = None) -> None:
        self._camera_id = camera_id
        self._period_s = 1.0 / fps if fps else 0.04
        self._next_run = first_run
        self._before: float | None = None
        """Decoding time of the packet before, on the stream's clock."""
        self._base: float | None = None
        """The run's zero on the stream's clock; None while a keyframe is awaited."""
        self._awaited_since: float | None = None
        self._last_dts_s = 0.0
        self._session_s = 0.0
        self._offset_s = 0.0
        self._guessed = False
        """Whether the first packet came without a time, as RTSP's often does, and the clock's zero is a guess."""

    @property
    def next_run(self) -> int:
        """Number of the run that comes after those that were begun."""
        return self._next_run

    def place(self, raw: Demuxed) -> Place | None:
        """The packet's place; None for one that cannot be decoded: before a run's first keyframe, or leading it.

        Raises:
            SourceError: no keyframe came for ``KEYFRAME_WAIT_S``.
        """
        dts = self._unknown_dts(raw.pts_s) if raw.dts_s is None else raw.dts_s
        if dts is None:
            self._guessed = self._guessed or self._before is None
            dts = 0.0 if self._before is None else self._before + self._period_s
        elif self._guessed:
            self._anchor(dts)
        pts = dts if raw.pts_s is None else raw.pts_s
        if self._before is not None and not -BACK_S <= dts - self._before <= GAP_S:
            leap_s = dts - self._before if dts > self._before else self._period_s
            self._offset_s = self._session_s + leap_s
            self._base = self._awaited_since = None
        self._before = dts
        if self._base is None:
            if not raw.is_keyframe:
                self._await_keyframe(dts)
                return None
            self._base = pts
            if self._awaited_since is not None:
                self._offset_s += max(0.0, pts - self._awaited_since)
                self._awaited_since = None
            self._last_dts_s = dts - pts
            self._next_run += 1
        if pts < self._base:
            return None
        self._last_dts_s = max(self._last_dts_s, dts - self._base)
        self._session_s = max(self._session_s, self._offset_s + pts - self._base)
        return Place(self._next_run - 1, pts - self._base, self._last_dts_s, self._offset_s + pts - self._base)

    def _unknown_dts(self, pts: float | None) -> float | None:
        """As early as it can be: pictures that are shown before may still follow."""
        if pts is None or self._before is None:
            return pts
        if self._guessed:
            if not 0 < pts - self._before <= GAP_S:
                return pts
            self._guessed = False  # the stream's clock is near the guess
        return max(min(pts, self._before), pts - REORDERED_S)

    def _anchor(self, dts: float) -> None:
        """Lay the guessed zero where the first time that was told, ``dts``, comes one period after what went before."""
        self._guessed = False
        if self._before is not None and not 0 < dts - self._before <= GAP_S:
            shift_s = dts - self._period_s - self._before
            self._before += shift_s
            if self._base is not None:
                self._base += shift_s
            if self._awaited_since is not None:
                self._awaited_since += shift_s

    def _await_keyframe(self, dts: float) -> None:
        if self._awaited_since is None:
            self._awaited_since = dts
        elif dts - self._awaited_since > KEYFRAME_WAIT_S:
            raise SourceError(
                self._camera_id, f"no keyframe for {KEYFRAME_WAIT_S:g} s; set a shorter keyframe interval on the camera"
            )
