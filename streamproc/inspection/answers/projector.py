"""From an encoder's channels to a language model's: the tokens that stand for a crop and what is suspicious."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from scipy.special import erf

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.inspection.answers.prompts import Doubt
from streamproc.inspection.nouns import Features, Floats, Reading
from streamproc.inspection.spans import PHRASE_TOKENS, inside_margins, span_of

LAYERS = ("linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias")
"""Of LLaVA-OneVision's ``multi_modal_projector``: (h, c), (h,), (h, h), (h,), with a GELU between."""
NEWLINE = "image_newline"
"""(h,): ends each row of close-ups."""
DOUBTS: tuple[Doubt, ...] = get_args(Doubt)
"""Each (6, h): the rows of the model's embedding that its tokenizer picks for ``prompts.phrase``."""


@dataclass(frozen=True, slots=True, eq=False)
class Projector:
    """LLaVA-OneVision's projector, newline and indication phrases, float32; c channels in, h out."""

    tensors: Mapping[str, Floats]
    """By the names above."""

    @classmethod
    def load(cls, path: Path) -> Projector:
        """From an .npz of the tensors named above.

        Raises:
            ModelLoadError: it cannot be read, or a tensor is missing, of another shape or not finite; names both.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                tensors = {name: np.asarray(file[name], np.float32) for name in file.files}
        except OSError as error:
            raise ModelLoadError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, TypeError, zipfile.BadZipFile) as error:  # numpy's advice is to load what is not safe
            raise ModelLoadError(
                f"{path}: cannot be read as a projector, which `streamproc inspect projector` writes"
            ) from error
        wanted = (*LAYERS, NEWLINE, *DOUBTS)
        if missing := [name for name in wanted if name not in tensors]:
            raise ModelLoadError(f"{path}: {', '.join(map(repr, missing))} is missing; a projector has {len(wanted)}")
        first = tensors[LAYERS[0]]
        h, c = first.shape if first.ndim == 2 else (0, 0)
        shapes = ((h, c), (h,), (h, h), (h,), (h,), *((PHRASE_TOKENS, h) for _ in DOUBTS))
        for name, shape in zip(wanted, shapes, strict=True):
            if tensors[name].shape != shape:
                raise ModelLoadError(f"{path}: {name!r} is {tensors[name].shape}, not {shape}")
            if not np.isfinite(tensors[name]).all():
                raise ModelLoadError(f"{path}: {name!r} holds numbers that are not finite")
        return cls(tensors)

    @property
    def channels(self) -> int:
        """Of the tokens it takes."""
        return int(self.tensors[LAYERS[0]].shape[1])

    def span(self, features: Features, reading: Reading, doubt: Doubt) -> Floats:
        """All that stands for a crop: the whole, its close-ups, the indication phrase, r, and the selected tokens;
        (``spans.span_of(...).total``, h). The crop was cut by ``views.make_views``.

        Raises:
            InferenceError: the features are another tower's, or the crop was cut otherwise.
        """
        layout, side = features.layout, features.side
        if features.tokens.shape != (layout.pictures, side * side, self.channels):
            raise InferenceError(
                f"the projector reads tokens {(layout.pictures, side * side, self.channels)}, these are "
                f"{features.tokens.shape}"
            )
        span = span_of(layout, side)
        if layout.same_first and (span.rows, span.columns) != (side, side):
            raise InferenceError(f"a crop of {layout.crop_px} px was squashed to a square: it must be put on black")
        projected = self.project(features.tokens)
        selected = self.project(reading.selected)
        closer, chosen = (each if layout.same_first else each[1:] for each in (projected, selected))
        canvas = _laid_out(closer, layout.grid, side)
        canvas = canvas[inside_margins(layout.crop_px, *canvas.shape[:2])]
        parts = (
            projected[0],
            self._rows(_resized(canvas, span.rows, span.columns)),
            self.tensors[doubt],
            self.project(reading.summary[None]),
            selected[0],
            self._rows(_laid_out(chosen, layout.grid, 2)),
        )
        return np.concatenate(parts)

    def project(self, tokens: Floats) -> Floats:
        """(…, c) to (…, h)."""
        first, first_bias, second, second_bias = (self.tensors[name] for name in LAYERS)
        inner = tokens @ first.T + first_bias
        return np.asarray((inner * (1 + erf(inner / np.sqrt(2))) / 2) @ second.T + second_bias, np.float32)

    def _rows(self, canvas: Floats) -> Floats:
        """(rows, columns, h) row by row, a newline after each: (rows * (columns + 1), h)."""
        newline = np.broadcast_to(self.tensors[NEWLINE], (len(canvas), 1, canvas.shape[2]))
        return np.concatenate((canvas, newline), axis=1).reshape(-1, canvas.shape[2])


def _laid_out(tokens: Floats, grid: tuple[int, int], side: int) -> Floats:
    """(pictures, side * side, h) of a grid of pictures as one canvas (rows * side, columns * side, h)."""
    rows, columns = grid
    cells = tokens.reshape(rows, columns, side, side, -1)
    return cells.transpose(0, 2, 1, 3, 4).reshape(rows * side, columns * side, -1)


def _resized(canvas: Floats, rows: int, columns: int) -> Floats:
    """Bilinear between the middles of tokens, without smoothing before it, as LLaVA-OneVision does it."""
    return _along(_along(canvas, rows, 0), columns, 1)


def _along(canvas: Floats, count: int, axis: int) -> Floats:
    size = canvas.shape[axis]
    if size == count:
        return canvas
    at = np.maximum((np.arange(count) + 0.5) * size / count - 0.5, 0.0)
    low = at.astype(np.intp)
    shape = [1, 1, 1]
    shape[axis] = count
    share = (at - low).astype(np.float32).reshape(shape)
    following = canvas.take(np.minimum(low + 1, size - 1), axis)
    return np.asarray(canvas.take(low, axis) * (1 - share) + following * share, np.float32)
