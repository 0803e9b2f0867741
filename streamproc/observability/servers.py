"""What clients know of their model servers, as series that are read when a page is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamproc.types import ServerReading


@dataclass(frozen=True, slots=True)
class _Series:
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily]
    name: str
    says: str
    value: Callable[[ServerReading], float | None]
    """None where it is not known: no sample then."""


_SERIES = (
    _Series(GaugeMetricFamily, "replica_up", "Whether a server answers: 1 or 0.", lambda one: float(one.up)),
    _Series(GaugeMetricFamily, "in_flight", "Calls given to a server and not over.", lambda one: one.in_flight),
    _Series(CounterMetricFamily, "requests_answered", "Requests that a server answered.", lambda one: one.answered),
    _Series(CounterMetricFamily, "requests_failed", "Requests not answered, or not in time.", lambda one: one.failed),
    _Series(
        CounterMetricFamily, "prompt_tokens", "Tokens of prompts, as the server counts.", lambda one: one.prompt_tokens
    ),
    _Series(
        CounterMetricFamily, "prompt_tokens_cached", "Of these, from its prefix cache.", lambda one: one.cached_tokens
    ),
    # Over all who ask the server, as it told some seconds ago; vLLM does.
    _Series(
        CounterMetricFamily,
        "server_prefix_queries",
        "Tokens of prompts looked for in its prefix cache, as the server tells.",
        lambda one: one.gauges.prefix_queries if one.gauges else None,
    ),
    _Series(
        CounterMetricFamily,
        "server_prefix_hits",
        "Tokens of prompts that its prefix cache held, as the server tells.",
        lambda one: one.gauges.prefix_hits if one.gauges else None,
    ),
    _Series(
        CounterMetricFamily,
        "server_queue_seconds",
        "Seconds that requests waited in the server, as it tells.",
        lambda one: one.gauges.queue_s if one.gauges else None,
    ),
    _Series(
        CounterMetricFamily,
        "server_queued",
        "Requests whose wait is in server_queue_seconds.",
        lambda one: one.gauges.queued if one.gauges else None,
    ),
    _Series(
        GaugeMetricFamily,
        "server_waiting",
        "Requests that wait in the server, as it tells.",
        lambda one: one.gauges.waiting if one.gauges else None,
    ),
    _Series(
        GaugeMetricFamily,
        "server_running",
        "Requests that the server works on, as it tells.",
        lambda one: one.gauges.running if one.gauges else None,
    ),
)


class ServerCollector(Collector):
    """The series of every server; ``server`` is its address as the settings have it, without credentials."""

    def __init__(self) -> None:
        self._read: dict[str, Callable[[], Sequence[ServerReading]]] = {}

    def add(self, role: str, read: Callable[[], Sequence[ServerReading]]) -> None:
        """Ask ``read`` at each page; it must not wait for anything."""
        self._read[role] = read

    def describe(self) -> list[Metric]:
        """Nothing: the series come with the servers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All series as of now."""
        found = [(role, one) for role, read in self._read.items() for one in read()]
        for series in _SERIES:
            family = series.kind(f"streamproc_model_{series.name}", series.says, labels=("role", "server"))
            for role, one in found:
                if (value := series.value(one)) is not None:
                    family.add_metric([role, one.server], value)
            yield family
