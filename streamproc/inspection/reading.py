"""Pictures from files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Pixels


def read_picture(path: Path) -> Pixels:
    """(h, w, 3) uint8 RGB.

    Raises:
        ConfigError: names the file.
    """
    found = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if found is None:
        raise ConfigError(f"{path} cannot be read as a picture")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)
