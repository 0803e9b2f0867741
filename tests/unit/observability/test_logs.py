"""What a log line looks like, and what never stands in one."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import pytest
import structlog

from streamproc.observability import logs
from streamproc.observability.ration import Ration
from streamproc.secrets import remember
from streamproc.testing import FakeClock

MARK = 'm4rk"ed\\päss wörd'


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions, warnings.showwarning)
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], logging.raiseExceptions, warnings.showwarning = before[0], before[2], before[3]
    root.setLevel(before[1])
    logging.getLogger("streamproc").setLevel(logging.NOTSET)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


class Lines(io.StringIO):
    """Written lines, as text and as JSON."""

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


def configured(log_format: Literal["console", "json"] = "json", level: logs.Level = "info") -> Lines:
    lines = Lines()
    logs.configure(log_format, level, stream=lines)
    return lines


def test_a_line_says_when_who_what() -> None:
    lines = configured()
    structlog.get_logger("streamproc.alerts").info("alert_decided", camera_id="gate", revision=2)
    (line,) = lines.json()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "alert_decided",
        "camera_id": "gate",
        "revision": 2,
        "level": "info",
        "logger": "streamproc.alerts",
    }


def test_the_level_holds() -> None:
    lines = configured(level="warning")
    log = structlog.get_logger("streamproc.x")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines.json()] == ["loud"]


def test_libraries_are_heard_from_warning_on_even_if_they_set_their_own_level() -> None:
    lines = configured(level="debug")
    chatty = logging.getLogger("httpx")
    before = chatty.level
    chatty.setLevel(logging.DEBUG)
    try:
        chatty.info("HTTP Request: POST http://gpu/v1")
        chatty.warning("pool is %s", "full")
    finally:
        chatty.setLevel(before)
    assert [(line["event"], line["logger"], line["level"]) for line in lines.json()] == [
        ("pool is full", "httpx", "warning")
    ]


def test_inside_a_camera_block_every_line_carries_the_camera() -> None:
    lines = configured()
    with logs.camera("gate"):
        structlog.get_logger("streamproc.sources").info("opened")
        logging.getLogger("libav.rtsp").error("method DESCRIBE failed")
    structlog.get_logger("streamproc.sources").info("after")
    assert [line.get("camera_id") for line in lines.json()] == ["gate", "gate", None]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_credential_stands_nowhere(log_format: Literal["console", "json"]) -> None:
    remember(MARK)
    lines = configured(log_format)
    log = structlog.get_logger("streamproc.x")
    hidden = MARK  # a local variable that a traceback with locals would show

    class Told:
        def __str__(self) -> str:
            return f"Told({MARK})"

    log.info(f"event {MARK}", value=MARK, nested={"a": [MARK], MARK: 1}, told=Told(), error=ValueError(MARK))
    log.info("keys", api_key="short", headers={"Authorization": "Bearer xyz"})
    log.info("address", url="rtsp://admin:s3cret@10.0.0.2/stream")
    try:
        raise RuntimeError(f"cannot open {hidden!r}")
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("kafka.conn").exception("broker said %s", MARK)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {MARK}", stacklevel=1)
    text = lines.getvalue()
    for form in (MARK, json.dumps(MARK)[1:-1], json.dumps(MARK, ensure_ascii=False)[1:-1], repr(MARK)[1:-1]):
        assert form not in text
    for word in ("s3cret", "short", "Bearer xyz", "wörd"):
        assert word not in text
    for word in ("failed", "RuntimeError", "broker said", "deprecated", "Told(", "10.0.0.2/stream"):
        assert word in text


def test_kafkas_client_is_heard_once_a_minute_and_tells_how_often_it_spoke(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(logs, "Ration", partial(Ration, monotonic=clock.monotonic))
    lines = configured()
    library = logging.getLogger("kafka.net.manager")
    for number in range(5):
        library.error("Connection %d failed", number)
    clock.advance(61)
    library.error("Bootstrap failed")
    first, second = lines.json()
    assert (first["event"], first.get("held_back")) == ("Connection 0 failed", None)
    assert (second["event"], second["held_back"]) == ("Bootstrap failed", 4)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_local_variables(log_format: Literal["console", "json"]) -> None:
    lines = configured(log_format)

    def fails() -> None:
        local = "".join(["never", "-", "remembered"])  # not written in the source lines that a traceback quotes
        raise RuntimeError(f"{len(local)} characters")

    try:
        fails()
    except RuntimeError:
        structlog.get_logger("streamproc.x").exception("failed")
    assert "16 characters" in lines.getvalue()
    assert "never-remembered" not in lines.getvalue()


def test_what_a_thread_did_not_catch_is_logged_and_redacted() -> None:
    remember(MARK)
    lines = configured()

    def dies() -> None:
        raise RuntimeError(MARK)

    thread = threading.Thread(target=dies, name="source gate")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError(MARK), None)
    first, second = lines.json()
    assert (first["event"], first["thread"]) == ("uncaught_exception", "source gate")
    assert "RuntimeError: ***" in first["exception"]
    assert "ValueError: ***" in second["exception"]


def test_ctrl_c_writes_no_traceback() -> None:
    lines = configured()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert lines.getvalue() == ""


def test_a_value_that_cannot_be_printed_costs_nothing_but_itself() -> None:
    class Broken:
        def __str__(self) -> str:
            raise OSError

    lines = configured()
    structlog.get_logger("streamproc.x").info("said", broken=Broken(), whole=3)
    (line,) = lines.json()
    assert line["broken"] == "<Broken, unprintable: OSError>"
    assert line["whole"] == 3


def test_configured_twice_a_line_is_written_once() -> None:
    first, second = configured(), configured()
    structlog.get_logger("streamproc.x").info("once")
    assert first.getvalue() == ""
    assert len(second.json()) == 1
