"""Running an encoder on ONNX Runtime, as the embedded ones share it."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamproc.errors import InferenceError
from streamproc.inspection.nouns import Floats
from streamproc.models.vit import INPUT, OUTPUTS


def run_levels(session: Any, name: str, side_px: int, pictures: Floats, mean: Floats, std: Floats) -> list[Floats]:
    """What the encoder ``name`` gives of ``pictures`` (n, 3, side_px, side_px) at its levels, each n first.

    Picture by picture, to save memory; ``mean`` and ``std`` are what it was trained with.

    Raises:
        InferenceError: the network failed, or a picture has another size.
    """
    if pictures.shape[1:] != (3, side_px, side_px):
        raise InferenceError(f"{name}: pictures are {side_px} px, not {pictures.shape[1:]}")
    scaled = (pictures - mean) / std
    try:
        each = [session.run(OUTPUTS, {INPUT: scaled[i : i + 1]}) for i in range(len(scaled))]
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise InferenceError(f"{name}: {error}") from error
    return [np.concatenate(level) for level in zip(*each, strict=True)]
