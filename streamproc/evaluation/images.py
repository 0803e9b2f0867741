"""How well a few normal pictures and an expert tell which others are not as they should be, and where.

Pictures are encoded once. A seed draws the memory's normals from those of label 0, and all others are scored.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from streamproc.errors import ConfigError
from streamproc.evaluation.labelled_images import LabelledImage
from streamproc.evaluation.metrics import sklearn_metrics
from streamproc.evaluation.pixels import Mask, PixelScores
from streamproc.evaluation.spent import Clock, Spent
from streamproc.inspection.distances import Kind
from streamproc.inspection.fused import Expert, Fused, Opinions, Seen, cut, learn, show
from streamproc.inspection.memory import kept
from streamproc.inspection.nouns import Backbone
from streamproc.inspection.reading import read_picture

Tell = Callable[[str, int, int], None]
"""What is done, how much of it, of how much."""


@dataclass(frozen=True, slots=True)
class ImageMeasures:
    """Measures 0..1, the mean over seeds; None where the pictures cannot tell."""

    image_auroc: float | None
    ap: float | None
    f1_max: float | None
    """The best F1 over all thresholds."""
    pixel_auroc: float | None
    aupro: float | None
    false_alarms: float | None
    """Share of the normal pictures at or above the threshold that normals alone have set."""
    caught: float | None
    """Share of the others there."""
    normal: int
    anomalous: int
    """Pictures scored, of a seed."""


@dataclass(frozen=True, slots=True)
class ImagesReport:
    """What `eval images` tells."""

    backbone: str
    kind: Kind
    shots: int
    seeds: int
    overall: ImageMeasures
    """Of all pictures where ``class`` names defects; the mean over classes where it names things."""
    image_auroc_of_seeds: tuple[float, ...]
    crops_a_s: float | None = field(compare=False)
    """What a core judges in a second: encoder, expert and memory; None where nothing took measurable time."""
    beside_encoder: float | None = field(compare=False)
    """Expert's and memory's time in times of the encoder's own."""
    classes: dict[str, ImageMeasures] = field(default_factory=dict)

    def __str__(self) -> str:
        """A table, in percent."""
        head = f"{self.backbone}, {self.kind}, {self.shots} shots, mean of {self.seeds} seeds; percent"
        each = ", ".join(f"{100 * one:.1f}" for one in self.image_auroc_of_seeds)
        columns = ("image_auroc", "ap", "f1_max", "pixel_auroc", "aupro", "false_alarms", "caught")
        rows = [("", *columns, "normal", "anomalous"), _row("all", self.overall, columns)]
        rows += [_row(name, measures, columns) for name, measures in self.classes.items()]
        table = "\n".join(f"{row[0]:14}" + "".join(f"{cell:>13}" for cell in row[1:]) for row in rows)
        speed = f"\n{self.crops_a_s:.1f} crops a second of a core" if self.crops_a_s is not None else ""
        if self.beside_encoder is not None:
            speed += f"; expert and memory take {100 * self.beside_encoder:.0f} % of the encoder's time"
        return f"{head}\n{table}\nimage_auroc by seed: {each}{speed}"


def evaluate_images(
    images: Sequence[LabelledImage],
    backbone: Backbone,
    expert: Expert | None,
    *,
    shots: int,
    seeds: int,
    kind: Kind = "knn",
    tell: Tell,
    clock: Clock = time.process_time,
) -> ImagesReport:
    """Score labelled pictures; ``shots`` 0 asks the expert alone.

    Raises:
        ConfigError: there is neither memory nor expert, too few normals, a picture cannot be read, or scikit-learn is
            not installed.
        InferenceError: a part failed.
    """
    sklearn_metrics()  # before an hour of encoding
    things = _things(images)
    if shots == 1 or (shots == 0 and expert is None):
        raise ConfigError("--shots is 2 or more; 0 asks an expert alone, which --expert names")
    for name, members in things.items():
        normal = sum(image.label == 0 for image in members)
        if normal < shots + 1:
            raise ConfigError(
                f"{name or 'the labels'}: {normal} normal pictures are too few for {shots} shots and a test"
            )
    runs = seeds if shots else 1
    spent = Spent(clock)
    encoded = dict(_encode(images, backbone, expert, spent, tell))
    drawn = {(name, seed): _draw(members, shots, seed) for name, members in things.items() for seed in range(runs)}
    ways = dict(_show({image for images in drawn.values() for image in images}, encoded, backbone, expert, tell))
    scored: dict[str, list[ImageMeasures]] = {}
    for seed in range(runs):
        tell("scoring", seed, runs)
        for name, members in things.items():
            opinions = _opinions(members, encoded, drawn[name, seed], ways, expert, kind, spent)
            scored.setdefault(name, []).append(_measure(opinions))
            for defect in sorted({one.kind for one in opinions if one.label and one.kind}) if len(things) == 1 else ():
                part = {one: said for one, said in opinions.items() if not one.label or one.kind == defect}
                scored.setdefault(defect, []).append(_measure(part))
    tell("scoring", runs, runs)
    means = {name: _mean(of_seeds) for name, of_seeds in scored.items()}
    by_seed = [_mean([scored[name][seed] for name in things]) for seed in range(runs)]
    overall = _mean(list(by_seed))
    return ImagesReport(
        f"{backbone.name} {backbone.revision} at {backbone.side_px} px",
        kind,
        shots,
        runs,
        overall,
        tuple(one.image_auroc for one in by_seed if one.image_auroc is not None),
        *spent.figures(),
        {name: one for name, one in means.items() if name},
    )


