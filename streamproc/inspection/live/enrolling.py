"""From normal footage to a few pictures of each thing, spread over the footage; picked as the live camera picks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from streamproc.config import CameraSettings, InspectionSettings
from streamproc.inspection.live.crops import Thing
from streamproc.inspection.live.enrolled import KnownThing
from streamproc.inspection.live.picking import Picker
from streamproc.inspection.nouns import Pixels
from streamproc.types import CropDropCause, ObservedWindow

LEAST_PICTURES = 4
"""Of a thing: of fewer nobody can tell how much it varies."""
_SAYS: dict[CropDropCause, str] = {
    "covered": "people stood before it",
    "cut_off": "it was partly outside the picture",
    "small": "there was too little of it to see",
    "masked": "it lies under a privacy mask",
}


class Spread:
    """At most ``2 x wanted`` items of however many come, evenly spread over them."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._every, self._came = wanted, 1, 0
        self._kept: list[Pixels] = []

    def add(self, item: Pixels) -> None:
        """Take or pass over the next."""
        if self._came % self._every == 0:
            self._kept.append(item)
        self._came += 1
        if len(self._kept) == 2 * self._wanted:
            self._kept, self._every = self._kept[::2], 2 * self._every

    @property
    def chosen(self) -> tuple[Pixels, ...]:
        """The wanted number, or all where fewer came."""
        count = min(self._wanted, len(self._kept))
        return tuple(self._kept[index * len(self._kept) // count] for index in range(count))


class Enrolling:
    """Takes in the windows of a camera's normal footage."""

    def __init__(self, camera: CameraSettings, things: tuple[Thing, ...], settings: InspectionSettings) -> None:
        self._camera, self._things = camera, things
        self._left_out: CropDropCause | None = None
        self._picker = Picker(camera, settings, self._note)
        self._seen = {thing.key: Spread(settings.memory.shots) for thing in things}

    def add(self, observed: ObservedWindow) -> None:
        """Take in a window."""
        for crop in self._picker.add(observed):
            self._seen[crop.thing.key].add(crop.pixels)

    def through(self, windows: Iterator[ObservedWindow]) -> Iterator[ObservedWindow]:
        """The same windows, taken in on their way."""
        for observed in windows:
            self.add(observed)
            yield observed

    def _note(self, cause: CropDropCause) -> None:
        self._left_out = cause

    @property
    def pictures(self) -> dict[str, tuple[Pixels, ...]]:
        """What was chosen, by ``Thing.key``; without the things of which too little was seen."""
        chosen = {key: spread.chosen for key, spread in self._seen.items()}
        return {key: some for key, some in chosen.items() if len(some) >= LEAST_PICTURES}

    @property
    def known(self) -> dict[str, KnownThing]:
        """The same for the file's header."""
        return {
            thing.key: KnownThing(pictures=len(self.pictures[thing.key]), seen_as=seen_as(self._camera, thing))
            for thing in self._things
            if thing.key in self.pictures
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Of which things too little was seen, in words."""
        why = f" ({_SAYS[self._left_out]})" if self._left_out in _SAYS else ""
        return tuple(
            f"{key} was looked at {len(spread.chosen)} times, {LEAST_PICTURES} are needed{why}: it is not inspected"
            for key, spread in self._seen.items()
            if len(spread.chosen) < LEAST_PICTURES
        )


def seen_as(camera: CameraSettings, thing: Thing) -> str:
    """What a thing is cut by, as a hash."""
    outlines = [region.polygon for region in camera.regions if thing.kind == "region" and region.name == thing.name]
    masks = [mask.polygon for mask in camera.privacy_masks]
    return hashlib.sha256(json.dumps([outlines, masks]).encode()).hexdigest()
