"""Which crops of a camera are worth a look: of a region the sharpest now and then, of a track its sharpest few.

Cheap enough for the camera's own thread; what is picked is looked at elsewhere. Media time decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from streamproc.config import Area, CameraSettings, InspectionSettings
from streamproc.inspection.live.crops import Crop, Thing, bounds, covered, cut_object, cut_region, sharpness
from streamproc.inspection.nouns import Pixels
from streamproc.types import Box, CropDropCause, Frame, ObservedWindow, Track, on_host

COVERED_FROM = 0.1
"""Share of a region that a person may cover. More, and what stands before it would be looked at, not the region."""
_EDGE = 0.004
"""An object this near to the picture's edge (of its width or height) goes on beyond it."""
FORGET_S = 10.0
"""A track that was not seen for so long does not come back: trackers let go of theirs sooner."""


@dataclass(slots=True)
class _Waiting:
    """What was seen of one thing since it was last handed over."""

    since_s: float
    seen_s: float
    best: Crop | None = None
    left_out: CropDropCause | None = None
    sharpest: list[float] = field(default_factory=list)
    """Of a track's crops that were handed over to be looked at, the most there may be of them."""


class Picker:
    """Picks one camera's crops; given its windows in order."""

    def __init__(
        self,
        camera: CameraSettings,
        settings: InspectionSettings,
        on_dropped: Callable[[CropDropCause], None] = lambda _: None,
    ) -> None:
        """``on_dropped`` is told, as often as a look was due, why there was nothing to look at."""
        self._regions = [(region, Thing("region", region.name), bounds(region)) for region in camera.regions]
        self._labels = frozenset(camera.inspected_objects)
        self._settings, self._on_dropped = settings, on_dropped
        self._waiting: dict[tuple[Thing, int | None], _Waiting] = {}
        self._run: int | None = None

    def add(self, observed: ObservedWindow) -> list[Crop]:
        """The crops that are due by now."""
        frame = observed.window.last
        if frame.run != self._run:
            self._waiting, self._run = {}, frame.run
        for region, thing, box in self._regions:
            self._see_region(region, thing, box, observed)
        for track in observed.tracks:
            if track.label in self._labels:
                self._see_object(track, frame)
        return self._due(frame.pts_s)

    def _see_region(self, area: Area, thing: Thing, box: Box, observed: ObservedWindow) -> None:
        waiting = self._note((thing, None), observed.window.end_s)
        people = (track.box_norm for track in observed.tracks if track.label == "person")
        if any(covered(box, person) > COVERED_FROM for person in people):
            waiting.left_out = "covered"
            return
        for frame in observed.window.bursts[-1]:  # tracks are as of the last frame
            self._offer(waiting, thing, None, box, cut_region(on_host(frame.picture), area), frame)

    def _see_object(self, track: Track, frame: Frame) -> None:
        thing, box = Thing("object", track.label), track.box_norm
        waiting = self._note((thing, track.track_id), frame.pts_s)
        if min(box[0], box[1], 1 - box[2], 1 - box[3]) < _EDGE:
            waiting.left_out = "cut_off"
            return
        self._offer(waiting, thing, track.track_id, box, cut_object(on_host(frame.picture), box), frame)

    def _offer(
        self, waiting: _Waiting, thing: Thing, track_id: int | None, box: Box, pixels: Pixels, frame: Frame
    ) -> None:
        if min(pixels.shape[:2]) < self._settings.least_px:
            waiting.left_out = "small"
        elif not pixels.any():
            waiting.left_out = "masked"
        else:
            self._keep(waiting, Crop(thing, track_id, box, pixels, sharpness(pixels), frame))

    def _note(self, key: tuple[Thing, int | None], pts_s: float) -> _Waiting:
        waiting = self._waiting.setdefault(key, _Waiting(pts_s, pts_s))
        waiting.seen_s = pts_s
        return waiting

    @staticmethod
    def _keep(waiting: _Waiting, crop: Crop) -> None:
        if waiting.best is None or crop.sharpness >= waiting.best.sharpness:
            waiting.best = crop

    def _due(self, now_s: float) -> list[Crop]:
        due: list[Crop] = []
        for key, waiting in list(self._waiting.items()):
            if now_s - waiting.seen_s > FORGET_S:
                del self._waiting[key]
            if now_s - waiting.since_s < self._settings.every_s:
                continue
            if waiting.best is not None:
                due.append(self._handed_over(waiting, waiting.best))
            elif waiting.left_out is not None:
                self._on_dropped(waiting.left_out)
            waiting.since_s, waiting.best, waiting.left_out = now_s, None, None
        return due

    def _handed_over(self, waiting: _Waiting, crop: Crop) -> Crop:
        if crop.track_id is None:
            return crop
        kept = waiting.sharpest
        if len(kept) == self._settings.looks and crop.sharpness <= min(kept):
            return replace(crop, again=True)
        if len(kept) == self._settings.looks:
            kept.remove(min(kept))
        kept.append(crop.sharpness)
        return crop
