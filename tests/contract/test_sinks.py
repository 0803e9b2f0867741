"""What every sink keeps to, the fake ones included."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamproc.alerts.jsonl import JsonlSink
from streamproc.alerts.kafka import KafkaSink
from streamproc.alerts.sinks import Outgoing, Sink
from streamproc.config import JsonlSinkSettings, KafkaSinkSettings
from streamproc.errors import DeliveryError
from streamproc.testing_alerts import FakeKafka, FakeSink


@dataclass
class Setup:
    sink: Sink
    stored: Callable[[], list[bytes]]
    """The bodies of the alerts that are stored, in order."""
    break_it: Callable[[], None]
    mend_it: Callable[[], None]


def fake(tmp_path: Path) -> Setup:
    sink = FakeSink()
    return Setup(
        sink,
        lambda: [m.body for m in sink.taken if m.topic == "alerts"],
        lambda: setattr(sink, "down", True),
        lambda: setattr(sink, "down", False),
    )


def kafka(tmp_path: Path) -> Setup:
    cluster = FakeKafka()
    settings = KafkaSinkSettings(kind="kafka", bootstrap_servers=("fake:9092",))
    return Setup(
        KafkaSink(settings, make_producer=cluster.producer, make_admin=cluster.admin),
        lambda: [value for _, value in cluster.topics.get("streamproc.alerts", [])],
        lambda: setattr(cluster, "down", True),
        lambda: setattr(cluster, "down", False),
    )


def jsonl(tmp_path: Path) -> Setup:
    path = tmp_path / "out" / "alerts.jsonl"

    def break_it() -> None:
        path.rename(path.with_suffix(".kept")) if path.exists() else path.parent.mkdir(parents=True)
        path.mkdir()

    def mend_it() -> None:
        path.rmdir()
        if path.with_suffix(".kept").exists():
            path.with_suffix(".kept").rename(path)

    return Setup(
        JsonlSink(JsonlSinkSettings(kind="jsonl", path=path)),
        lambda: path.read_bytes().splitlines() if path.exists() else [],
        break_it,
        mend_it,
    )


class Pipe(io.BytesIO):
    broken = False

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(data)


def stdout(tmp_path: Path) -> Setup:
    out = Pipe()
    return Setup(
        JsonlSink(JsonlSinkSettings(kind="jsonl"), out),
        lambda: out.getvalue().splitlines(),
        lambda: setattr(out, "broken", True),
        lambda: setattr(out, "broken", False),
    )


@pytest.fixture(params=[fake, kafka, jsonl, stdout], ids=lambda make: make.__name__)
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    made: Setup = request.param(tmp_path)
    return made


def alert(number: int, key: str = "gate") -> Outgoing:
    return Outgoing(f"{key}-{number}", key, f'{{"id":"{key}-{number}"}}'.encode())


def test_messages_are_stored_in_order_and_acknowledged(setup: Setup) -> None:
    batch = [alert(1), alert(1, "door"), alert(2)]
    receipt = setup.sink.send(batch)
    assert set(receipt.acknowledged) == {m.id for m in batch}
    assert receipt.refused == {}
    assert setup.stored() == [m.body for m in batch]
    setup.sink.close()


def test_a_later_send_adds(setup: Setup) -> None:
    setup.sink.send([alert(1)])
    setup.sink.send([alert(2)])
    assert setup.stored() == [alert(1).body, alert(2).body]
    setup.sink.close()


def test_an_outage_is_a_delivery_error_and_passes(setup: Setup) -> None:
    setup.sink.send([alert(1)])
    setup.break_it()
    for _ in range(2):
        with pytest.raises(DeliveryError):
            setup.sink.send([alert(2)])
    setup.mend_it()
    assert setup.sink.send([alert(2)]).acknowledged == ("gate-2",)
    assert setup.stored() == [alert(1).body, alert(2).body]
    setup.sink.close()


def test_health_is_acknowledged_and_is_no_alert(setup: Setup) -> None:
    receipt = setup.sink.send([Outgoing("h-1", "gate", b"{}", "health")])
    assert receipt.acknowledged == ("h-1",)
    assert setup.stored() == []
    setup.sink.close()


def test_it_can_be_used_again_after_closing(setup: Setup) -> None:
    setup.sink.send([alert(1)])
    setup.sink.close()
    setup.sink.close()
    assert setup.sink.send([alert(2)]).acknowledged == ("gate-2",)
    assert setup.stored() == [alert(1).body, alert(2).body]
    setup.sink.close()


def test_a_half_written_line_stays_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b'{"id":"gate-1"}\n{"id":"ga')
    JsonlSink(JsonlSinkSettings(kind="jsonl", path=path)).send([alert(2)])
    assert path.read_bytes().splitlines() == [alert(1).body, b'{"id":"ga', alert(2).body]
