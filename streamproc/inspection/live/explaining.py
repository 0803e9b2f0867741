"""Defects in words: a model is asked on a thread of its own, one after the other, and no alert waits for it.

What it says is told by the verdicts that follow, and so by the incident's next message; what comes when a thing is as
it should be again, by the incident's resolution.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

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


class Explaining:
    """Asks about each defect, once more where that may help. All but ``work`` may be called from any thread."""

    def __init__(self, explainer: Explainer, end: Callable[[], None], again_s: float = AGAIN_S) -> None:
        """``end`` ends a request that is under way."""
        self._explainer, self._end, self._again_s = explainer, end, again_s
        self._waiting: Slots[tuple[Key, Found]] = Slots(MOST_WAITING)
        self._told: dict[Key, Explained | None] = {}
        self._over: dict[str, dict[Key, Explained]] = {}  # by camera, the latest last
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def ask(self, key: Key, thing: str, crop: Pixels, score: float, heat: Floats) -> None:
        """As ``Words`` says; where too many wait it is not asked about, and that is what is told."""
        with self._lock:
            if not any(camera_id == key[0] for camera_id, *_ in self._told):
                self._over.pop(key[0], None)  # nothing was wrong there: what was before is another incident's
            if len(self._waiting) >= MOST_WAITING:
                self._told[key] = Explained("", missing=f"no explanation: {MOST_WAITING} other defects wait for one")
                return
            self._told[key] = None
            try:
                self._waiting.put(key[0], key, (key, Found(crop, Score(score, heat, "both"), f"a {thing}")))
            except ChannelClosed:
                del self._told[key]  # the site stops

    def told(self, key: Key) -> Explained | None:
        """As ``Words`` says."""
        with self._lock:
            return self._told.get(key)

    def forget(self, key: Key) -> None:
        """As ``Words`` says; one that waits is not asked about any more."""
        with self._lock:
            if (told := self._told.pop(key, None)) is not None:
                self._remember(key, told)

    def of(self, camera_id: str) -> tuple[Explained, ...]:
        """What there is to say of a camera's defects when its incident is resolved: of those that are over too."""
        with self._lock:
            still = {key: told for key, told in self._told.items() if key[0] == camera_id and told is not None}
            return tuple((self._over.get(camera_id, {}) | still).values())

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

    def _wanted(self, key: Key) -> bool:
        with self._lock:
            return key in self._told

    def _tell(self, key: Key, told: Explained) -> None:
        with self._lock:
            if key in self._told:
                self._told[key] = told
            else:
                self._remember(key, told)

    def _remember(self, key: Key, told: Explained) -> None:
        over = self._over.setdefault(key[0], {})
        over.pop(key, None)
        over[key] = told
        if len(over) > MOST_OVER:
            del over[next(iter(over))]

    def _explained(self, key: Key, found: Found) -> Explained:
        def missing(error: BaseException | None) -> Explained:
            why = redact(str(error))
            log.warning("defect_not_explained", camera=key[0], thing=key[1], error=why)
            return Explained("", missing=f"no explanation: {why}")

        def meanwhile(state: RetryCallState) -> None:
            self._tell(key, missing(state.outcome.exception() if state.outcome else None))

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


def in_words(said: Explanation, thing: str) -> Explained:
    """``The model NAME, shown a valve: "…" Why: "…" To prevent it: "…"``"""
    parts = (("", said.what), ("Why: ", said.why), ("To prevent it: ", said.prevention))
    words = " ".join(f'{name}"{text}"' for name, text in parts if text) if said.there else "nothing is wrong with it."
    words = words or "something is wrong with it."
    return Explained(f"The model {said.model.name}, shown {thing}: {words}", said.model)
