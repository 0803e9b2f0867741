"""What unit tests share."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from streamproc import secrets


@pytest.fixture(autouse=True)
def _secrets_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test resolved is no secret in another's output."""
    monkeypatch.setattr(secrets, "_known", set())


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
