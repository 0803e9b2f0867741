"""What unit tests share."""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from streamproc import secrets, site


@pytest.fixture(autouse=True)
def _secrets_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test resolved is no secret in another's output."""
    monkeypatch.setattr(secrets, "_known", set())


@pytest.fixture
def windows_of_a_second(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """For tests that count windows: the embedded preset with windows and smoothing of 1 s, however it is tuned."""
    folder = tmp_path_factory.mktemp("presets")
    for preset in site._presets().glob("*.yaml"):
        (folder / preset.name).write_text(preset.read_text())
    embedded = folder / "embedded.yaml"
    text, count = re.subn(r"(?m)^  (window_s|smoothing_s): \S+", r"  \1: 1.0", embedded.read_text())
    assert count == 2
    embedded.write_text(text)
    monkeypatch.setattr(site, "_presets", lambda: folder)


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """For tests of what sets up logging for the whole process: puts everything back."""
    root, ours = logging.getLogger(), logging.getLogger("streamproc")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    others = logging.raiseExceptions, warnings.showwarning
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.raiseExceptions, warnings.showwarning = others
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
