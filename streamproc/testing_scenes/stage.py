"""A fixed camera's scene to put things into: what is near and far, what stands in front, where the ground is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes.cutouts import Walker, background_of, blobs, walkers
from streamproc.testing_scenes.placing import Placed, box_of, warped
from streamproc.testing_scenes.scene import PutIn, Scene, to_pixels

PERSON_M = 1.72


@dataclass(frozen=True, slots=True)
class Occluder:
    """A post or a sign that hides what passes behind it: lines, in parts of the picture."""

    lines: tuple[tuple[tuple[float, float], tuple[float, float], float], ...]
    """From, to, and how thick, of the width."""
    foot: float
    """The row where it stands: what stands higher up in the picture is behind it."""


VTEST_OCCLUDERS = (
    Occluder(
        (
            ((0.5547, 0.18), (0.5609, 0.672), 0.0115),
            ((0.5520, 0.18), (0.522, 0.06), 0.007),
            ((0.5575, 0.362), (0.5575, 0.412), 0.042),
        ),
        foot=0.677,
    ),
    Occluder(
        (
            ((0.657, 0.595), (0.655, 0.665), 0.009),
            ((0.654, 0.66), (0.600, 0.812), 0.005),
            ((0.656, 0.66), (0.660, 0.782), 0.005),
            ((0.657, 0.66), (0.681, 0.833), 0.005),
        ),
        foot=0.83,
    ),
)
"""The lamp post with its sign, and the tripod, as vtest.avi shows them."""


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A thing through time; ``truth_from``: the picture from which it is not normal, None if it is all along normal."""

    what: str
    places: Mapping[int, Placed]
    truth_from: int | None = 0


@dataclass(eq=False)
class Stage:
    """The scene of ``normal`` footage, as seen by a camera that does not move."""

    normal: Sequence[Pixels]
    occluders: tuple[Occluder, ...] = ()
    seed: int = 11
    _occluded: dict[Occluder, npt.NDArray[np.bool_]] = field(default_factory=dict)

    @cached_property
    def background(self) -> Pixels:
        """Without anything that moves."""
        return background_of(self.normal)

    @cached_property
    def walkers(self) -> list[Walker]:
        """Everyone who can be cut out whole, the longest seen first."""
        hidden = np.zeros(self.background.shape[:2], np.bool_)
        for one in self.occluders:
            hidden |= self._mask(one)
        return walkers(self.normal, self.background, hidden)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the camera's noise, of 255, where nothing moves."""
        pairs = [self.normal[at : at + 2] for at in np.linspace(0, len(self.normal) - 2, 8).astype(int)]
        change = np.concatenate([(a.astype(np.int16) - b).ravel() for a, b in pairs])
        return float(np.std(change[np.abs(change) < 15])) / 2**0.5

    @cached_property
    def _heights(self) -> tuple[float, float]:
        feet = [w.feet[at][1] for w in self.walkers for at in range(0, len(w.feet), 5)]
        tall = [float(w.sprites[at].size[1] - 4) for w in self.walkers for at in range(0, len(w.feet), 5)]
        slope, level = np.polyfit(feet, tall, 1)
        return float(slope), float(level)

    def px_per_m(self, row: float) -> float:
        """Pixels for one metre where the ground meets ``row``, from how tall people are there."""
        slope, level = self._heights
        return max(8.0, slope * row + level) / PERSON_M

    def path(
        self, begin: tuple[float, float], end: tuple[float, float], m_s: float, fps: float = 10.0
    ) -> list[tuple[float, float]]:
        """Feet on the way from ``begin`` to ``end`` at so many metres a second, which is slower where it is far."""
        height, width = self.background.shape[:2]
        at, goal = np.multiply(begin, (width, height)), np.multiply(end, (width, height))
        feet = []
        while (goal - at) @ (goal - np.multiply(begin, (width, height))) > 0:
            feet.append((float(at[0]), float(at[1])))
            direction = (goal - at) / np.linalg.norm(goal - at)
            at = at + direction * self.px_per_m(float(at[1])) * m_s / fps
        return feet

    def play(self, pictures: Sequence[Pixels], actors: Sequence[Actor]) -> Scene:
        """``pictures`` of this stage with ``actors`` in them."""
        size = self.background.shape[1], self.background.shape[0]
        put_in = []
        for actor in actors:
            boxes = {}
            for at, placed in actor.places.items():
                box = box_of(placed, size)
                if actor.truth_from is not None and at >= actor.truth_from and at < len(pictures) and box:
                    boxes[at] = box
            if boxes:
                put_in.append(PutIn(actor.what, boxes))
        return Scene(self._drawn(pictures, actors), tuple(put_in))

    def _drawn(self, pictures: Sequence[Pixels], actors: Sequence[Actor]) -> Iterator[Pixels]:
        random = np.random.default_rng(self.seed)
        for at, picture in enumerate(pictures):
            here = [actor.places[at] for actor in actors if at in actor.places]
            yield self._with(picture, sorted(here, key=lambda one: one.foot[1]), random) if here else picture

    def _with(self, picture: Pixels, here: Sequence[Placed], random: np.random.Generator) -> Pixels:
        made = picture.astype(np.float32)
        moving = blobs(picture, self.background)
        for one in here:
            rgb, matte, shadow, (left, top, right, bottom) = warped(one, made.shape[:2])
            if right <= left or bottom <= top:
                continue
            front = np.ones(matte.shape, np.float32)
            for occluder in self.occluders:
                if occluder.foot * made.shape[0] > one.foot[1]:
                    front[self._mask(occluder)[top:bottom, left:right]] = 0.0
            for blob in moving:
                if blob.box[3] > one.foot[1] + 2:
                    x0, y0, x1, y1 = (
                        max(0, blob.box[0] - left),
                        max(0, blob.box[1] - top),
                        blob.box[2] - left,
                        blob.box[3] - top,
                    )
                    cut = blob.inside[max(0, top - blob.box[1]) :, max(0, left - blob.box[0]) :]
                    region = front[y0 : max(0, y1), x0 : max(0, x1)]
                    region[cut[: region.shape[0], : region.shape[1]]] = 0.0
            front = cv2.GaussianBlur(front, (0, 0), 0.6)
            grain = random.standard_normal(rgb.shape, np.float32) * np.float32(self.noise)
            part = made[top:bottom, left:right]
            part *= 1.0 - (shadow * front)[..., None]
            opaque = (matte * front)[..., None]
            part += opaque * (rgb + grain - part)
        return to_pixels(made)

    def _mask(self, one: Occluder) -> npt.NDArray[np.bool_]:
        if one not in self._occluded:
            height, width = self.background.shape[:2]
            drawn = np.zeros((height, width), np.uint8)
            for begin, end, thick in one.lines:
                ends = [(round(x * width), round(y * height)) for x, y in (begin, end)]
                cv2.line(drawn, ends[0], ends[1], 1, max(1, round(thick * width)))
            self._occluded[one] = drawn > 0
        return self._occluded[one]
