"""Our memory of a few normal pictures beside anomalib's PatchCore and AnomalyDINO, on the same encoder and pictures.

anomalib is no dependency of streamproc, so it stands in an environment of its own:

    python -m venv beside && beside/bin/pip install torch torchvision anomalib '.[evaluation]'
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 beside/bin/python tests/benchmarks/anomalib_beside.py \\
        --set ELPV elpv_dataset/data elpv.csv --set 'magnetic tile' magnetic_tile magnetic_tile/labels.csv

Of each label a set's first ``--pictures`` are taken (a permutation by numpy's generator 0). Each is encoded once, by
streamproc's DINOv2-S on ONNX Runtime at 224 px. anomalib's own `PatchcoreModel` and `AnomalyDINOModel` then learn and
judge; in place of their feature extractors, which take a timm model from a hub, stands `Handed`, which gives them those
tokens. All from there on is theirs: pooling, coreset, search, score, map. A seed draws the same 16 normals for all.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from unittest import mock

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from streamproc.evaluation.images import read_mask
from streamproc.evaluation.labelled_images import LabelledImage, load_labels
from streamproc.evaluation.pixels import PixelScores
from streamproc.inspection.backbones.opening import SIDE_PX, open_backbone
from streamproc.inspection.fused import Seen, learn, turned
from streamproc.inspection.memory import LEVEL, Shown
from streamproc.inspection.nouns import Backbone, Features, Floats
from streamproc.inspection.reading import read_picture
from streamproc.inspection.views import make_plain_views

for _operator in ("nms", "qnms"):
    # Not there where torchvision was built for another PyTorch than the one beside it; it must only be known by name.
    if not hasattr(torch.ops.torchvision, _operator):
        torch.library.define(f"torchvision::{_operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from anomalib.models.image.anomaly_dino import torch_model as anomaly_dino  # noqa: E402
from anomalib.models.image.patchcore import torch_model as patchcore  # noqa: E402

SHOTS = 16
LAST = None
"""In place of a tap: the last block's tokens, after the encoder's final normalisation."""
Judge = Callable[[Features], tuple[float, Floats]]
"""A picture's score, and its map (h, w) of any range."""
Learn = Callable[[Sequence[Shown]], Judge]
"""From normal pictures, each as it is and mirrored three ways."""


class Handed(torch.nn.Module):  # type: ignore[misc]
    """Stands where anomalib has its feature extractor, and gives the tokens of ``now``."""

    patch_size = 14

    def __init__(self, taps: dict[str, int | None], as_maps: bool) -> None:
        super().__init__()
        self.taps, self.as_maps = taps, as_maps
        self.now: Features

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """By anomalib's names of layers: (1, c, side, side) as PatchCore wants them, or (1, t, c)."""
        return {name: self._tokens(tap) for name, tap in self.taps.items()}

    def _tokens(self, tap: int | None) -> torch.Tensor:
        tokens = torch.from_numpy(self.now.tokens if tap is LAST else self.now.taps[tap])
        if not self.as_maps:
            return tokens
        if tap is not LAST:  # of length 1, as our memory has them: a tap is not normalised by the encoder
            tokens = torch.nn.functional.normalize(tokens, dim=-1)
        return tokens.transpose(1, 2).reshape(1, -1, self.now.side, self.now.side)


def ours(ways: int) -> Learn:
    """The product's memory, from so many ways of each normal picture."""

    def learned(normals: Sequence[Shown]) -> Judge:
        fused = learn([[Seen(one, None) for one in shown[:ways]] for shown in normals])

        def judge(features: Features) -> tuple[float, Floats]:
            said = fused.judge(features)
            return said.times, said.score.heat

        return judge

    return learned


def patch_core(taps: Sequence[int | None], kept: float) -> Learn:
    """anomalib's PatchCore on these levels, whose coreset is that share of the tokens; the rest is its defaults."""

    def learned(normals: Sequence[Shown]) -> Judge:
        handed = Handed({str(tap): tap for tap in taps}, as_maps=True)
        with mock.patch.object(patchcore, "TimmFeatureExtractor", return_value=handed):
            model = patchcore.PatchcoreModel(layers=list(handed.taps), pre_trained=False)
        _learn(model, handed, normals, ways=1)
        model.subsample_embedding(kept)
        return _judge(model, handed)

    return learned


def anomaly_dino_of(tap: int | None, ways: int) -> Learn:
    """anomalib's AnomalyDINO on this level, with its defaults; it looks at the last one by itself."""

    def learned(normals: Sequence[Shown]) -> Judge:
        handed = Handed({"blocks.11": tap}, as_maps=False)
        with mock.patch.object(anomaly_dino, "TimmFeatureExtractor", return_value=handed):
            model = anomaly_dino.AnomalyDINOModel()
        _learn(model, handed, normals, ways)
        model.fit()
        return _judge(model, handed)

    return learned


BLANK = torch.zeros(1, 3, SIDE_PX, SIDE_PX)
"""The picture that the models are given: they take its size from it, and all else from `Handed`."""


def _learn(model: torch.nn.Module, handed: Handed, normals: Sequence[Shown], ways: int) -> None:
    model.train()
    for shown in normals:
        for handed.now in shown[:ways]:
            model(BLANK)


def _judge(model: torch.nn.Module, handed: Handed) -> Judge:
    model.eval()

    def judge(features: Features) -> tuple[float, Floats]:
        handed.now = features
        said = model(BLANK)
        return float(said.pred_score), said.anomaly_map[0, 0].numpy()

    return judge


