"""The expert on ONNX Runtime: features of a crop in, score, heat map and suspicious tokens out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pydantic

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.inspection.header import Header
from streamproc.inspection.heat import heat_over_crop
from streamproc.inspection.nouns import TAPS, Backbone, Features, Reading, Score
from streamproc.models.sessions import open_session

HEADER = "streamproc.expert"
"""The ONNX file's metadata entry that holds the header."""
OUTPUTS = ("logit", "maps", "selected", "summary")
"""In the order of ``expert.Opinion``."""


class OnnxExpert:
    """An exported expert on the CPU; safe to be called from several threads."""

    def __init__(self, path: Path, backbone: Backbone | None = None, threads: int = 1) -> None:
        """Open ``path``; where ``backbone`` is given, it must be the one that the expert was trained on.

        Raises:
            ModelLoadError: the file does not load, is not an expert, or belongs to another encoder.
        """
        self._session, self.revision = open_session(path, threads)
        described = self._session.get_modelmeta().custom_metadata_map.get(HEADER)
        if described is None:
            raise ModelLoadError(f"{path}: is not an exported expert: it has no {HEADER!r} entry")
        try:
            self.header = Header.model_validate_json(described)
        except pydantic.ValidationError as error:
            raise ModelLoadError(f"{path}: its {HEADER!r} entry does not read: {error}") from error
        if backbone is not None:
            _check_backbone(path, self.header, backbone)

    @property
    def close_ups(self) -> int:
        """As its header says."""
        return self.header.close_ups

    def score(self, features: Features) -> Reading:
        """What the expert says of one crop.

        Raises:
            InferenceError: the features are of another shape than the expert reads, or not finite.
        """
        self._check(features)
        try:
            logit, maps, selected, summary = self._session.run(
                list(OUTPUTS), {"tokens": features.tokens[None], "taps": features.taps[None]}
            )
        except Exception as error:  # ONNX Runtime's errors have no common base of their own
            raise InferenceError(f"the expert failed on a crop: {error}") from error
        value = float(logit[0])
        if not math.isfinite(value):
            raise InferenceError("the expert's score is not a number; are the features finite?")
        heat = heat_over_crop(maps[0], features.layout)
        return Reading(Score(_sigmoid(value), heat, "expert"), value, maps[0], selected[0], summary[0])

    def _check(self, features: Features) -> None:
        tokens = (features.layout.pictures, self.header.side**2, self.header.channels)
        if features.tokens.shape != tokens or features.taps.shape != (TAPS, *tokens):
            raise InferenceError(
                f"the expert reads tokens {tokens} and four taps of them, these are {features.tokens.shape} "
                f"and {features.taps.shape}"
            )


def _check_backbone(path: Path, header: Header, backbone: Backbone) -> None:
    known = header.revision == "" or header.revision == backbone.revision
    if header.backbone != backbone.name or not known:
        raise ModelLoadError(
            f"{path}: was trained on {header.backbone} {header.revision or '(any revision)'}, "
            f"the encoder here is {backbone.name} {backbone.revision}"
        )


def _sigmoid(logit: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -logit)))
