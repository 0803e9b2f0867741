"""What is said of the posture of people who walk, of the same people laid down, and of whatever else is wide.

    python tests/benchmarks/posture_vtest.py [--ped2 FOLDER]

The people are those that NanoDet finds in vtest.avi (fetched on first use) every 1.6 s. Laid down: cut out by their
difference from the footage's median, turned, and put on that median where their feet were. Boxes are disturbed by up to
8 % of their sides. Smaller people are the same pictures shrunk. With ``--ped2`` (a folder with the UCSD Ped2 clips as
train/*.mp4) what stands out there and is unusual in shape is asked about as well. One thread, processor time.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.models.movenet import MoveNet
from streamproc.models.nanodet import NanoDet
from streamproc.models.store import ModelStore
from streamproc.normality.background import Background
from streamproc.normality.posture import measure_posture, unusual
from streamproc.testing_footage import Pixels, read_pictures

BoxPx = tuple[float, float, float, float]
RNG = np.random.default_rng(1)


@dataclass(frozen=True)
class Somebody:
    """A person who walks."""

    picture: Pixels
    box_px: BoxPx


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--ped2", type=Path, help="folder with train/*.mp4")
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    store = ModelStore()
    detector, movenet = NanoDet(store.ensure("nanodet")), MoveNet(store.ensure("movenet"))
    pictures = read_pictures(store.ensure("vtest"), width_px=768)
    ground = np.asarray(np.median(pictures[::20], axis=0), np.float32)
    people = [one for picture in pictures[::16] for one in found(detector, picture)]
    print(f"{'case':34} {'boxes':>5}  said of them")
    for scale in (1.0, 0.5, 0.36):
        heights = [scale * (one.box_px[3] - one.box_px[1]) for one in people]
        name = f"walking, {np.percentile(heights, 10):.0f} to {np.percentile(heights, 90):.0f} px high"
        row(name, movenet, people, scale)
    falls = {turn: [fall for one in people[::2] if (fall := laid(one, ground, turn))] for turn in (90, -90, 70, 110)}
    for turn, laid_down in falls.items():
        row(f"laid down, turned by {turn} degrees", movenet, laid_down, 1.0)
    row("the same, a third of the size", movenet, falls[90], 0.36)
    began = time.process_time()
    for one in people[:50]:
        movenet.pose(one.picture, norm(one.box_px, one.picture))
    print(f"one look: {20 * (time.process_time() - began):.1f} ms\n")
    gate(people, [fall for some in falls.values() for fall in some], detector)
    blobs("vtest, from 10 s on", movenet, [pictures])
    if arguments.ped2:
        clips = [read_pictures(path) for path in sorted((arguments.ped2 / "train").glob("*.mp4"))]
        blobs("Ped2, train clips", movenet, clips)


def row(name: str, movenet: MoveNet, people: Sequence[Somebody], scale: float) -> None:
    """What is said of ``people``."""
    said: Counter[str] = Counter()
    for one in people:
        picture, box = scaled(one, scale)
        posture = measure_posture(movenet, picture, norm(disturbed(box), picture))
        said[posture.kind if posture else "unsure"] += 1
    print(f"{name:34} {len(people):5}  {', '.join(f'{count} {kind}' for kind, count in said.most_common())}")


def gate(walking: Sequence[Somebody], lying: Sequence[Somebody], detector: NanoDet) -> None:
    """How boxes differ, and how often pose would be asked."""
    line = np.polyfit([one.box_px[3] for one in walking], [one.box_px[3] - one.box_px[1] for one in walking], 1)
    for name, people in (("walking", walking), ("laid down", lying)):
        wide = [(one.box_px[2] - one.box_px[0]) / (one.box_px[3] - one.box_px[1]) for one in people]
        standing = [float(np.polyval(line, one.box_px[3])) for one in people]
        high = [(one.box_px[3] - one.box_px[1]) / tall for one, tall in zip(people, standing, strict=True)]
        asked = sum(unusual(one.box_px, tall) for one, tall in zip(people, standing, strict=True))
        print(
            f"{name:10} width by height: 1 % {np.percentile(wide, 1):.2f}, median {np.median(wide):.2f}, 99 % "
            f"{np.percentile(wide, 99):.2f}; height by who stands there: 1 % {np.percentile(high, 1):.2f}, median "
            f"{np.median(high):.2f}, 99 % {np.percentile(high, 99):.2f}; asked {asked} of {len(people)}"
        )
    for least in (0.5, 0.25):
        hits = sum(
            any(meets(one.box_px, other.box_px) for other in found(detector, one.picture, least)) for one in lying
        )
        print(f"NanoDet finds {hits} of {len(lying)} laid down as a person at {least}")
    print()


def blobs(name: str, movenet: MoveNet, clips: Sequence[Sequence[Pixels]]) -> None:
    """What is said of what stands out in normal footage and is wide: groups, shadows, bicycles, legs."""
    said: Counter[str] = Counter()
    pictures = 0
    for clip in clips:
        background = Background()
        for index, picture in enumerate(clip):
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (384, round(grey.shape[0] * 384 / grey.shape[1])), interpolation=cv2.INTER_AREA)
            mask = background.foreground(small.astype(np.float32), 0.1)
            if index % 5 or (len(clips) == 1 and index < 100):
                continue
            pictures += 1
            for box in regions(mask):
                if unusual(box, None):
                    share = (box[0] / 384, box[1] / mask.shape[0], box[2] / 384, box[3] / mask.shape[0])
                    posture = measure_posture(movenet, picture, share)
                    said[posture.kind if posture else "unsure"] += 1
    listed = ", ".join(f"{count} {kind}" for kind, count in said.most_common())
    print(f"{name}: in {pictures} pictures {said.total()} regions wider than .8 of their height: {listed or 'none'}")


def regions(mask: npt.NDArray[np.bool_]) -> Iterator[BoxPx]:
    """What stands out in one piece, of 200 px or more at flow size."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    for left, top, wide, high, area in stats[1:count].tolist():
        if area >= 200:
            yield (left, top, left + wide, top + high)