METHODS: dict[str, Learn] = {
    "streamproc": ours(4),
    "streamproc, not mirrored": ours(1),
    "PatchCore, block 9": patch_core([LEVEL], 0.1),
    "PatchCore, blocks 6 and 9": patch_core([LEVEL - 1, LEVEL], 0.1),
    "PatchCore, last block": patch_core([LAST], 0.1),
    "PatchCore, block 9, all kept": patch_core([LEVEL], 1.0),
    "AnomalyDINO, last block": anomaly_dino_of(LAST, 1),
    "AnomalyDINO, block 9": anomaly_dino_of(LEVEL, 1),
    "AnomalyDINO, block 9, mirrored": anomaly_dino_of(LEVEL, 4),
}


@dataclass(slots=True)
class Measured:
    """A method on a set, an entry a seed."""

    auroc: list[float] = field(default_factory=list)
    pixel_auroc: list[float | None] = field(default_factory=list)
    aupro: list[float | None] = field(default_factory=list)
    learn_s: list[float] = field(default_factory=list)
    judge_ms: list[float] = field(default_factory=list)


def main() -> None:
    """Print a table a set."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--set", nargs=3, action="append", required=True, metavar=("NAME", "IMAGES", "LABELS"))
    options.add_argument("--pictures", type=int, default=100, help="of each label")
    options.add_argument("--seeds", type=int, default=5)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    backbone = open_backbone("dinov2-s")
    packages = ", ".join(f"{name} {version(name)}" for name in ("anomalib", "torch", "numpy", "onnxruntime"))
    print(f"{backbone.name} {backbone.revision} at {SIDE_PX} px; {packages}; Python {platform.python_version()}")
    for name, images, labels in arguments.set:
        pictures = list(_some(load_labels(Path(images), Path(labels)), arguments.pictures))
        measure(name, pictures, backbone, arguments.seeds)


def _some(images: Sequence[LabelledImage], most: int) -> Iterator[LabelledImage]:
    random = np.random.default_rng(0)
    for label in (0, 1):
        members = [image for image in images if image.label == label]
        yield from (members[i] for i in random.permutation(len(members))[:most])


@torch.inference_mode()  # type: ignore[untyped-decorator]
def measure(name: str, pictures: Sequence[LabelledImage], backbone: Backbone, seeds: int) -> None:
    """Each method on a set, and what it costs."""
    began = time.process_time()
    encoded = [backbone.encode(make_plain_views(read_picture(one.path), SIDE_PX)) for one in pictures]
    encoder_ms = 1000 * (time.process_time() - began) / len(pictures)
    ways: dict[int, Shown] = {}
    found = {method: Measured() for method in METHODS}
    for seed in range(seeds):
        normal = [n for n, picture in enumerate(pictures) if picture.label == 0]
        drawn = [normal[i] for i in np.random.default_rng(seed).choice(len(normal), SHOTS, replace=False)]
        for n in set(drawn) - set(ways):
            others = turned(read_picture(pictures[n].path))[1:]
            ways[n] = (encoded[n], *(backbone.encode(make_plain_views(each, SIDE_PX)) for each in others))
        asked = [n for n in range(len(pictures)) if n not in drawn]
        for method, learn_method in METHODS.items():
            torch.manual_seed(seed)  # coresets begin at a random token, in random directions drawn by both
            np.random.seed(seed)
            began = time.process_time()
            judge = learn_method([ways[n] for n in drawn])
            learned = time.process_time()
            said = [judge(encoded[n]) for n in asked]
            judged = time.process_time()
            of = found[method]
            of.learn_s.append(learned - began)
            of.judge_ms.append(1000 * (judged - learned) / len(asked))
            of.auroc.append(float(roc_auc_score([pictures[n].label for n in asked], [score for score, _ in said])))
            pixels = _pixels([pictures[n] for n in asked], [heat for _, heat in said])
            of.pixel_auroc.append(pixels.auroc)
            of.aupro.append(pixels.aupro)
    normals = len(pictures) // 2 - SHOTS
    print(f"\n{name}: {SHOTS} normal pictures known, {normals} normal and {len(pictures) // 2} defective scored")
    costs = f"{'score ms':>10}{'with encoder':>14}{'learn s':>9}"
    print(f"{'':32}{'AUROC':>6}  {'by seed':25}{'pixels':>7}{'AUPRO':>7}{costs}")
    for method, of in found.items():
        by_seed = " ".join(f"{100 * one:.1f}" for one in of.auroc)
        score_ms = fmean(of.judge_ms)
        places = "".join(f"{_percent(each):>7}" for each in (of.pixel_auroc, of.aupro))
        cost = f"{score_ms:10.1f}{score_ms + encoder_ms:14.0f}{fmean(of.learn_s):9.2f}"
        print(f"{method:32}{100 * fmean(of.auroc):6.1f}  {by_seed:25}{places}{cost}", flush=True)


def _pixels(pictures: Sequence[LabelledImage], heats: Sequence[Floats]) -> PixelScores:
    """Without masks, nothing is counted; maps are brought to 0..1 by the highest, which changes no order."""
    pixels = PixelScores()
    highest = max(float(heat.max()) for heat in heats)
    for picture, heat in zip(pictures, heats, strict=True):
        if picture.label == 0 or picture.mask is not None:
            pixels.add(heat / highest, read_mask(picture.mask) if picture.mask else None)
    return pixels


def _percent(each: Sequence[float | None]) -> str:
    known = [one for one in each if one is not None]
    return f"{100 * fmean(known):.1f}" if known else "-"


if __name__ == "__main__":
    main()
