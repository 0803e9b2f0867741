"""Looking away in turn, where the machine cannot keep up with all of its cameras.

A window that makes room for a newer one is lost by chance, after it was decoded. So where that goes on, some camera of
the process looks away for a while after each second that it watches: nothing of that while is decoded, and what is
watched is unbroken, so that motion can be measured in it. Calm cameras go first, those that rest least before others;
one at which something stands out is watched without a rest while another can still rest more. Once nothing was lost
for long, rests get shorter again, and if that was too early, longer is waited the next time.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from streamproc.runtime.clock import Clock

RESTS_S = (0.0, 1.0, 3.0, 7.0)
"""After each second watched: half, a quarter, an eighth of a camera's work."""
STEP_S = 5.0
"""Between two cameras' steps to a longer rest, or to a shorter one: what the last one did must have shown by then."""
PERSISTS_S = 2.0
"""So long the machine must lose windows before anybody rests: who rests loses far more than a moment's hiccup does."""
CALM_S = 30.0
"""Without a loss, before rests get shorter; twice as long after each time that this led to a loss."""
MOST_CALM_S = 480.0
SUSPECT_S = 30.0
"""Something that stood out keeps its camera from resting so long."""


@dataclass
class _Camera:
    level: int = 0
    suspect_until_s: float = -math.inf


class Shedding:
    """Of all cameras of one process. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._stepped_s = -math.inf
        self._shorter_s = -math.inf
        self._lost_s = self._pressed_s = -math.inf
        self._calm_s = CALM_S

    def watch(self, camera_id: str) -> None:
        """The camera is one of those that may rest."""
        with self._lock:
            self._cameras.setdefault(camera_id, _Camera())

    def leave(self, camera_id: str) -> None:
        """The camera is over."""
        with self._lock:
            self._cameras.pop(camera_id, None)

    def lost(self, camera_id: str) -> None:
        """Windows or packets of the camera had to make room."""
        with self._lock:
            now_s = self._clock.monotonic()
            if now_s - self._lost_s > STEP_S:
                self._pressed_s = now_s
            self._lost_s = now_s
            if now_s - self._pressed_s < PERSISTS_S or now_s - self._stepped_s < STEP_S:
                return
            if now_s - self._shorter_s < self._calm_s:
                self._calm_s, self._shorter_s = min(2 * self._calm_s, MOST_CALM_S), -math.inf
            rests = [
                (camera.suspect_until_s > now_s, camera.level, each != camera_id, each)
                for each, camera in self._cameras.items()
                if camera.level < len(RESTS_S) - 1
            ]
            if rests:
                self._cameras[min(rests)[-1]].level += 1
                self._stepped_s = now_s

    def seen(self, camera_id: str, standing_out: bool) -> None:
        """A window of the camera was observed; whether anything in it stands out."""
        with self._lock:
            now_s = self._clock.monotonic()
            if standing_out and camera_id in self._cameras:
                self._cameras[camera_id].suspect_until_s = now_s + SUSPECT_S
            if now_s - self._lost_s < self._calm_s or now_s - self._stepped_s < STEP_S:
                return
            resting = [
                (camera.suspect_until_s <= now_s, -camera.level, each)
                for each, camera in self._cameras.items()
                if camera.level
            ]
            if resting:
                self._cameras[min(resting)[-1]].level -= 1
                self._stepped_s = self._shorter_s = now_s
            else:
                self._calm_s = CALM_S

    def rest_s(self, camera_id: str) -> float:
        """How long the camera looks away after this second."""
        with self._lock:
            camera, now_s = self._cameras.get(camera_id, _Camera()), self._clock.monotonic()
            calm_can = any(
                each.level < len(RESTS_S) - 1 and each.suspect_until_s <= now_s for each in self._cameras.values()
            )
            return 0.0 if camera.suspect_until_s > now_s and calm_can else RESTS_S[camera.level]
