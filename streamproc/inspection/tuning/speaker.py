"""LLaVA-OneVision behind the expert: projector and language model learn, tower and expert stay (section 3.5)."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoTokenizer, LlavaOnevisionForConditionalGeneration

from streamproc.errors import ConfigError, ModelLoadError
from streamproc.inspection.answers.extract import phrase_ids
from streamproc.inspection.answers.projector import LAYERS, NEWLINE
from streamproc.inspection.answers.prompts import doubt_of
from streamproc.inspection.backbones.siglip import SiglipTower
from streamproc.inspection.checkpoint import load_expert
from streamproc.inspection.instructions.conversations import Conversation
from streamproc.inspection.reading import read_picture
from streamproc.inspection.tuning.span import span_tokens
from streamproc.inspection.tuning.texts import Text, text_of
from streamproc.inspection.views import LONGEST_PX, make_views

LONGEST = 32768
"""Tokens a conversation may have, as in the published scripts."""
_TOWER = "model.vision_tower."
_BESIDE = ("*.json", "*.jinja", "*.txt")


class Speaker:
    """A ``Learner``; on the GPU where PyTorch sees one, there with products in bfloat16; weights in single precision.

    In bfloat16 a rate of 1e-5 would round most of a step away; the published scripts keep such weights beside.
    """

    def __init__(self, model: Path, expert: Path, images: Path, *, language: bool = True, threads: int = 1) -> None:
        """``model`` is a LLaVA-OneVision's folder in transformers' form, ``expert`` weights for its tower, ``images``
        where the conversations' picture paths begin. Without ``language`` the projector learns alone.

        Raises:
            ModelLoadError: a file does not load, or the expert reads another tower's features.
        """
        self._tower = SiglipTower(str(model), threads=threads)
        self._expert = load_expert(expert).requires_grad_(False)
        header = self._expert.header
        if header.backbone != self._tower.name or header.revision not in ("", self._tower.revision):
            raise ModelLoadError(
                f"{expert}: was trained on {header.backbone} {header.revision or '(any revision)'}, "
                f"the encoder of {model} is {self._tower.name} {self._tower.revision}"
            )
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
            self.model = LlavaOnevisionForConditionalGeneration.from_pretrained(
                model, dtype=torch.float32, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelLoadError(f"{model}: does not load as a LLaVA-OneVision: {error}") from error
        config = self.model.config
        side = config.vision_config.image_size // config.vision_config.patch_size
        reads = (header.channels, header.side)
        if reads != (config.vision_config.hidden_size, side):
            raise ModelLoadError(
                f"{expert}: reads {reads[0]} channels of {reads[1]} x {reads[1]} tokens, the tower of {model} gives "
                f"{config.vision_config.hidden_size} of {side} x {side}"
            )
        if not getattr(self._tokenizer, "chat_template", None):
            raise ModelLoadError(f"{model}: its tokenizer has no chat template")
        tokenizer = self._tokenizer
        ids = phrase_ids(lambda text: tokenizer(text, add_special_tokens=False).input_ids, str(model))
        self._phrases = {doubt: torch.tensor(each) for doubt, each in ids.items()}
        self._from, self._images = model, images
        self._most_grid = max(map(max, config.image_grid_pinpoints)) // config.vision_config.image_size
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self._device).train()
        self._expert.to(self._device)
        for name, parameter in self.model.named_parameters():
            spoken = "language_model" in name or name.startswith("lm_head")
            parameter.requires_grad_(not name.startswith(_TOWER) and (language or not spoken))
        self._text = lru_cache(maxsize=4096)(lambda one: text_of(one, self._tokenizer, config.image_token_id))

    def trained(self) -> dict[str, Any]:
        """All but the tower: the published scripts train image_newline with the language model, too."""
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def tokens(self, one: Conversation) -> int:
        """How many tokens are to be said."""
        return sum(self._text(one).learnt)

    def loss(self, one: Conversation) -> Any:
        """The sum of their cross-entropies."""
        text, logits = self._text(one), self.logits(one)
        wanted = torch.tensor([token for token, learnt in zip(text.ids, text.learnt, strict=True) if learnt])
        return functional.cross_entropy(logits.float(), wanted.to(logits.device), reduction="sum")

    def logits(self, one: Conversation) -> Any:
        """(tokens to be said, vocabulary): what the model would say in the place of each, all before it given."""
        text = self._text(one)
        with self._precision():
            embedded, before = self._embedded(one, text)
            hidden = self.model.model.language_model(inputs_embeds=embedded[None], use_cache=False).last_hidden_state
            return self.model.lm_head(hidden[0, before])

    def save(self, folder: Path) -> None:
        """As transformers writes it, what lay beside the model, and its projector.npz for the route by tokens."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for pattern in _BESIDE:
                for file in self._from.glob(pattern):
                    shutil.copyfile(file, folder / file.name)
            self.model.save_pretrained(folder)
            np.savez(folder / "projector.npz", **self._projector())
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be written: {error}") from error

    def _embedded(self, one: Conversation, text: Text) -> tuple[Any, Any]:
        """The tokens (N, h) with the crop's in the picture's place, and the places before those to be said."""
        layers, embed = self.model.model, self.model.get_input_embeddings()
        views = make_views(read_picture(self._images / one.image), self._tower.side_px, self._most_grid, LONGEST_PX)
        features = self._tower.encode(views)
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            opinion = self._expert(*(torch.from_numpy(each)[None].to(self._device) for each in _both(features)))
        doubt = doubt_of(float(opinion.logit[0].sigmoid()))
        span = span_tokens(
            layers.multi_modal_projector,
            layers.image_newline,
            embed(self._phrases[doubt].to(self._device)),
            features,
            opinion.selected[0],
            opinion.summary[0],
        )
        if (total := len(text.ids) - 1 + len(span)) > LONGEST:
            raise ConfigError(f"{one.id}: has {total} tokens, at most {LONGEST} can be learned from")
        words = embed(torch.tensor(text.ids, device=self._device))
        at, more = text.picture_at, len(span) - 1
        embedded = torch.cat([words[:at], span.to(words.dtype), words[at + 1 :]])
        before = [place + more - 1 for place, learnt in enumerate(text.learnt) if learnt]
        return embedded, torch.tensor(before, device=self._device)

    def _projector(self) -> dict[str, Any]:
        layers, rows = self.model.model, self.model.get_input_embeddings().weight
        state = layers.multi_modal_projector.state_dict()
        tensors = {name: state[name] for name in LAYERS} | {NEWLINE: layers.image_newline}
        tensors |= {doubt: rows[ids.to(rows.device)] for doubt, ids in self._phrases.items()}
        return {name: tensor.detach().float().cpu().numpy() for name, tensor in tensors.items()}

    def _precision(self) -> Any:
        return torch.autocast("cuda", torch.bfloat16) if self._device.type == "cuda" else nullcontext()


def _both(features: Any) -> tuple[Any, Any]:
    return features.tokens, features.taps
