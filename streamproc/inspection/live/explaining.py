"""Defects in words: a model is asked on a thread of its own, one after the other, and no alert waits for it.

What it says is told by the verdicts that follow, and so by the incident's next message; what comes when a thing is as
it should be again, by the incident's resolution.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_fixed
from tenacity.nap import sleep_using_event

from streamproc.errors import ChannelClosed, ModelError
from streamproc.inspection.answers.explainer import Explainer, Explanation
from streamproc.inspection.answers.routes import Found
from streamproc.inspection.live.findings import Key
from streamproc.inspection.nouns import Floats, Pixels, Score
from streamproc.runtime.slots import Slots
from streamproc.secrets import redact
from streamproc.types import Explained

log = structlog.get_logger(__name__)

MOST_WAITING = 32
"""Defects of the whole site; a crop of each is kept meanwhile."""
MOST_OVER = 3
"""Of things that are as they should be again, so many are remembered a camera: people read them in one message."""
AGAIN_S = 3.0
"""Before a request that failed is made once more: a server that is down is asked whether it is back after 2.5 s."""
_WAIT_S = 0.5


_Over = dict[Key, Explained]
"""Of an incident's things that are as they should be again, the latest last."""


@dataclass(slots=True, eq=False)
class _Asked:
    """One defect that is asked about."""

    key: Key
    said: Explained | None = None
    over: _Over | None = None
    """Where the answer goes once the defect is over: to its own incident, which may have been resolved before."""


class Explaining:
    """Asks about each defect, once more where that may help. All but ``work`` may be called from any thread."""

    def __init__(self, explainer: Explainer, end: Callable[[], None], again_s: float = AGAIN_S) -> None:
        """``end`` ends a request that is under way."""
        self._explainer, self._end, self._again_s = explainer, end, again_s
        self._waiting: Slots[tuple[_Asked, Found]] = Slots(MOST_WAITING)
        self._asked: dict[Key, _Asked] = {}
        self._over: dict[str, _Over] = {}  # by camera, of the incident that goes on
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def ask(self, key: Key, thing: str, crop: Pixels, score: float, heat: Floats) -> None:
        """As ``Words`` says; where too many wait it is not asked about, and that is what is told."""
        with self._lock:
            asked = self._asked[key] = _Asked(key)
            if len(self._waiting) >= MOST_WAITING:
                asked.said = Explained("", missing=f"no explanation: {MOST_WAITING} other defects wait for one")
                return
            try:
                self._waiting.put(key[0], key, (asked, Found(crop, Score(score, heat, "both"), f"a {thing}")))
            except ChannelClosed:
                del self._asked[key]  # the site stops

    def told(self, key: Key) -> Explained | None:
        """As ``Words`` says."""
        with self._lock:
            asked = self._asked.get(key)
            return asked.said if asked is not None else None

    def forget(self, key: Key) -> None:
        """As ``Words`` says; one that waits is not asked about any more."""
        with self._lock:
            if (asked := self._asked.pop(key, None)) is not None:
                asked.over = self._over.setdefault(key[0], {})
                if asked.said is not None:
                    _remember(asked.over, key, asked.said)

    def take(self, camera_id: str) -> tuple[Explained, ...]:
        """What there is to say of a camera's defects where its incident begins or ends, of those that are over too.

        Those are then no incident's any more: neither they nor their late answers are told again.
        """
        with self._lock:
            still = {key: one.said for key, one in self._asked.items() if key[0] == camera_id and one.said is not None}
            return tuple((self._over.pop(camera_id, {}) | still).values())

    def work(self) -> None:
        """Ask for what waits until ``close``."""
        while True:
            with self._waiting.take(_WAIT_S) as item:
                if item is not None and self._wanted(item[0]):
                    self._tell(item[0], self._explained(*item))

    def close(self) -> None:
        """Ask nothing more, and wait for no answer."""
        self._closing.set()
        self._waiting.close()
        self._end()

    def _wanted(self, asked: _Asked) -> bool:
        with self._lock:
            return asked.over is None

    def _tell(self, asked: _Asked, told: Explained) -> None:
        with self._lock:
            asked.said = told
            if asked.over is not None:
                _remember(asked.over, asked.key, told)

    def _explained(self, asked: _Asked, found: Found) -> Explained:
        def missing(error: BaseException | None) -> Explained:
            why = redact(str(error))
            log.warning("defect_not_explained", camera=asked.key[0], thing=asked.key[1], error=why)
            return Explained("", missing=f"no explanation: {why}")

        def meanwhile(state: RetryCallState) -> None:
            self._tell(asked, missing(state.outcome.exception() if state.outcome else None))

        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, ModelError) and error.retriable),
            stop=stop_after_attempt(2),
            wait=wait_fixed(self._again_s),
            sleep=sleep_using_event(self._closing),
            before_sleep=meanwhile,
            reraise=True,
        )
        try:
            return in_words(retrying(self._explainer.explain, found), found.thing)
        except ModelError as error:
            return missing(error)


def _remember(over: _Over, key: Key, told: Explained) -> None:
    over.pop(key, None)
    over[key] = told
    if len(over) > MOST_OVER:
        del over[next(iter(over))]


def in_words(said: Explanation, thing: str) -> Explained:
    """``The model NAME, shown a valve: "…" Why: "…" To prevent it: "…"``"""
    parts = (("", said.what), ("Why: ", said.why), ("To prevent it: ", said.prevention))
    words = " ".join(f'{name}"{text}"' for name, text in parts if text) if said.there else "nothing is wrong with it."
    words = words or "something is wrong with it."
    return Explained(f"The model {said.model.name}, shown {thing}: {words}", said.model)
