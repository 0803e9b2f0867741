"""What transformers itself makes of pictures and tokens, for comparison.

``python onevision_reference.py pictures MODEL OUT.npz HxW ...`` gives of each size: ``picture`` (h, w, 3) uint8,
``pixels`` (views, 3, side, side), ``tokens`` (views, t, c) of the tower, ``taps`` (4, views, t, c), and ``packed``
(N, h): what stands for the picture before the language model.

``python onevision_reference.py next MODEL OUT.npz IN.npz``: IN holds prompts ``NAME ids`` (p,) and what stands in place
of their picture tokens, ``NAME span`` (N, h); gives ``NAME logprobs`` (vocabulary,) of the word that comes next.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import LlavaOnevisionForConditionalGeneration, LlavaOnevisionProcessor

TAPS = (1, 2, 3, 4)
"""Of its five blocks; the published tower has 26 and is tapped after 7, 13, 19 and 25."""


def pictures(model: Any, processor: Any, sizes: list[str]) -> dict[str, Any]:
    rng, held = np.random.default_rng(0), {}
    for size in sizes:
        height, width = map(int, size.split("x"))
        picture = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        read = processor(images=Image.fromarray(picture), text="<image>", return_tensors="pt")
        tower = model.model.vision_tower(read.pixel_values[0], output_hidden_states=True)
        packed = model.get_image_features(pixel_values=read.pixel_values, image_sizes=read.image_sizes)
        held[f"{size} picture"], held[f"{size} pixels"] = picture, read.pixel_values[0].numpy()
        held[f"{size} tokens"] = tower.hidden_states[-1].numpy()
        held[f"{size} taps"] = torch.stack([tower.hidden_states[level] for level in TAPS]).numpy()
        held[f"{size} packed"] = packed.pooler_output[0].numpy()
    return held


def following(model: Any, asked: dict[str, Any]) -> dict[str, Any]:
    held = {}
    for name in [key.removesuffix(" ids") for key in asked if key.endswith(" ids")]:
        ids = torch.tensor(asked[f"{name} ids"])
        embedded = model.get_input_embeddings()(ids)
        embedded[ids == model.config.image_token_id] = torch.tensor(asked[f"{name} span"])
        logits = model(inputs_embeds=embedded[None]).logits[0, -1]
        held[f"{name} logprobs"] = logits.log_softmax(-1).numpy()
    return held


if __name__ == "__main__":
    what, where, out, *rest = sys.argv[1:]
    known = LlavaOnevisionForConditionalGeneration.from_pretrained(where, dtype=torch.float32).eval()
    with torch.no_grad():
        if what == "pictures":
            found = pictures(known, LlavaOnevisionProcessor.from_pretrained(where), rest)
        else:
            with np.load(rest[0]) as prompts:
                found = following(known, dict(prompts))
    np.savez(out, **found)
