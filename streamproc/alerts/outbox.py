"""The disk outbox between the decision and the sinks.

An alert is decided when ``decide`` has returned: its message, its place in every sink's queue and the state of its
incident are one transaction in SQLite (WAL, ``synchronous=FULL``). Messages stay as a journal until ``purge``.

What comes after is written without waiting for the disk. After the process died it is there; after a power cut it may
be as if it had not been: a message is delivered twice, or again without its evidence.

A message may be held for a few seconds until ``complete`` replaces its body by one that names its evidence. What it was
stored with is true without: whatever happens to the process or the evidence, that body goes out.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamproc.alerts.claim import Claim
from streamproc.alerts.holds import Holds
from streamproc.alerts.sinks import Outgoing
from streamproc.errors import SinkError
from streamproc.runtime.clock import Clock, SystemClock

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    decided_at TEXT NOT NULL
) STRICT;
CREATE TABLE deliveries (
    sink TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'refused')),
    changed_at TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_message ON deliveries (seq);
CREATE INDEX deliveries_pending ON deliveries (sink, seq) WHERE state = 'pending';
CREATE TABLE incidents (key TEXT PRIMARY KEY, camera TEXT NOT NULL, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A message that was decided."""

    id: str
    key: str
    decided_at: datetime
    states: Mapping[str, str]
    """``pending``, ``delivered`` or ``refused``, by sink."""


