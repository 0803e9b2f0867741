"""The experts that come with the package: trained on drawn defects alone, so that anybody may use and pass them on.

Beside each stands its recipe, ``<encoder>.json``; ``streamproc inspect train`` with what it says makes it again.
"""

from __future__ import annotations

from pathlib import Path

from streamproc.config import SHIPPED
from streamproc.errors import ConfigError

_FOLDER = Path(__file__).parent / "weights"


def expert_file(named: Path, backbone: str) -> Path:
    """``named``, or the package's own expert for the encoder where that is `shipped`.

    Raises:
        ConfigError: as ``shipped_expert``.
    """
    return shipped_expert(backbone) if named == SHIPPED else named


def shipped_expert(backbone: str) -> Path:
    """The ONNX file of the expert for an encoder, by the encoder's name.

    Raises:
        ConfigError: none comes with the package for it.
    """
    path = _FOLDER / f"{backbone}.onnx"
    if not path.is_file():
        have = ", ".join(sorted(p.stem for p in _FOLDER.glob("*.onnx"))) or "none"
        raise ConfigError(f"no expert for {backbone} comes with the package (there is: {have}); train or name one")
    return path
