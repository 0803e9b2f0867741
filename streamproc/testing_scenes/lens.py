"""Footage as another camera, or one in another state, would have sent it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import cv2
import numpy as np

from streamproc.testing_footage import Pixels
from streamproc.testing_scenes.scene import to_pixels


def noisy(pictures: Iterable[Pixels], sigma: float = 6.0, seed: int = 1) -> Iterator[Pixels]:
    """The sensor's noise, in each colour for itself."""
    random = np.random.default_rng(seed)
    for picture in pictures:
        yield to_pixels(picture + random.standard_normal(picture.shape, np.float32) * np.float32(sigma))


def grey(pictures: Iterable[Pixels]) -> Iterator[Pixels]:
    """Without colour."""
    for picture in pictures:
        yield np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.uint8)


def scaled(pictures: Iterable[Pixels], height_px: int) -> Iterator[Pixels]:
    """So many rows, the shape kept."""
    for picture in pictures:
        height, width = picture.shape[:2]
        size = (2 * round(width * height_px / height / 2), height_px)
        way = cv2.INTER_AREA if height_px < height else cv2.INTER_CUBIC
        yield np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def compressed(pictures: Iterable[Pixels], coarse: int = 24, fps: int = 10) -> Iterator[Pixels]:
    """Through an MPEG-4 encoder with too few bits (quantiser ``coarse`` of 31): blocks, and trails of what moved."""
    waiting = iter(pictures)
    for first in waiting:
        # A group of pictures at a time, so that no more than these are held.
        yield from _through_encoder([first, *itertools.islice(waiting, 99)], coarse, fps)


def _through_encoder(pictures: Sequence[Pixels], coarse: int, fps: int) -> list[Pixels]:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as clip:
        stream = clip.add_stream("mpeg4", rate=Fraction(fps), options={"qmin": str(coarse)})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 50_000
        stream.codec_context.gop_size = 50
        for picture in pictures:
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        clip.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as made:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in made.decode(video=0)]


def shaken(pictures: Iterable[Pixels], sigma_px: float = 2.0, seed: int = 6) -> Iterator[Pixels]:
    """A loose mount: each picture is off by a little, at random."""
    random = np.random.default_rng(seed)
    for picture in pictures:
        dx, dy = random.normal(0.0, sigma_px, 2)
        yield _moved(picture, dx, dy, degrees=float(random.normal(0.0, 0.05 * sigma_px)))


def swaying(pictures: Iterable[Pixels], reach_px: float = 6.0, period: float = 25.0) -> Iterator[Pixels]:
    """A pole in the wind: to and fro, ``period`` pictures a time, gusts stronger and weaker."""
    for index, picture in enumerate(pictures):
        gust = reach_px * (0.6 + 0.4 * np.sin(2 * np.pi * index / 143.0))
        phase = 2 * np.pi * index / period
        yield _moved(
            picture, gust * np.sin(phase), 0.3 * gust * np.sin(2 * phase + 1), degrees=0.04 * gust * np.sin(phase)
        )


def re_aimed(
    pictures: Iterable[Pixels], *, at: int = 100, shift: float = 0.06, degrees: float = 2.0, zoom: float = 1.06
) -> Iterator[Pixels]:
    """Turned at picture ``at`` within three pictures, and left so; ``shift`` is a share of the width."""
    for index, picture in enumerate(pictures):
        way = min(1.0, max(0.0, (index - at + 1) / 3))
        reach = shift * way * picture.shape[1]
        yield _moved(picture, reach, 0.6 * reach, degrees * way, 1.0 + (zoom - 1.0) * way) if way else picture


def covered(pictures: Iterable[Pixels], *, at: int = 100, until: int = 300) -> Iterator[Pixels]:
    """A cloth slides over the lens within half a second, stays, and is taken away."""
    for index, picture in enumerate(pictures):
        way = min(1.0, max(0.0, (index - at) / 5), max(0.0, (until - index) / 5))
        if not way:
            yield picture
            continue
        height, width = picture.shape[:2]
        edge = way * (width + 80) - 40
        cloth = 1.0 / (1.0 + np.exp((np.arange(width, dtype=np.float32) - edge) / 12.0))
        rows = np.linspace(0, 6, height, dtype=np.float32)
        dark = 16.0 + 4.0 * np.sin(rows)[:, None, None] + np.zeros((1, 1, 3), np.float32)
        yield to_pixels(picture * (1.0 - cloth[None, :, None]) + dark * cloth[None, :, None])


def defocused(pictures: Iterable[Pixels], *, at: int = 100, sigma_px: float = 9.0) -> Iterator[Pixels]:
    """From picture ``at`` on the focus is lost within a second, and stays lost."""
    for index, picture in enumerate(pictures):
        blur = sigma_px * min(1.0, (index - at) / 10)
        yield np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8) if blur > 0 else picture


def _moved(picture: Pixels, dx: float, dy: float, degrees: float = 0.0, zoom: float = 1.0) -> Pixels:
    height, width = picture.shape[:2]
    way = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
    way[:, 2] += dx, dy
    return np.asarray(cv2.warpAffine(picture, way, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
