"""Our tower's features of pictures that transformers prepared: ``python siglip_tower.py MODEL IN.npz OUT.npz``.

IN is what ``onevision_reference.py pictures`` wrote; gives ``SIZE tokens`` and ``SIZE taps`` as it does, and
``revision``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from streamproc.inspection.backbones.siglip import SiglipTower
from streamproc.inspection.nouns import Layout, Views

if __name__ == "__main__":
    model, given, out = sys.argv[1:]
    tower = SiglipTower(model)
    held: dict[str, Any] = {"revision": np.array(tower.revision)}
    with np.load(given) as reference:
        for size in [name.removesuffix(" pixels") for name in reference.files if name.endswith(" pixels")]:
            pictures = reference[f"{size} pixels"] * np.float32(0.5) + np.float32(0.5)
            layout = Layout((1, 1), (1, len(pictures) - 1), (0.0, 0.0, 1.0, 1.0), same_first=False)
            found = tower.encode(Views(pictures, layout))
            held[f"{size} tokens"], held[f"{size} taps"] = found.tokens, found.taps
    np.savez(out, **held)
