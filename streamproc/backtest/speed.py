"""How long a site's detector takes, apart from what it is a part of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from streamproc.backends import Backends
from streamproc.models.nanodet import NanoDet
from streamproc.runtime.spent import Spent

DETECTOR = "detector"


class _Timed:
    """Like what it stands for; what its methods take is noted."""

    def __init__(self, one: object, part: str, spent: Spent) -> None:
        self._one, self._part, self._spent = one, part, spent

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._one, name)
        return self._noted(value) if callable(value) else value

    def _noted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any, **named: Any) -> Any:
            with self._spent.on(self._part):
                return method(*given, **named)

        return noted


def time_models(backends: Backends, spent: Spent) -> None:
    """From now on ``spent`` is told what the detector takes."""
    if backends.detector is not None:  # tests have none
        backends.detector = cast(NanoDet, _Timed(backends.detector, DETECTOR, spent))