def found(detector: NanoDet, picture: Pixels, least: float = 0.5) -> Iterator[Somebody]:
    """Persons wholly inside the picture."""
    height, width = picture.shape[:2]
    for one in detector.detect(picture, least):
        x0, y0, x1, y1 = one.box_norm
        if one.label == "person" and min(x0, y0) > 0.01 and max(x1, y1) < 0.99:
            yield Somebody(picture, (x0 * width, y0 * height, x1 * width, y1 * height))


def laid(one: Somebody, ground: npt.NDArray[np.float32], turn_deg: float) -> Somebody | None:
    """The person turned, on the empty place; None where there is no room or nobody stands out."""
    x0, y0, x1, y1 = (round(edge) for edge in np.add(one.box_px, (-6, -6, 6, 6)))
    cut = one.picture[y0:y1, x0:x1].astype(np.float32)
    apart = np.abs(cut - ground[y0:y1, x0:x1]).max(axis=2)
    solid = (cv2.GaussianBlur((apart > 18).astype(np.float32), (0, 0), 1.5) > 0.4).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((5, 5)))
    )
    if count < 2:
        return None
    person = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.float32)
    height, width = person.shape
    side = int(1.5 * max(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.0)
    matrix[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
    turned = cv2.warpAffine(cut, matrix, (side, side))
    cover = cv2.warpAffine(cv2.GaussianBlur(person, (0, 0), 1), matrix, (side, side))
    left, top = (x0 + x1) // 2 - side // 2, y1 - (x1 - x0) // 2 - side // 2
    if min(left, top) < 0 or left + side > ground.shape[1] or top + side > ground.shape[0]:
        return None
    picture = ground.copy()
    under = picture[top : top + side, left : left + side]
    under += (turned - under) * cover[..., None]
    ys, xs = np.nonzero(cover > 0.5)
    box = (float(left + xs.min()), float(top + ys.min()), float(left + xs.max()), float(top + ys.max()))
    return Somebody(np.clip(picture, 0, 255).astype(np.uint8), box)


def scaled(one: Somebody, scale: float) -> tuple[Pixels, BoxPx]:
    """Shrunk."""
    if scale == 1.0:
        return one.picture, one.box_px
    picture = cv2.resize(one.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = one.box_px
    return np.asarray(picture, np.uint8), (x0 * scale, y0 * scale, x1 * scale, y1 * scale)


def disturbed(box: BoxPx) -> BoxPx:
    """Each edge moved by up to 8 % of the side."""
    wide, high = box[2] - box[0], box[3] - box[1]
    x0, y0, x1, y1 = (np.array(box) + RNG.uniform(-0.08, 0.08, 4) * (wide, high, wide, high)).tolist()
    return x0, y0, x1, y1


def norm(box: BoxPx, picture: Pixels) -> BoxPx:
    """In shares of the picture."""
    height, width = picture.shape[:2]
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def meets(one: BoxPx, other: BoxPx) -> bool:
    """Whether they are of one thing: intersection over union above .4."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    inner = max(0.0, wide) * max(0.0, high)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return inner > 0.4 * (areas - inner)


if __name__ == "__main__":
    main()
