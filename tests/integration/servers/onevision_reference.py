"""What transformers itself makes of pictures, for comparison: ``python onevision_reference.py MODEL OUT.npz HxW ...``.

Of each size: ``picture`` (h, w, 3) uint8, ``pixels`` (views, 3, side, side), ``tokens`` (views, t, c) of the tower, and
``packed`` (N, h): what stands for the picture before the language model.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image
from transformers import LlavaOnevisionForConditionalGeneration, LlavaOnevisionProcessor

if __name__ == "__main__":
    where, out, *sizes = sys.argv[1:]
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(where, dtype=torch.float32).eval()
    processor = LlavaOnevisionProcessor.from_pretrained(where)
    rng, held = np.random.default_rng(0), {}
    for size in sizes:
        height, width = map(int, size.split("x"))
        picture = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        read = processor(images=Image.fromarray(picture), text="<image>", return_tensors="pt")
        with torch.no_grad():
            tower = model.model.vision_tower(read.pixel_values[0], output_hidden_states=True)
            packed = model.get_image_features(pixel_values=read.pixel_values, image_sizes=read.image_sizes)
        held[f"{size} picture"], held[f"{size} pixels"] = picture, read.pixel_values[0].numpy()
        held[f"{size} tokens"] = tower.hidden_states[-1].numpy()
        held[f"{size} packed"] = packed.pooler_output[0].numpy()
    np.savez(out, **held)  # type: ignore[arg-type]
