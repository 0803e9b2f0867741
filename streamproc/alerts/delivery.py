"""One thread a sink that takes what waits in the outbox, sends it and marks it, for ever."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential

from streamproc.alerts.health import Health, part_health
from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing, Receipt, Sink
from streamproc.errors import DeliveryError
from streamproc.runtime.clock import Clock, SystemClock
from streamproc.secrets import redact

log = structlog.get_logger(__name__)


class DeliveryMetrics(Protocol):
    """What is counted; ``observability.metrics.Metrics`` is one."""

    def alert_delivered(self, sink: str, count: int = 1) -> None: ...

    def alerts_pending(self, sink: str, count: int, oldest_s: float = 0.0) -> None: ...

    def delivery_failed(self, sink: str) -> None: ...

    def dead_lettered(self, sink: str) -> None: ...

    def health_dropped(self, sink: str) -> None: ...

    def latency(self, stage: Literal["capture_to_topic"], seconds: float) -> None: ...


class Delivery:
    """Brings the outbox's messages to one sink, in order, at least once."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        outbox: Outbox,
        *,
        site: str,
        metrics: DeliveryMetrics | None = None,
        on_health: Callable[[Health], None] | None = None,
        clock: Clock | None = None,
        batch: int = 100,
        poll_s: float = 1.0,
        longest_wait_s: float = 15.0,
        health_size: int = 200,
    ) -> None:
        """``name`` is the sink's in the outbox; ``on_health`` is told when the sink goes away and comes back.

        ``poll_s`` is how long it may take until something decided by another process is noticed.
        """
        self.name = name
        self._sink, self._outbox, self._site, self._metrics = sink, outbox, site, metrics
        self._on_health = on_health or self.health
        self._clock = clock or SystemClock()
        self._batch, self._poll_s = batch, poll_s
        self._wait = wait_random_exponential(multiplier=0.3, min=0.1, max=longest_wait_s)
        self._health: deque[Outgoing] = deque(maxlen=health_size)
        self._health_lock = threading.Lock()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._round = threading.Condition()
        self._failing = False
        self._thread: threading.Thread | None = None

    # ---- for the pipeline

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failing

    @property
    def dead(self) -> bool:
        """Whether the thread ended and was not told to."""
        return self._thread is not None and not self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self.run, name=f"delivery-{self.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something was decided."""
        self._wake.set()

    def health(self, message: Health) -> None:
        """Send a health message when the sink can be reached; best effort, the newest are kept."""
        out = Outgoing(message.id, message.subject, message.model_dump_json().encode(), "health")
        with self._health_lock:
            full = len(self._health) == self._health.maxlen
            self._health.append(out)
        if full and self._metrics is not None:
            self._metrics.health_dropped(self.name)
        self._wake.set()

    def drain(self, timeout_s: float) -> int:
        """Wait, at most ``timeout_s``, until nothing waits for the sink; how many messages still do."""
        deadline_s = self._clock.monotonic() + timeout_s
        self._wake.set()
        with self._round:
            while (left := self._outbox.backlog(self.name)[0] + len(self._health)) > 0:
                remaining_s = deadline_s - self._clock.monotonic()
                if remaining_s <= 0:
                    break
                self._round.wait(min(remaining_s, 0.2))
        return left

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the thread and close the sink; False if the thread did not end in time.

        A thread that waits for an answer has half the time for it; then closing the sink ends the wait.
        """
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s / 2)
            if self._thread.is_alive():
                self._sink.close()
                self._thread.join(timeout_s / 2)
            if self._thread.is_alive():
                return False
        self._sink.close()
        return True

    # ---- the thread

    def run(self) -> None:
        """Deliver until ``stop``."""
        while not self._stop.is_set():
            self._wake.clear()
            try:
                more = self._retrying()(self.run_once)
            except Exception:  # raised only when told to stop in the midst of failures, which were all logged
                return
            if not more:
                self._clock.wait(self._wake, self._poll_s)

    def run_once(self) -> bool:
        """Send one batch and the health messages; whether more alerts wait.

        Raises:
            DeliveryError: the sink could not be reached; nothing is lost.
            SinkError: the outbox failed.
        """
        messages = self._outbox.pending(self.name, self._batch)
        handled = 0
        if messages:
            receipt = self._sink.send(messages)
            handled = len(receipt.acknowledged) + len(receipt.refused)
            if handled == 0:
                raise DeliveryError(f"sink {self.name} took none of {len(messages)} messages")
            if receipt.refused:
                self._outbox.refused(self.name, receipt.refused)
            self._outbox.delivered(self.name, receipt.acknowledged)
            if self._metrics is not None:
                self._count(self._metrics, messages, receipt)
        told = self._try_health()
        backlog = self._report()
        if self._failing:
            self._failing = False
            log.info("delivery_restored", sink=self.name, pending=backlog)
            self._say(available=True, detail="", pending=backlog)
        with self._round:
            self._round.notify_all()
        # What still waits after an empty batch is held for its evidence; the end of that wakes us.
        return (bool(messages) and backlog > 0) or (told and bool(self._health))

    def _try_health(self) -> bool:
        """Whether health messages could be sent; they are best effort, and never hold alerts back."""
        try:
            self._send_health()
        except DeliveryError as error:
            log.warning("health_not_sent", sink=self.name, waiting=len(self._health), error=redact(str(error)))
            return False
        return True

    def _count(self, metrics: DeliveryMetrics, messages: Sequence[Outgoing], receipt: Receipt) -> None:
        metrics.alert_delivered(self.name, len(receipt.acknowledged))
        for _ in receipt.refused:
            metrics.dead_lettered(self.name)
        stored, now = set(receipt.acknowledged), self._clock.now()
        for message in messages:
            captured_at = _captured_at(message) if message.id in stored else None
            if captured_at is not None:
                metrics.latency("capture_to_topic", (now - captured_at).total_seconds())

    def _send_health(self) -> None:
        with self._health_lock:
            waiting = tuple(self._health)
        if not waiting:
            return
        receipt = self._sink.send(waiting)
        done = {*receipt.acknowledged, *receipt.refused}
        with self._health_lock:
            left = [message for message in self._health if message.id not in done]
            self._health.clear()
            self._health.extend(left)

    def _report(self) -> int:
        count, oldest = self._outbox.backlog(self.name)
        if self._metrics is not None:
            age_s = (self._clock.now() - oldest).total_seconds() if oldest else 0.0
            self._metrics.alerts_pending(self.name, count, max(0.0, age_s))
        return count

    def _retrying(self) -> Retrying:
        # Any error is tried again: a fault in a sink must not end the delivery of what was decided.
        return Retrying(
            wait=self._wait,
            sleep=self._sleep,
            stop=stop_when_event_set(self._stop),
            retry=retry_if_exception_type(Exception),
            before_sleep=self._failed,
            reraise=True,
        )

    def _sleep(self, seconds: float) -> None:
        self._clock.wait(self._stop, seconds)

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        said = redact(str(error) or type(error).__name__)
        first, self._failing = not self._failing, True
        if self._metrics is not None:
            self._metrics.delivery_failed(self.name)
        try:
            pending = self._report()
        except Exception as unreadable:
            log.error("outbox_unreadable", sink=self.name, error=redact(str(unreadable)))
            pending = 0
        wait_s = state.next_action.sleep if state.next_action else 0.0
        log.warning("delivery_failed", sink=self.name, error=said, again_in_s=round(wait_s, 1), pending=pending)
        if first:
            self._say(available=False, detail=said, pending=pending)

    def _say(self, *, available: bool, detail: str, pending: int) -> None:
        at: datetime = self._clock.now()
        self._on_health(
            part_health(self._site, "outbox", self.name, available=available, at=at, detail=detail, pending=pending)
        )


def _captured_at(message: Outgoing) -> datetime | None:
    """When what the message tells of was captured: its CloudEvent's time."""
    try:
        captured_at = datetime.fromisoformat(json.loads(message.body)["time"])
    except (ValueError, KeyError, TypeError):
        return None
    return captured_at if captured_at.tzinfo is not None else None
