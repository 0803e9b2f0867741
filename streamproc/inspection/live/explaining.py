"""Defects in words: a model is asked on a thread of its own, one after the other, and no alert waits for it.

What it says is told by the verdicts that follow, and so by the incident's next message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from streamproc.errors import ChannelClosed, ModelError
from streamproc.inspection.answers.explainer import Explainer, Explanation
from streamproc.inspection.answers.routes import Found
from streamproc.inspection.live.findings import Key, Told
from streamproc.inspection.nouns import Floats, Pixels, Score
from streamproc.runtime.slots import Slots
from streamproc.secrets import redact

log = structlog.get_logger(__name__)

MOST_WAITING = 32
"""Defects of the whole site; a crop of each is kept meanwhile."""
_WAIT_S = 0.5


class Explaining:
    """Asks about each defect once. ``ask``, ``told`` and ``forget`` may be called from any thread."""

    def __init__(self, explainer: Explainer, end: Callable[[], None]) -> None:
        """``end`` ends a request that is under way."""
        self._explainer, self._end = explainer, end
        self._waiting: Slots[tuple[Key, Found]] = Slots(MOST_WAITING)
        self._told: dict[Key, Told | None] = {}
        self._lock = threading.Lock()

    def ask(self, key: Key, thing: str, crop: Pixels, score: float, heat: Floats) -> None:
        """As ``Words`` says; where too many wait it is not asked about, and that is what is told."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._told[key] = Told("", missing=f"no explanation: {MOST_WAITING} other defects wait for one")
                return
            self._told[key] = None
            try:
                self._waiting.put(key[0], key, (key, Found(crop, Score(score, heat, "both"), f"a {thing}")))
            except ChannelClosed:
                del self._told[key]  # the site stops

    def told(self, key: Key) -> Told | None:
        """As ``Words`` says."""
        with self._lock:
            return self._told.get(key)

    def forget(self, key: Key) -> None:
        """As ``Words`` says; one that waits is not asked about any more."""
        with self._lock:
            self._told.pop(key, None)

    def work(self) -> None:
        """Ask for what waits until ``close``."""
        while True:
            with self._waiting.take(_WAIT_S) as item:
                if item is not None and self._wanted(item[0]):
                    self._tell(item[0], self._explained(*item))

    def close(self) -> None:
        """Ask nothing more, and wait for no answer."""
        self._waiting.close()
        self._end()

    def _wanted(self, key: Key) -> bool:
        with self._lock:
            return key in self._told

    def _tell(self, key: Key, told: Told) -> None:
        with self._lock:
            if key in self._told:
                self._told[key] = told

    def _explained(self, key: Key, found: Found) -> Told:
        try:
            return in_words(self._explainer.explain(found))
        except ModelError as error:
            why = redact(str(error))
            log.warning("defect_not_explained", camera=key[0], thing=key[1], error=why)
            return Told("", missing=f"no explanation: {why}")


def in_words(said: Explanation) -> Told:
    """``The model NAME, shown this: "…" Why: "…" To prevent it: "…"``"""
    parts = (("", said.what), ("Why: ", said.why), ("To prevent it: ", said.prevention))
    words = " ".join(f'{name}"{text}"' for name, text in parts if text) if said.there else "nothing is wrong with it."
    return Told(f"The model {said.model.name}, shown this: {words or 'something is wrong with it.'}", said.model)
