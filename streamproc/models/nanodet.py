"""NanoDet-g on ONNX Runtime: 80 COCO classes, 416 x 416, made for processors without an accelerator.

Its convolutions have 8 bits (``tests/benchmarks/nanodet_8bit.py`` makes them); the original loads as well.

The network gives, for every cell of three grids (strides 8, 16 and 32), class scores and four distances from the cell's
centre to the box's sides, each as a distribution over 0..10 strides whose mean is the distance ("Generalized Focal
Loss", section 3: the general distribution).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.models.coco import COCO_CLASSES
from streamproc.models.sessions import open_session
from streamproc.types import Box

_SIDE_PX = 416
_STRIDES_PX = (8, 16, 32)
_BINS = 11
_OVERLAP = 0.6
"""Intersection over union from which the lesser of two boxes of one class is a repetition."""
_MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
_STD_BGR = np.array([57.375, 57.12, 58.395], np.float32)

TEXTURE = "PartitionedCall/onnx_tf_prefix_Concat_24"
"""Output of the backbone's first stage, 64 channels at stride 8: edges and texture, before it becomes classes."""

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detection:
    """One object found in one picture."""

    label: str
    """COCO's class name: ``person``, ``car``."""
    pred_score: float
    """The detector's confidence, 0..1."""
    box_norm: Box


class NanoDet:
    """A detector; ``detect`` may be called from several threads at once."""

    name = "nanodet-g-416"

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the ONNX file at ``path``; ``threads`` is how many cores one call may use.

        Raises:
            ModelLoadError: naming the file.
        """
        self._session, self.revision = open_session(path, threads)
        """``revision``: first 12 digits of the weights' sha256."""
        shapes = {tuple(output.shape): output.name for output in self._session.get_outputs()}
        cells = [(_SIDE_PX // stride) ** 2 for stride in _STRIDES_PX]
        wanted = [(1, n, width) for width in (len(COCO_CLASSES), 4 * _BINS) for n in cells]
        if not set(wanted) <= set(shapes):
            raise ModelLoadError(f"{path}: outputs {sorted(shapes)} are not NanoDet's at {_SIDE_PX} px")
        self._outputs = [shapes[shape] for shape in wanted]
        self._texture = [TEXTURE] if any(output.name == TEXTURE for output in self._session.get_outputs()) else []
        self._input = self._session.get_inputs()[0].name
        self._centres_px = np.concatenate([_centres_px(stride) for stride in _STRIDES_PX])
        self._strides_px = np.repeat(np.array(_STRIDES_PX, np.float32), cells)

    def detect(
        self, picture: npt.NDArray[np.uint8], min_person: float = 0.5, min_other: float = 0.5
    ) -> list[Detection]:
        """Objects in ``picture``, (height, width, 3) uint8 RGB, most confident first.

        ``min_person`` and ``min_other`` are the least confidences of persons and of all other classes.

        Raises:
            ValueError: the picture has another shape or type.
            InferenceError: the network failed.
        """
        return self._decode(self._run(picture, self._outputs), min_person, min_other)

    def look(
        self, picture: npt.NDArray[np.uint8], min_person: float = 0.5, min_other: float = 0.5
    ) -> tuple[list[Detection], _Floats | None]:
        """``detect``, and what the picture's texture is like: (52, 52, 64), rows and columns of the picture.

        None where the model has no such layer. It costs nothing beside the detection: the layer is part of it.

        Raises:
            ValueError, InferenceError: as ``detect``.
        """
        outputs = self._run(picture, self._outputs + self._texture)
        texture = np.moveaxis(outputs[6][0], 0, 2) if self._texture else None
        return self._decode(outputs[:6], min_person, min_other), texture

    def _run(self, picture: npt.NDArray[np.uint8], names: Sequence[str]) -> Sequence[Any]:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"a picture is (height, width, 3) uint8, not {picture.shape} {picture.dtype}")
        try:
            outputs: Sequence[Any] = self._session.run(names, {self._input: prepared(picture)})
        except Exception as error:  # ONNX Runtime's errors have no common base of their own
            raise InferenceError(f"{self.name}: {error}") from error
        return outputs

    def _decode(self, outputs: Sequence[Any], min_person: float, min_other: float) -> list[Detection]:
        scores = np.concatenate([part[0] for part in outputs[:3]])
        sides = np.concatenate([part[0] for part in outputs[3:]])
        least = np.full(len(COCO_CLASSES), min_other, np.float32)
        least[0] = min_person
        # A cell may be enough of a person while another class scores higher but below its own threshold.
        scores = np.where(scores >= least, scores, 0.0)
        classes = scores.argmax(axis=1)
        best = scores[np.arange(len(scores)), classes]
        (cells,) = np.nonzero(best > 0.0)
        if not cells.size:
            return []
        boxes = _boxes_norm(sides[cells], self._centres_px[cells], self._strides_px[cells])
        found, labels = best[cells], classes[cells]
        x0_y0_w_h = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        kept = cv2.dnn.NMSBoxesBatched(x0_y0_w_h.tolist(), found.tolist(), labels.tolist(), 0.0, _OVERLAP)
        order = sorted((int(i) for i in np.ravel(kept)), key=lambda i: (-float(found[i]), i))
        return [Detection(COCO_CLASSES[labels[i]], float(found[i]), _box(boxes[i])) for i in order]


def prepared(picture: npt.NDArray[np.uint8]) -> _Floats:
    """(1, 3, 416, 416) normalised BGR; stretched to the square, as the network was trained."""
    small = cv2.resize(picture, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_LINEAR)
    planes = np.ascontiguousarray(small[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32)
    planes -= _MEAN_BGR[:, None, None]
    planes /= _STD_BGR[:, None, None]
    return planes[None]


def _centres_px(stride_px: int) -> _Floats:
    """(n * n, 2) x and y of the cells' centres, row by row."""
    line = (np.arange(_SIDE_PX // stride_px, dtype=np.float32) + 0.5) * stride_px
    y, x = np.meshgrid(line, line, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _boxes_norm(sides: _Floats, centres_px: _Floats, strides_px: _Floats) -> _Floats:
    """(n, 4) boxes 0..1 from (n, 44) logits: left, top, right, bottom, eleven bins each."""
    logits = sides.reshape(-1, 4, _BINS)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    means = (weights @ np.arange(_BINS, dtype=np.float32)) / weights.sum(axis=2)
    distances_px = means * strides_px[:, None]
    corners = np.hstack([centres_px - distances_px[:, :2], centres_px + distances_px[:, 2:]])
    clipped: _Floats = np.clip(corners / _SIDE_PX, 0.0, 1.0).astype(np.float32)
    return clipped


def _box(row: _Floats) -> Box:
    x0, y0, x1, y1 = (float(v) for v in row)
    return x0, y0, x1, y1