def _things(images: Sequence[LabelledImage]) -> dict[str, list[LabelledImage]]:
    """By ``class`` where every class has normal and other pictures; else the classes are defects of one thing."""
    by_kind: dict[str, list[LabelledImage]] = {}
    for image in images:
        by_kind.setdefault(image.kind, []).append(image)
    if all(len({image.label for image in members}) == 2 for members in by_kind.values()):
        return by_kind
    return {"": list(images)}


def _encode(
    images: Sequence[LabelledImage], backbone: Backbone, expert: Expert | None, spent: Spent, tell: Tell
) -> Iterator[tuple[Path, Seen]]:
    for number, image in enumerate(images):
        tell("encoding", number, len(images))
        views = cut(backbone, read_picture(image.path), expert)
        with spent.on("encoder"):
            features = backbone.encode(views)
        if expert is None:
            yield image.path, _in_halves(Seen(features, None))
            continue
        with spent.on("expert"):
            reading = expert.score(features)
        yield image.path, _in_halves(Seen(features, reading))
    tell("encoding", len(images), len(images))


def _in_halves(seen: Seen) -> Seen:
    """In half precision: a thousand pictures are 200 MB."""
    return Seen(kept(seen.whole, np.float16), seen.reading)


def _draw(members: Sequence[LabelledImage], shots: int, seed: int) -> list[LabelledImage]:
    normal = [image for image in members if image.label == 0]
    return [normal[i] for i in np.random.default_rng(seed).choice(len(normal), shots, replace=False)]


def _show(
    drawn: set[LabelledImage], encoded: dict[Path, Seen], backbone: Backbone, expert: Expert | None, tell: Tell
) -> Iterator[tuple[Path, tuple[Seen, ...]]]:
    """The pictures that some seed learns from, and their mirror images."""
    for number, image in enumerate(sorted(drawn, key=lambda one: one.path)):
        tell("mirroring", number, len(drawn))
        mirrored = show(backbone, read_picture(image.path), expert)[1:]
        yield image.path, (encoded[image.path], *map(_in_halves, mirrored))
    tell("mirroring", len(drawn), len(drawn))


def _opinions(
    members: Sequence[LabelledImage],
    encoded: dict[Path, Seen],
    drawn: Sequence[LabelledImage],
    shown: Mapping[Path, Sequence[Seen]],
    expert: Expert | None,
    kind: Kind,
    spent: Spent,
) -> dict[LabelledImage, Opinions]:
    """What is said of each picture that the memory was not learned from."""
    fused = learn([shown[image.path] for image in drawn], expert, kind) if drawn else Fused(expert=expert)
    left, said = set(drawn), {}
    for image in members:
        if image not in left:
            with spent.on("memory"):
                said[image] = fused.say(encoded[image.path])
    return said


def _measure(opinions: dict[LabelledImage, Opinions]) -> ImageMeasures:
    labels = [image.label for image in opinions]
    scores = [said.times for said in opinions.values()]
    alarms = [said.times >= 1 for said in opinions.values()]
    both = len(set(labels)) == 2
    pixels = PixelScores()
    masked = any(image.mask is not None for image in opinions)
    for image, said in opinions.items() if masked else ():
        if image.label == 0:
            pixels.add(said.score.heat, None)
        elif image.mask is not None:
            pixels.add(said.score.heat, read_mask(image.mask))
    metrics = sklearn_metrics()
    f1_max = None
    if both:
        precision, recall, _ = metrics.precision_recall_curve(labels, scores)
        f1_max = float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())
    return ImageMeasures(
        image_auroc=float(metrics.roc_auc_score(labels, scores)) if both else None,
        ap=float(metrics.average_precision_score(labels, scores)) if both else None,
        f1_max=f1_max,
        pixel_auroc=pixels.auroc,
        aupro=pixels.aupro,
        false_alarms=_share(alarms, labels, 0),
        caught=_share(alarms, labels, 1),
        normal=labels.count(0),
        anomalous=labels.count(1),
    )


def read_mask(path: Path) -> Mask:
    """Where a picture is anomalous, (h, w): where the file is not black.

    Raises:
        ConfigError: names the file.
    """
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if found is None:
        raise ConfigError(f"{path} cannot be read as a mask")
    return np.asarray(found > 127)


def _share(alarms: Sequence[bool], labels: Sequence[int], label: int) -> float | None:
    those = [alarm for alarm, one in zip(alarms, labels, strict=True) if one == label]
    return sum(those) / len(those) if those else None


def _mean(each: Sequence[ImageMeasures]) -> ImageMeasures:
    def of(name: str) -> float | None:
        known = [value for one in each if (value := getattr(one, name)) is not None]
        return statistics.fmean(known) if known else None

    names = ("image_auroc", "ap", "f1_max", "pixel_auroc", "aupro", "false_alarms", "caught")
    return ImageMeasures(
        **{name: of(name) for name in names},
        normal=round(statistics.fmean(one.normal for one in each)),
        anomalous=round(statistics.fmean(one.anomalous for one in each)),
    )


def _row(name: str, measures: ImageMeasures, columns: Sequence[str]) -> tuple[str, ...]:
    values = [getattr(measures, column) for column in columns]
    shown = ["-" if value is None else f"{100 * value:.1f}" for value in values]
    return (name, *shown, str(measures.normal), str(measures.anomalous))
