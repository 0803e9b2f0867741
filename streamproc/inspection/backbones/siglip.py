"""The SigLIP tower of a LLaVA-OneVision on PyTorch: the encoder of Anomaly-OV, whose published experts read it.

The tower was trained on with its language model, so it is not the SigLIP of the same name, and those of the 0.5 B and
the 7 B model differ: the revision is a hash of the tower's own weights, whatever file they came in.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.inspection.backbones.weights import model_file, read_tensors
from streamproc.inspection.header import OFFICIAL
from streamproc.inspection.nouns import TAPS, Features, Views

_TOWER = "vision_tower."
_UNUSED = ("post_layernorm.", "head.")
"""Neither taps nor tokens go through them."""
_NEEDED = ("torch", "transformers", "safetensors")


class SiglipTower:
    """400 million parameters, 1152 channels, 27 x 27 tokens of 384 px; on the GPU where PyTorch sees one.

    As in the published code its taps are ``hidden_states`` 7, 13, 19 and 25, and its tokens the 26th, before the last
    normalisation; a tower of another depth is tapped as evenly.
    """

    name = OFFICIAL.backbone

    def __init__(self, model: str, side_px: int | None = None, threads: int = 1) -> None:
        """Load the tower alone from ``model``, a LLaVA-OneVision in transformers' form: its folder, or its hub id.

        ``threads`` is PyTorch's, of the whole process.

        Raises:
            ValueError: ``side_px`` is given and another than the tower's.
            ModelLoadError: a package or a file is missing, or it is another model; names it.
        """
        if absent := [name for name in _NEEDED if find_spec(name) is None]:
            raise ModelLoadError(f"SigLIP needs {', '.join(absent)}: pip install 'streamproc[inspection]'")
        import torch

        settings = tower_settings(model_file(model, "config.json"))
        tensors = read_tensors(model, _own)
        torch.set_num_threads(threads)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._tower = _tower(model, settings, tensors).to(self._device)
        self.revision = _revision(tensors)
        self.side_px: int = self._tower.config.image_size
        self._side = self.side_px // self._tower.config.patch_size
        self._levels = levels(self._tower.config.num_hidden_layers)
        if side_px not in (None, self.side_px):
            raise ValueError(f"{model} takes pictures of {self.side_px} px, not {side_px}")

    def encode(self, views: Views) -> Features:
        """The features of one crop's pictures, one after the other, to save memory.

        Raises:
            InferenceError: the network failed, or a picture has another size.
        """
        if views.pictures.shape[1:] != (3, self.side_px, self.side_px):
            raise InferenceError(f"{self.name}: pictures are {self.side_px} px, not {views.pictures.shape[1:]}")
        import torch

        scaled = torch.from_numpy((views.pictures - np.float32(0.5)) / np.float32(0.5))
        each = []
        try:
            with torch.inference_mode():
                for picture in scaled:
                    states = self._tower(picture[None].to(self._device), output_hidden_states=True).hidden_states
                    each.append(torch.stack([states[level][0] for level in self._levels]).cpu().numpy())
        except RuntimeError as error:  # among them: no memory left on the GPU
            raise InferenceError(f"{self.name}: {error}") from error
        found = np.stack(each, axis=1)
        return Features(tokens=found[TAPS], taps=found[:TAPS], side=self._side, layout=views.layout)


def levels(blocks: int) -> tuple[int, ...]:
    """Which hidden states, 0 to ``blocks``, are the taps and, last, the tokens; 7, 13, 19, 25 and 26 of 26."""
    step = (blocks - 1) // TAPS
    return (*(blocks - 1 - step * back for back in reversed(range(TAPS))), blocks)


def tower_settings(path: Path) -> dict[str, Any]:
    """``vision_config`` of a LLaVA-OneVision's config.json.

    Raises:
        ModelLoadError: it cannot be read, or is of another model.
    """
    try:
        said: Any = json.loads(path.read_text())
        kind, settings = said["model_type"], said["vision_config"]
        tower = settings["model_type"]
    except OSError as error:
        raise ModelLoadError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ModelLoadError(f"{path}: is not of a vision-language model") from error
    if (kind, tower) != ("llava_onevision", "siglip_vision_model"):
        raise ModelLoadError(f"{path}: is of a {kind} with a {tower}, not of a llava_onevision with a SigLIP tower")
    return {**settings, "vision_use_head": False}


def _own(key: str) -> str | None:
    """A tensor's name within the tower; releases of transformers differ in what stands before. None for others'."""
    _, of_tower, name = key.partition(_TOWER)
    name = name.removeprefix("vision_model.")
    return name if of_tower and not name.startswith(_UNUSED) else None


def _tower(model: str, settings: dict[str, Any], tensors: dict[str, Any]) -> Any:
    """The module with these weights, float32, for looking only."""
    import torch
    from transformers import SiglipVisionConfig, SiglipVisionModel

    with torch.device("meta"):  # without the minute that random weights take
        whole = SiglipVisionModel(SiglipVisionConfig.from_dict(settings))
    inner = getattr(whole, "vision_model", whole)  # up to 4.x there is a module between
    inner.post_layernorm = torch.nn.Identity()
    missing = sorted(set(inner.state_dict()) - set(tensors))
    if missing:
        raise ModelLoadError(f"{model}: {missing[0]!r} is missing, and {len(missing) - 1} more of its tower's tensors")
    try:
        inner.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    except RuntimeError as error:
        raise ModelLoadError(f"{model}: its tower is of another shape than its config.json says: {error}") from error
    places = torch.arange(inner.embeddings.num_positions).expand((1, -1))
    inner.embeddings.register_buffer("position_ids", places, persistent=False)
    return whole.eval().requires_grad_(False)


def _revision(tensors: dict[str, Any]) -> str:
    import torch

    told = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        told.update(name.encode())
        told.update(tensor.contiguous().view(torch.uint8).numpy().data)
    return told.hexdigest()[:12]
