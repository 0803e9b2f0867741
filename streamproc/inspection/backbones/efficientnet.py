"""EfficientNet-Lite0 (Tan and Le, 2019; the Lite variant, 2020) on ONNX Runtime: inspection's fastest encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamproc.inspection.backbones.levels import run_levels
from streamproc.inspection.nouns import TAPS, Features, Floats, Views
from streamproc.models.sessions import open_session

STRIDE_PX = 16
"""Of the tokens, as `streamproc.models.efficientnet` gives every level."""
EDGE_PX = 32
"""The coarsest level's stride, which edges are a multiple of."""
MEAN, STD = np.array(127 / 255, np.float32), np.array(128 / 255, np.float32)
"""(x - 127) / 128, which it was trained with; RGB."""


class EfficientNetLite0:
    """2.9 million parameters, 320 channels; ``encode`` may be called from several threads at once.

    The taps are what its stages 3 to 6 end in (40, 80, 112 and 192 channels at strides 8, 16, 16 and 32), the tokens
    what stage 7 ends in (320 at 32), all on one grid of stride 16. Lesser levels are filled up with zeros to 320: an
    adapter is linear and a distance a sum over channels, so neither sees them. The levels are about equally strong
    (root mean squares of 6 to 9 on photographs, the tokens' 3), and are given as they are. A memory of 16 pictures
    tells less by it than by DINOv2-S: see tests/benchmarks/inspection_memory.txt.
    """

    name = "efficientnet-lite0"

    def __init__(self, path: Path, side_px: int = 224, threads: int = 1) -> None:
        """Load the converted model; pictures will have edges of ``side_px`` pixels, a multiple of 32.

        On one core of a small server a picture takes 16 ms at 224 px (DINOv2-S there 0.22 s), 33 ms at 320 px and
        66 ms at 448 px.

        Raises:
            ValueError: the edge is no multiple of 32.
            ModelLoadError: naming the file.
        """
        if side_px < EDGE_PX or side_px % EDGE_PX:
            raise ValueError(f"the edge of a picture is a multiple of {EDGE_PX} px, not {side_px}")
        self._session, self.revision = open_session(path, threads)
        self.side_px = side_px

    def encode(self, views: Views) -> Features:
        """The features of one crop's pictures, side_px / 16 tokens along an edge.

        Raises:
            InferenceError: the network failed, or a picture has another size.
        """
        levels = run_levels(self._session, self.name, self.side_px, views.pictures, MEAN, STD)
        channels = max(level.shape[1] for level in levels)
        tokens = [_tokens(level, channels) for level in levels]
        return Features(
            tokens=tokens[TAPS],
            taps=np.stack(tokens[:TAPS]),
            side=self.side_px // STRIDE_PX,
            layout=views.layout,
        )


def _tokens(level: Floats, channels: int) -> Floats:
    """(n, c, rows, columns) to (n, rows * columns, channels), the further channels zeros."""
    n, own = level.shape[:2]
    rows = level.reshape(n, own, -1).transpose(0, 2, 1)
    return np.asarray(np.pad(rows, ((0, 0), (0, 0), (0, channels - own))), np.float32)