class Outbox:
    """One SQLite file. All methods may be called from any thread and raise ``SinkError`` when the file fails."""

    def __init__(self, path: Path, sinks: Sequence[str], clock: Clock | None = None, *, wait_s: float = 5.0) -> None:
        """Open or create ``path``; what is decided waits for each of ``sinks``.

        ``wait_s`` is how long to wait for another program that reads or copies the file.

        Raises:
            SinkError: another process has the outbox, or the file is damaged, is no outbox, was written by a newer
                version, or cannot be opened.
        """
        self._path, self._sinks = path, tuple(sinks)
        self._clock = clock or SystemClock()
        self._holds = Holds(self._clock)
        self._lock = threading.Lock()
        self._claim = Claim(path)
        try:
            with self._translated():
                self._db = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
                try:
                    self._prepare()
                except BaseException:
                    self._db.close()
                    raise
        except BaseException:
            self._claim.end()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise SinkError(f"outbox {self._path} is damaged ({verdict}); move it away and start again")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._migrate(self._db.execute("PRAGMA user_version").fetchone()[0])
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def _migrate(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise SinkError(f"outbox {self._path} was written by a newer streamproc (form {version}, not 1)")
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def decide(
        self,
        messages: Iterable[Outgoing],
        incidents: Mapping[tuple[str, str], str | None] | None = None,
        hold_s: Mapping[str, float] | None = None,
    ) -> tuple[str, ...]:
        """Store messages and the state of their incidents, all or nothing; when it returns they are decided.

        ``incidents`` maps (camera, kind) to the incident's state, or to None where it is over. A message whose id is
        in the journal already is left as it was. Returns the ids that are new. ``hold_s`` says which of them wait for
        ``complete`` before they are delivered, and at most how many seconds; later messages of their key wait behind.
        """
        now = _text(self._clock.now())
        new: dict[str, tuple[str, int]] = {}
        with self._transaction() as db:
            for message in messages:
                row = db.execute(
                    "INSERT INTO messages (id, key, body, decided_at) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (id) DO NOTHING RETURNING seq",
                    (message.id, message.key, message.body, now),
                ).fetchone()
                if row is None:
                    continue
                new[message.id] = (message.key, row[0])
                db.executemany(
                    "INSERT INTO deliveries (sink, seq, state, changed_at) VALUES (?, ?, 'pending', ?)",
                    [(sink, row[0], now) for sink in self._sinks],
                )
            for (camera, kind), state in (incidents or {}).items():
                db.execute("DELETE FROM incidents WHERE key = ?", (f"{camera}/{kind}",))
                if state is not None:
                    db.execute("INSERT INTO incidents VALUES (?, ?, ?)", (f"{camera}/{kind}", camera, state))
            # Before the commit, so that no delivery takes it in between; one that outlives a failed commit only ends.
            for message_id, seconds in (hold_s or {}).items():
                if message_id in new:
                    self._holds.add(message_id, *new[message_id], seconds)
        return tuple(new)

    def complete(self, message_id: str, body: bytes) -> bool:
        """Replace a held message's body and let it go; False, and nothing is changed, if it is held no longer."""
        with self._transaction(waits=False) as db:
            if message_id not in self._holds:
                return False
            db.execute("UPDATE messages SET body = ? WHERE id = ?", (body, message_id))
        with self._lock:
            self._holds.end(message_id)
        return True

    def holds(self, message_id: str) -> bool:
        """Whether a message still waits for ``complete``."""
        with self._lock:
            return message_id in self._holds

    def let_go(self) -> None:
        """Hold nothing any longer; what was held goes out as it was stored."""
        with self._lock:
            self._holds.clear()

    def body(self, message_id: str) -> bytes | None:
        """A message's body as it stands in the journal; None if it is not there."""
        rows = self._rows("SELECT body FROM messages WHERE id = ?", (message_id,))
        return rows[0][0] if rows else None

    def cameras(self) -> tuple[str, ...]:
        """The cameras that have incidents which are not over."""
        return tuple(row[0] for row in self._rows("SELECT DISTINCT camera FROM incidents ORDER BY camera", ()))

    def incidents(self, camera: str) -> tuple[str, ...]:
        """The states of the camera's incidents that are not over, as they were stored."""
        rows = self._rows("SELECT state FROM incidents WHERE camera = ? ORDER BY key", (camera,))
        return tuple(row[0] for row in rows)

    def pending(self, sink: str, limit: int = 100) -> tuple[Outgoing, ...]:
        """What waits for ``sink`` and is not held, in the order in which it was decided."""
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT id, key, body FROM deliveries JOIN messages USING (seq) "
                "WHERE sink = ? AND state = 'pending' AND NOT EXISTS ("
                "SELECT 1 FROM json_each(?) AS held WHERE held.key = messages.key AND held.value <= seq) "
                "ORDER BY seq LIMIT ?",
                (sink, json.dumps(self._holds.first()), limit),
            ).fetchall()
        return tuple(Outgoing(id=row[0], key=row[1], body=row[2]) for row in rows)

    def backlog(self, sink: str) -> tuple[int, datetime | None]:
        """How many messages wait for ``sink``, and when the oldest of them was decided (UTC)."""
        rows = self._rows(
            "SELECT count(*), min(decided_at) FROM deliveries JOIN messages USING (seq) "
            "WHERE sink = ? AND state = 'pending'",
            (sink,),
        )
        count, oldest = rows[0]
        return count, datetime.fromisoformat(oldest) if oldest else None

    def delivered(self, sink: str, ids: Iterable[str]) -> None:
        """Note that ``sink`` stored these messages."""
        self._mark(sink, "delivered", ((one, "") for one in ids))

    def refused(self, sink: str, reasons: Mapping[str, str]) -> None:
        """Note that ``sink`` will never take these messages; they no longer wait, and the journal keeps the reason."""
        self._mark(sink, "refused", reasons.items())

    def _mark(self, sink: str, state: str, ids: Iterable[tuple[str, str]]) -> None:
        now = _text(self._clock.now())
        with self._transaction(waits=False) as db:
            db.executemany(
                "UPDATE deliveries SET state = ?, changed_at = ?, reason = ? WHERE sink = ? AND state = 'pending' "
                "AND seq = (SELECT seq FROM messages WHERE id = ?)",
                [(state, now, reason, sink, one) for one, reason in ids],
            )

    def journal(self) -> Iterator[JournalEntry]:
        """Every message decided and not yet purged, oldest first."""
        rows = self._rows(
            "SELECT id, key, decided_at, coalesce(group_concat(sink || '=' || state, '|'), '') "
            "FROM messages LEFT JOIN deliveries USING (seq) GROUP BY seq ORDER BY seq",
            (),
        )
        for row in rows:
            states = dict(part.split("=", 1) for part in row[3].split("|") if part)
            yield JournalEntry(row[0], row[1], datetime.fromisoformat(row[2]), states)

    def purge(self, decided_before: datetime) -> int:
        """Forget messages decided before a time that wait for none of this outbox's sinks; how many."""
        with self._transaction() as db:
            return db.execute(
                "DELETE FROM messages WHERE decided_at < ? AND seq NOT IN (SELECT seq FROM deliveries "
                "WHERE state = 'pending' AND sink IN (SELECT value FROM json_each(?)))",
                (_text(decided_before), json.dumps(self._sinks)),
            ).rowcount

    def close(self) -> None:
        """Close the file; what waits is taken up when it is opened again."""
        with self._lock, self._translated():
            self._db.close()
        self._claim.end()

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock, self._translated():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self, *, waits: bool = True) -> Iterator[sqlite3.Connection]:
        """``waits``: until it is on the disk, with all that was written before it."""
        with self._lock, self._translated():
            self._db.execute(f"PRAGMA synchronous = {'FULL' if waits else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SinkError(f"outbox {self._path}: {_in_words(error)}") from error


def _in_words(error: sqlite3.Error) -> str:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    remedies = {
        sqlite3.SQLITE_BUSY: "another program holds it; let it end",
        sqlite3.SQLITE_LOCKED: "another program holds it; let it end",
        sqlite3.SQLITE_FULL: "the disk is full; the alert was not decided",
        sqlite3.SQLITE_NOTADB: "it is not an outbox; move the file away or name another",
        sqlite3.SQLITE_CORRUPT: "it is damaged; move it away and start again",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened; is the folder there and writable?",
        sqlite3.SQLITE_READONLY: "it is read-only",
        sqlite3.SQLITE_IOERR: "the disk failed",
    }
    return f"{remedies[code]} ({error})" if code in remedies else str(error)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
