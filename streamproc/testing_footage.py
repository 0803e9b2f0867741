"""Footage for tests: real clips as the decoder would hand them on, and rectangles whose speed is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamproc.config import SamplingSettings
from streamproc.sampling.windows import WindowBuilder
from streamproc.types import Box, Frame, Window

Pixels = npt.NDArray[np.uint8]
_SHRINK = 2
START = datetime(2026, 1, 1, tzinfo=UTC)


def read_pictures(path: Path, width_px: int = 640) -> list[Pixels]:
    """All pictures of a clip, (height, width, 3) uint8 RGB, wider ones scaled to ``width_px``."""
    pictures: list[Pixels] = []
    with av.open(str(path)) as clip:
        for frame in clip.decode(video=0):
            picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            height, width = picture.shape[:2]
            if width > width_px:
                size = (width_px, round(height * width_px / width))
                picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            pictures.append(picture)
    return pictures


def film(pictures: Iterable[Pixels], path: Path) -> Path:
    """One recording, ten pictures a second, nearly without loss."""
    with av.open(str(path), "w") as out:
        stream = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = out.add_stream("libx264", rate=10, options={"crf": "12", "bf": "0", "g": "20"})
                stream.height, stream.width, stream.pix_fmt = (*picture.shape[:2], "yuv420p")
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        if stream is not None:
            out.mux(stream.encode(None))
    return path


def windows_of(
    pictures: Iterable[Pixels],
    *,
    fps: float = 10.0,
    run: int = 1,
    camera_id: str = "test",
    settings: SamplingSettings | None = None,
    times_s: Sequence[float] | None = None,
) -> Iterator[Window]:
    """The windows that ``pictures``, ``fps`` a second or at ``times_s``, are sampled to: one run."""
    builder = WindowBuilder(settings or SamplingSettings())
    for index, picture in enumerate(pictures):
        pts_s = times_s[index] if times_s is not None else index / fps
        yield from builder.add(Frame(camera_id, run, pts_s, START + timedelta(seconds=pts_s), picture))
    yield from builder.flush()


@dataclass(frozen=True, slots=True)
class BrightThing:
    """What ``BrightThings`` finds."""

    label: str
    pred_score: float
    box_norm: Box


class BrightThings:
    """A detector that finds each patch brighter than the ground of ``drawn``, as a person."""

    name = "bright-things"
    revision = "1"

    def __init__(self, label: str = "person", pred_score: float = 0.8, least_brightness: int = 160) -> None:
        self._label = label
        self._pred_score = pred_score
        self._least = least_brightness
        self.looks = 0
        """How often it was asked."""

    def detect(self, picture: Pixels) -> list[BrightThing]:
        """Patches of some size, from left to right."""
        self.looks += 1
        height, width = picture.shape[:2]
        bright = cv2.medianBlur((picture[..., 1] > self._least).astype(np.uint8), 5)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        things = []
        for left, top, wide, high, area in stats[1:].tolist():
            if area >= 100:
                box = (left / width, top / height, (left + wide) / width, (top + high) / height)
                things.append(BrightThing(self._label, self._pred_score, box))
        return sorted(things, key=lambda thing: thing.box_norm)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A textured thing that crosses the picture at a constant speed, to and fro between the edges."""

    top_px: int
    speed_px_s: float
    size_px: tuple[int, int] = (44, 96)
    """Width and height."""
    start_px: float = 0.0
    brightness: int = 205

    def left_px(self, at_s: float, width_px: int) -> float:
        """Its left edge at ``at_s``."""
        room = width_px - self.size_px[0]
        along = (self.start_px + self.speed_px_s * at_s) % (2 * room)
        return along if along <= room else 2 * room - along


def drawn(
    rectangles: Sequence[Rectangle], duration_s: float, *, fps: float = 10.0, start_s: float = 0.0, gain: float = 1.0
) -> Iterator[Pixels]:
    """Pictures of a still, textured ground with ``rectangles`` before it; 320 x 240, places and speeds as of 640 x 480.

    They are small so that tests are quick: a flow width of 320 suits them.
    """
    width, height = 640 // _SHRINK, 480 // _SHRINK
    random = np.random.default_rng(7)
    coarse = random.integers(60, 130, (height // 6, width // 6), dtype=np.uint8)
    ground = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    noise = random.normal(0, 1.0, (4, height, width)).astype(np.float32)
    skins = [_skin(one, random) for one in rectangles]
    for index in range(round(duration_s * fps)):
        picture = ground.copy()
        for one, skin in zip(rectangles, skins, strict=True):
            left, top = one.left_px(start_s + index / fps, 640) / _SHRINK, one.top_px // _SHRINK
            shift = np.array([[1, 0, left - int(left)], [0, 1, 0]], np.float32)
            high, wide = skin.shape
            moved = cv2.warpAffine(skin, shift, (wide, high), borderMode=cv2.BORDER_REPLICATE)
            picture[top : top + high, int(left) : int(left) + wide] = moved
        grey = np.clip(picture * gain + noise[index % len(noise)], 0, 255).astype(np.uint8)
        yield np.repeat(grey[..., None], 3, axis=2)


def _skin(one: Rectangle, random: np.random.Generator) -> npt.NDArray[np.float32]:
    width, height = (side // _SHRINK for side in one.size_px)
    spread = random.integers(-35, 35, (max(2, height // 4), max(2, width // 4))).astype(np.float32)
    skin = one.brightness + cv2.resize(spread, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(skin, np.float32)
