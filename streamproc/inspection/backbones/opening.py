"""An encoder by what people call it."""

from __future__ import annotations

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Backbone
from streamproc.models.store import ModelStore

EMBEDDED = ("dinov2-s", "efficientnet-lite0")
SIGLIP = "siglip:"
"""Before a folder or a hub id."""
SIDE_PX = 224
"""Edge of an embedded encoder's pictures where nothing else is said: what EfficientNet-Lite0 was trained with."""


def open_backbone(
    called: str, side_px: int | None = None, threads: int = 1, store: ModelStore | None = None
) -> Backbone:
    """One of ``EMBEDDED``, fetched on first use, or ``siglip:MODEL``, whose pictures have its own size.

    Raises:
        ConfigError: there is no such encoder, or the edge does not fit it.
        ModelLoadError: its files cannot be had or do not load, or it needs a package that is not installed.
    """
    try:
        if called.startswith(SIGLIP) and called != SIGLIP:
            from streamproc.inspection.backbones.siglip import SiglipTower

            return SiglipTower(called.removeprefix(SIGLIP), side_px, threads)
        if called not in EMBEDDED:
            raise ConfigError(f"there is no encoder {called!r}, but {', '.join(EMBEDDED)} and {SIGLIP}MODEL")
        path = (store or ModelStore()).ensure(called)
        if called == "dinov2-s":
            from streamproc.inspection.backbones.dinov2 import DinoV2

            return DinoV2(path, side_px or SIDE_PX, threads)
        from streamproc.inspection.backbones.efficientnet import EfficientNetLite0

        return EfficientNetLite0(path, side_px or SIDE_PX, threads)
    except ValueError as error:
        raise ConfigError(f"{called}: {error}") from None
