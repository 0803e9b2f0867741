"""A crop's tokens before the language model, differentiable; ``answers.projector`` makes the same ones to be served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from streamproc.inspection.nouns import Features
from streamproc.inspection.spans import inside_margins, span_of


def span_tokens(
    project: Callable[[Any], Any], newline: Any, phrase: Any, features: Features, selected: Any, summary: Any
) -> Any:
    """The whole, its close-ups, the indication phrase, r and the selected tokens: (``span_of(...).total``, h).

    ``project`` takes (…, c) to (…, h); ``newline`` (h,) ends each row of close-ups; ``phrase`` (6, h) are rows of the
    model's embedding; ``selected`` (n, 4, c) and ``summary`` (c,) are the expert's. The crop was cut by
    ``views.make_views``. Gradients flow into whatever of these wants them.
    """
    layout, side = features.layout, features.side
    span = span_of(layout, side)
    projected, chosen = project(torch.from_numpy(features.tokens).to(newline.device)), project(selected)
    closer, suspicious = (each if layout.same_first else each[1:] for each in (projected, chosen))
    canvas = _laid_out(closer, layout.grid, side)
    canvas = canvas[inside_margins(layout.crop_px, *canvas.shape[:2])]
    if canvas.shape[:2] != (span.rows, span.columns):
        size = (span.rows, span.columns)
        canvas = functional.interpolate(canvas.permute(2, 0, 1)[None], size, mode="bilinear")[0].permute(1, 2, 0)
    parts = (
        projected[0],
        _rows(canvas, newline),
        phrase,
        project(summary[None]),
        chosen[0],
        _rows(_laid_out(suspicious, layout.grid, 2), newline),
    )
    return torch.cat([part.to(newline.dtype) for part in parts])


def _rows(canvas: Any, newline: Any) -> Any:
    """(rows, columns, h) row by row, a newline after each: (rows * (columns + 1), h)."""
    ends = newline.to(canvas.dtype).expand(canvas.shape[0], 1, -1)
    return torch.cat([canvas, ends], 1).flatten(0, 1)


def _laid_out(tokens: Any, grid: tuple[int, int], side: int) -> Any:
    """(pictures, side * side, h) of a grid of pictures as one canvas (rows * side, columns * side, h)."""
    rows, columns = grid
    cells = tokens.reshape(rows, columns, side, side, -1)
    return cells.permute(0, 2, 1, 3, 4).reshape(rows * side, columns * side, -1)
