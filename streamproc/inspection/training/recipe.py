"""From a recipe to an expert on disk: encode, train, export, and write down how it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from streamproc.errors import ConfigError
from streamproc.inspection.checkpoint import save_expert
from streamproc.inspection.export import export_expert
from streamproc.inspection.header import Header, Variant
from streamproc.inspection.nouns import Backbone
from streamproc.inspection.training.bank import Bank, Told, encode
from streamproc.inspection.training.halves import halve, round_weights
from streamproc.inspection.training.pictures import LICENCES
from streamproc.inspection.training.sources import SYNTHETIC, Synthetic, open_source
from streamproc.inspection.training.train import Settings, held_out_auroc, train
from streamproc.inspection.training.weighing import with_own_picture

HELD_OUT_SEED = 1_000_000
"""Added to a recipe's seed for the drawn pictures that are held out, so that no seed in use meets another's."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what an expert becomes."""

    sources: Sequence[str] = (SYNTHETIC,)
    """``synthetic`` or ``LAYOUT:DIR``."""
    pictures: int = 4000
    """How many are drawn for ``synthetic``; half of them defective."""
    held_out: int = 400
    """How many more are drawn to be watched, not learned from."""
    hidden: int = 512
    variant: Variant = "released"
    look_back: bool = True
    selector: bool = True
    own_picture: bool = False
    """Whether how unlike itself a picture is counts beside what was learned."""
    settings: Settings = field(default_factory=Settings)


def follow(
    recipe: Recipe, backbone: Backbone, out: Path, features: Path, told: Told, *, resume: bool = False
) -> Header:
    """Write ``expert.pt``, ``expert.onnx``, ``recipe.json`` and the history to ``out``; keep features.

    Raises:
        ConfigError: a source or a folder that does not fit; see ``train``. Too few held-out pictures to weigh
            ``own_picture`` by.
        InferenceError: the encoder failed.
        ModelError: the exported model does not give what the trained one gives.
    """
    if recipe.own_picture and recipe.held_out < 2:
        raise ConfigError(
            f"--own-picture is weighed by the spread of held-out pictures: --held-out {recipe.held_out} is fewer than 2"
        )
    seed = recipe.settings.seed
    opened = [open_source(said, seed, recipe.pictures, backbone.side_px) for said in recipe.sources]
    banks = [encode(source, backbone, features / str(number), told) for number, source in enumerate(opened)]
    drawn = Synthetic(seed + HELD_OUT_SEED, recipe.held_out, backbone.side_px)
    watched = [encode(drawn, backbone, features / "held-out", told)] if recipe.held_out else []
    header = Header(
        backbone=backbone.name,
        revision=backbone.revision,
        channels=banks[0].identity.channels,
        side=banks[0].identity.side,
        hidden=recipe.hidden,
        variant=recipe.variant,
        look_back=recipe.look_back,
        selector=recipe.selector,
        recipe=_in_a_line(recipe, banks),
    )
    expert = train(banks, watched, header, recipe.settings, out, told, resume=resume)
    round_weights(expert)
    if recipe.own_picture:
        expert = with_own_picture(expert, watched)
        header = header.model_copy(update={"own_picture": True})
    save_expert(expert, out / "expert.pt")
    export_expert(expert, out / "expert.onnx")
    halve(out / "expert.onnx")
    written = {
        **asdict(recipe),
        "header": header.model_dump(),
        "held_out_auroc": held_out_auroc(expert, watched, recipe.settings.batch),
        "sources_as_encoded": [asdict(bank.identity) | {"defective": int(bank.labels.sum())} for bank in banks],
        "photographs": dict(LICENCES) if SYNTHETIC in recipe.sources else {},
        "versions": {name: version(name) for name in ("numpy", "opencv-python", "scikit-image", "scipy", "torch")},
    }
    (out / "recipe.json").write_text(json.dumps(written, indent=1) + "\n")
    return header


def _in_a_line(recipe: Recipe, banks: Sequence[Bank]) -> str:
    said = ", ".join(f"{len(bank)} of {bank.identity.source}" for bank in banks)
    how = recipe.settings
    return (
        f"{said}; {how.epochs} epochs, batch {how.batch}, rate {how.rate:g}, maps {how.map_weight:g}, seed {how.seed}"
    )
