"""Which of several places that serve a model is asked next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamproc.endpoints.replica import Replica


class Way:
    """One call's way over the replicas: the one with the fewest outstanding first, then each of the others once, then
    the same again. Its outcome is told to the breaker of each that it leaves,
    a failure once.

    A replica that is down is asked again when its breaker lets it be: the call that comes then is its probe.
    """

    def __init__(self, replicas: Sequence[Replica], turn: Callable[[], int]) -> None:
        """``turn`` counts calls, over all ways."""
        self._replicas, self._turn = replicas, turn
        self._tried: set[int] = set()
        self._blamed: set[int] = set()
        self._at: Replica | None = None
        self._failure: str | None = None
        self.rounds = 0
        """How often each that is not down was asked in vain."""
        self.probes = False
        """Whether the replica at hand was down, and has to show first that it is there."""

    @property
    def at(self) -> Replica | None:
        """The replica at hand."""
        return self._at

    def elsewhere(self) -> bool:
        """Whether another replica can be asked that was not yet."""
        return bool(self._open())

    def next(self) -> Replica | None:
        """The replica to ask now; None if all are down."""
        open_ = self._open()
        if not open_ and self._tried:
            self.rounds += 1
            self._tried.clear()
            open_ = self._open()
        if not open_:
            return None
        chosen = min(open_, key=lambda one: (one.outstanding, one.taken))
        if chosen is not self._at:
            self._leave()
            self.probes = chosen.breaker.admit() == "probe"
            chosen.outstanding += 1
            chosen.taken = self._turn()
            self._at = chosen
        self._tried.add(id(chosen))
        self._failure = None
        return chosen

    def failed(self, reason: str) -> None:
        """The replica at hand did not answer."""
        self._failure = reason

    def ends(self, answered: bool) -> None:
        """The call is over; ``answered`` by the replica at hand, if only with a refusal."""
        if self._at is not None and answered:
            self._at.breaker.succeeded()
            self._at.outstanding -= 1
            self._at = None
        self._leave()

    def _open(self) -> list[Replica]:
        at_hand = self._at
        return [
            one for one in self._replicas if id(one) not in self._tried and (one is at_hand or not one.breaker.refuses)
        ]

    def _leave(self) -> None:
        if self._at is None:
            return
        if self._failure is not None and id(self._at) not in self._blamed:
            self._blamed.add(id(self._at))
            self._at.breaker.failed(self._failure)
        else:
            self._at.breaker.abandoned()
        self._at.outstanding -= 1
        self._at, self._failure = None, None
