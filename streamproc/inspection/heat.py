"""Significance maps of a crop's pictures, put back over the crop."""

from __future__ import annotations

import numpy as np
from PIL import Image

from streamproc.inspection.nouns import Floats, Layout


def heat_over_crop(maps: Floats, layout: Layout) -> Floats:
    """The heat (h, w) 0..1 over the crop from one map (side, side) 0..1 a picture: (n, side, side).

    The close-ups' maps are laid out as the pictures were and cut to the crop; the map of the whole is averaged with
    them, so that what is seen at both scales stands out. One cell is one token of the close-ups.
    """
    whole = maps[0]
    if layout.same_first:
        return np.ascontiguousarray(whole)
    rows, columns = layout.grid
    side = maps.shape[1]
    canvas = maps[1:].reshape(rows, columns, side, side).transpose(0, 2, 1, 3).reshape(rows * side, columns * side)
    left, top, right, bottom = layout.inside
    box = (left * columns * side, top * rows * side, right * columns * side, bottom * rows * side)
    size = (max(1, round(box[2] - box[0])), max(1, round(box[3] - box[1])))
    close = Image.fromarray(np.ascontiguousarray(canvas)).resize(size, Image.Resampling.BILINEAR, box=box)
    far = Image.fromarray(np.ascontiguousarray(whole)).resize(size, Image.Resampling.BILINEAR)
    return np.clip((np.asarray(close, np.float32) + np.asarray(far, np.float32)) / 2, 0.0, 1.0)
