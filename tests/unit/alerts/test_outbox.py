"""The outbox: one transaction, order, repeats, restarts, files that fail."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamproc.alerts.outbox import Outbox
from streamproc.alerts.sinks import Outgoing
from streamproc.errors import SinkError
from streamproc.testing import FakeClock


def message(number: int, key: str = "gate") -> Outgoing:
    return Outgoing(f"{key}-{number}", key, f'{{"n":{number}}}'.encode())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "outbox.sqlite3"


def test_what_was_decided_waits_for_every_sink_in_order(path: Path) -> None:
    outbox = Outbox(path, ("kafka", "jsonl"))
    assert outbox.decide([message(1), message(2)]) == ("gate-1", "gate-2")
    outbox.decide([message(3)])
    outbox.delivered("kafka", ["gate-1", "gate-2"])
    assert [m.id for m in outbox.pending("kafka")] == ["gate-3"]
    assert [m.id for m in outbox.pending("jsonl", limit=2)] == ["gate-1", "gate-2"]
    assert outbox.pending("jsonl")[0] == message(1)
    outbox.close()


def test_it_is_as_durable_as_sqlite_can_be(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    assert outbox._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert outbox._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    outbox.close()


def test_what_decides_waits_for_the_disk_and_what_comes_after_does_not(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    said, waits = list[str](), list[bool]()
    outbox._db.set_trace_callback(said.append)

    def note() -> None:
        (pragma,) = [one for one in said if one.startswith("PRAGMA")]
        waits.append(pragma.endswith("FULL") and said.index(pragma) < said.index("BEGIN IMMEDIATE"))
        said.clear()

    outbox.decide([message(1)], hold_s={"gate-1": 5.0})
    note()
    assert outbox.complete("gate-1", b"{}")
    note()
    outbox.delivered("kafka", ["gate-1"])
    note()
    outbox.decide([message(2)])
    note()
    assert waits == [True, False, False, True]
    outbox.close()


def test_everything_is_there_after_reopening(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    outbox.decide([message(1), message(2)], {("gate", "behaviour"): "open", ("door", "behaviour"): "other"})
    outbox.delivered("kafka", ["gate-1"])
    outbox.close()
    again = Outbox(path, ("kafka",))
    assert [m.id for m in again.pending("kafka")] == ["gate-2"]
    assert again.incidents("gate") == ("open",)
    assert [(entry.id, entry.states) for entry in again.journal()] == [
        ("gate-1", {"kafka": "delivered"}),
        ("gate-2", {"kafka": "pending"}),
    ]
    again.close()


def test_a_repeat_is_ignored_even_after_delivery(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    outbox.decide([message(1)])
    outbox.delivered("kafka", ["gate-1"])
    assert outbox.decide([message(1), message(2)]) == ("gate-2",)
    assert [m.id for m in outbox.pending("kafka")] == ["gate-2"]
    outbox.close()


def test_messages_and_incidents_are_stored_together_or_not_at_all(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    broken = Outgoing("gate-2", "gate", None)  # type: ignore[arg-type]
    with pytest.raises(SinkError):
        outbox.decide([message(1), broken], {("gate", "behaviour"): "open"})
    assert outbox.pending("kafka") == ()
    assert outbox.incidents("gate") == ()
    assert outbox.decide([message(1)]) == ("gate-1",)
    outbox.close()


def test_an_incident_that_is_over_is_gone(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    outbox.decide([], {("gate", "behaviour"): "one"})
    outbox.decide([], {("gate", "behaviour"): "two"})
    assert outbox.incidents("gate") == ("two",)
    outbox.decide([], {("gate", "behaviour"): None})
    assert outbox.incidents("gate") == ()
    outbox.close()


def test_a_refused_message_no_longer_waits(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    outbox.decide([message(1), message(2)])
    outbox.refused("kafka", {"gate-1": "too large"})
    assert [m.id for m in outbox.pending("kafka")] == ["gate-2"]
    assert [entry.states["kafka"] for entry in outbox.journal()] == ["refused", "pending"]
    outbox.close()


def test_a_sink_that_is_added_later_gets_what_is_decided_from_then_on(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    outbox.decide([message(1)])
    outbox.close()
    more = Outbox(path, ("kafka", "jsonl"))
    more.decide([message(2)])
    assert [m.id for m in more.pending("jsonl")] == ["gate-2"]
    assert [m.id for m in more.pending("kafka")] == ["gate-1", "gate-2"]
    more.close()


def test_the_backlog_tells_how_much_waits_and_since_when(path: Path) -> None:
    clock = FakeClock()
    outbox = Outbox(path, ("kafka",), clock)
    assert outbox.backlog("kafka") == (0, None)
    first = clock.now()
    outbox.decide([message(1)])
    clock.advance(5)
    outbox.decide([message(2)])
    assert outbox.backlog("kafka") == (2, first)
    outbox.close()


def test_a_held_message_keeps_those_of_its_key_waiting_and_no_others(path: Path) -> None:
    outbox = Outbox(path, ("kafka",), FakeClock())
    outbox.decide([message(1)])
    outbox.decide([message(2)], hold_s={"gate-2": 5.0})
    outbox.decide([message(3), message(4, "door")])
    assert [m.id for m in outbox.pending("kafka")] == ["gate-1", "door-4"]
    assert outbox.backlog("kafka")[0] == 4
    assert outbox.complete("gate-2", b"whole")
    assert [(m.id, m.body) for m in outbox.pending("kafka")][1:3] == [("gate-2", b"whole"), ("gate-3", b'{"n":3}')]
    assert not outbox.complete("gate-2", b"again")
    assert outbox.body("gate-2") == b"whole"
    assert outbox.body("gate-9") is None
    outbox.close()


def test_what_is_held_is_let_go_after_its_time_or_when_told(path: Path) -> None:
    clock = FakeClock()
    outbox = Outbox(path, ("kafka",), clock)
    outbox.decide([message(1)], hold_s={"gate-1": 5.0})
    outbox.decide([message(2)], hold_s={"gate-2": 20.0})
    assert outbox.pending("kafka") == ()
    clock.advance(5.0)
    assert [m.id for m in outbox.pending("kafka")] == ["gate-1"]
    assert (outbox.holds("gate-1"), outbox.holds("gate-2")) == (False, True)
    assert not outbox.complete("gate-1", b"too late")
    outbox.let_go()
    assert [m.body for m in outbox.pending("kafka")] == [b'{"n":1}', b'{"n":2}']
    outbox.close()


def test_a_repeat_holds_nothing(path: Path) -> None:
    outbox = Outbox(path, ("kafka",), FakeClock())
    outbox.decide([message(1)])
    outbox.decide([message(1)], hold_s={"gate-1": 5.0})
    assert [m.id for m in outbox.pending("kafka")] == ["gate-1"]
    outbox.close()


def test_purge_forgets_the_old_but_never_what_waits(path: Path) -> None:
    clock = FakeClock()
    outbox = Outbox(path, ("kafka",), clock)
    outbox.decide([message(1), message(2)])
    outbox.delivered("kafka", ["gate-1"])
    clock.advance(86_400)
    outbox.decide([message(3)])
    outbox.delivered("kafka", ["gate-3"])
    assert outbox.purge(clock.now() - timedelta(hours=1)) == 1
    assert [entry.id for entry in outbox.journal()] == ["gate-2", "gate-3"]
    outbox.close()


def test_what_waits_for_a_sink_that_is_no_longer_configured_is_purged(path: Path) -> None:
    clock = FakeClock()
    old = Outbox(path, ("jsonl",), clock)
    old.decide([message(1)])
    old.close()
    outbox = Outbox(path, ("kafka",), clock)
    assert outbox.purge(clock.now() + timedelta(seconds=1)) == 1
    outbox.close()


@pytest.mark.parametrize("content", [b"this is no database, whatever its name says" * 50, b"SQLite format 3\x00" * 300])
def test_a_damaged_file_is_named(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SinkError, match=r"outbox\.sqlite3") as caught:
        Outbox(path, ("kafka",))
    assert "move" in str(caught.value)


def test_a_torn_page_is_found_when_opening(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    outbox.decide([Outgoing(f"gate-{n}", "gate", b"x" * 2000) for n in range(50)])
    outbox.close()
    content = bytearray(path.read_bytes())
    content[8192:40960] = bytes(32768)
    path.write_bytes(content)
    with pytest.raises(SinkError, match="damaged"):
        Outbox(path, ("kafka",))


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    Outbox(path, ("kafka",)).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(SinkError, match="newer streamproc"):
        Outbox(path, ("kafka",))


def test_a_file_that_another_process_holds_is_an_error_not_a_hang(path: Path) -> None:
    outbox = Outbox(path, ("kafka",), wait_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SinkError, match="another program"):
        outbox.decide([message(1)])
    other.execute("ROLLBACK")
    other.close()
    assert outbox.decide([message(1)]) == ("gate-1",)
    outbox.close()


def test_a_full_disk_is_said_and_changes_nothing(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(SinkError, match="disk is full"):
        outbox.decide([Outgoing("gate-1", "gate", b"x" * 100_000)])
    assert outbox.pending("kafka") == ()
    outbox.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="folder"):
        Outbox(tmp_path / "file" / "outbox.sqlite3", ("kafka",))


def test_a_second_process_on_the_same_outbox_is_refused_in_one_line(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))
    with pytest.raises(SinkError) as caught:
        Outbox(path, ("kafka",))
    assert str(path) in str(caught.value)
    assert "another `streamproc run`" in str(caught.value)
    assert "\n" not in str(caught.value)
    outbox.decide([message(1)])
    outbox.close()
    Outbox(path, ("kafka",)).close()


def test_a_process_that_was_killed_keeps_nobody_out(path: Path) -> None:
    script = (
        "import pathlib, sys; from streamproc.alerts.outbox import Outbox; "
        "o = Outbox(pathlib.Path(sys.argv[1]), ('kafka',)); print('open', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(SinkError, match="in use"):
            Outbox(path, ("kafka",))
        other.kill()
        other.wait(10)
        Outbox(path, ("kafka",)).close()


def test_a_file_that_does_not_open_is_left_to_others(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, whatever its name says" * 50)
    for _ in range(2):
        with pytest.raises(SinkError, match="move"):
            Outbox(path, ("kafka",))
    path.with_name(path.name + ".lock").unlink()
    path.with_name(path.name + ".lock").mkdir()
    with pytest.raises(SinkError, match=r"outbox\.sqlite3\.lock cannot be opened"):
        Outbox(path, ("kafka",))


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "new" / "var" / "outbox.sqlite3", ("kafka",))
    outbox.decide([message(1)])
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "new" / "var").iterdir()}
    assert modes == {f"outbox.sqlite3{end}": 0o600 for end in ("", "-wal", "-shm", ".lock")}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "var").stat().st_mode) == 0o700
    outbox.close()


def test_threads_may_decide_at_once(path: Path) -> None:
    outbox = Outbox(path, ("kafka",))

    def decide(key: str) -> None:
        for number in range(10):
            outbox.decide([message(number, key)])

    threads = [threading.Thread(target=decide, args=(key,)) for key in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ids = [m.id for m in outbox.pending("kafka")]
    assert len(ids) == 30
    assert [one for one in ids if one.startswith("b")] == [f"b-{n}" for n in range(10)]
    outbox.close()


class OutboxMachine(RuleBasedStateMachine):
    """Any sequence of decisions, deliveries, refusals and crashes: nothing decided is lost, and order is kept."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.sqlite3"
        self.outbox = Outbox(self.path, ("kafka",))
        self.decided: list[str] = []
        self.done: list[str] = []

    @rule(keys=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3))
    def decide(self, keys: list[str]) -> None:
        batch: list[Outgoing] = []
        for key in keys:
            batch.append(Outgoing(f"{key}-{len(self.decided) + len(batch)}", key, b"{}"))
        self.outbox.decide(batch, {("a", "behaviour"): str(len(self.decided))})
        self.decided += [m.id for m in batch]

    @precondition(lambda self: self.decided)
    @rule(data=st.data())
    def decide_again(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.decided))
        assert self.outbox.decide([Outgoing(one, one[0], b"{}")]) == ()

    @rule(limit=st.integers(1, 4), taken=st.integers(0, 4))
    def deliver(self, limit: int, taken: int) -> None:
        batch = self.outbox.pending("kafka", limit)
        ids = [m.id for m in batch[:taken]]
        self.outbox.delivered("kafka", ids)
        self.done += ids

    @precondition(lambda self: self.outbox.pending("kafka", 1))
    @rule()
    def refuse(self) -> None:
        one = self.outbox.pending("kafka", 1)[0]
        self.outbox.refused("kafka", {one.id: "no"})
        self.done.append(one.id)

    @rule(in_the_midst=st.booleans())
    def crash(self, in_the_midst: bool) -> None:
        if in_the_midst:  # a transaction that never returned was not decided
            self.outbox._db.execute("BEGIN IMMEDIATE")
            self.outbox._db.execute("INSERT INTO messages (id, key, body, decided_at) VALUES ('lost', 'a', x'00', '')")
        self.outbox._db.close()
        self.outbox._claim.end()
        self.outbox = Outbox(self.path, ("kafka",))

    @invariant()
    def nothing_decided_is_lost_and_order_is_kept(self) -> None:
        if not hasattr(self, "outbox"):
            return
        assert [entry.id for entry in self.outbox.journal()] == self.decided
        waiting = [m.id for m in self.outbox.pending("kafka", 1000)]
        assert self.done + waiting == self.decided

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            self.folder.cleanup()


OutboxMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestOutboxMachine = OutboxMachine.TestCase
