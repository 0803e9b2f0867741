"""What the requests of a camera's windows have in common stands first, so that a server's prefix cache holds it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streamproc.config import VlmPerception
from streamproc.perception import prompts
from streamproc.perception.vlm import messages, show
from streamproc.testing_modelserver import prefix_shared
from streamproc.types import Frame, ObservedWindow, Window

GROUND = np.random.default_rng(0).integers(80, 120, (90, 160, 3), np.uint8)
SETTINGS = VlmPerception.model_validate({"kind": "vlm", "base_url": "http://a:1/v1", "model": "eyes"})


def window(run: int, x: int, camera: str = "gate") -> ObservedWindow:
    """A patch moves to the right from ``x``."""
    frames = []
    for i in range(5):
        picture = GROUND.copy()
        picture[30:60, x + 8 * i : x + 8 * i + 20] = 250
        frames.append(Frame(camera, run, i / 5, datetime(2026, 1, 1, tzinfo=UTC), picture))
    return ObservedWindow(Window(camera, run, 0, (tuple(frames),)), (), (), 1.0)


@pytest.mark.parametrize("other", [window(2, 60), window(1, 10, "yard")], ids=["the next", "another camera's"])
@pytest.mark.parametrize("marks", [0, 3])
def test_all_but_a_windows_pictures_and_their_words_is_shared(other: ObservedWindow, marks: int) -> None:
    settings = SETTINGS.model_copy(update={"marks": marks})
    one, two = (messages(show(each, settings), settings) for each in (window(1, 10), other))
    standing = prompts.system(marks > 0)
    shared = prefix_shared(one, two)
    assert shared.startswith(f"system\n{standing}\nuser\n")
    rest = len(prompts.user(3, 1, 0.8))
    assert len(standing) > 5 * rest  # what is said anew with each window's pictures is little
