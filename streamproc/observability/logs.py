"""Logs: one line an event, for people or for programs, and no credential in any of them.

``configure`` sends structlog's events and the records of other libraries (kafka, openai, httpx, FFmpeg's through PyAV)
through one chain to standard error. Every value is redacted before the line is rendered, because a renderer may escape
a character in the middle of a password. Tracebacks never show local variables.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

from streamproc.observability.ration import Ration, add_held_back
from streamproc.secrets import redact

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
Level = Literal["debug", "info", "warning", "error"]

_SECRET_KEYS = frozenset({"password", "passwd", "api_key", "authorization", "token", "secret", "sasl_password"})
_DEEPEST = 6


def camera(camera_id: str) -> AbstractContextManager[None]:
    """Every line this thread writes inside the ``with`` block, a library's too, carries ``camera_id``."""
    return structlog.contextvars.bound_contextvars(camera_id=camera_id)


def configure(
    log_format: Literal["console", "json"] = "console", log_level: Level = "info", stream: TextIO | None = None
) -> None:
    """Set up logging for the whole process; called again, the last call holds.

    ``stream`` is standard error if left out: standard output belongs to what a command prints for programs. Other
    libraries are heard from ``warning`` on, whatever level they set themselves, and kafka-python once a minute.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    render: Processor
    if log_format == "json":
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        # The default would draw tracebacks with the values of local variables, where addresses are resolved.
        render = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
        )
    sink = logging.StreamHandler(stream)
    sink.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, add_held_back],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact_values,
                render,
            ],
        )
    )
    sink.addFilter(_ours_or_serious)
    sink.addFilter(Ration("kafka"))
    level = LEVELS[log_level]
    logging.basicConfig(handlers=[sink], level=max(level, logging.WARNING), force=True)
    logging.getLogger("streamproc").setLevel(level)
    logging.captureWarnings(capture=True)
    # With it on, a line that cannot be written is printed to standard error with its unredacted arguments.
    logging.raiseExceptions = False
    _catch_uncaught()


def _ours_or_serious(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.split(".", 1)[0] == "streamproc"


def _redact_values(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {str(key): "***" if str(key).lower() in _SECRET_KEYS else _clean(value) for key, value in event.items()}


def _clean(value: Any, depth: int = 0) -> Any:
    """``value`` in plain types, its texts redacted; what has no plain type becomes its redacted ``str``."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {
            redact(str(k)): "***" if str(k).lower() in _SECRET_KEYS else _clean(v, depth + 1) for k, v in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        return [_clean(item, depth + 1) for item in value]
    try:
        return redact(str(value))
    except Exception as error:  # a log line never fails for the value it was given
        return f"<{type(value).__name__}, unprintable: {type(error).__name__}>"


def _catch_uncaught() -> None:
    """What nobody caught is logged too, redacted, instead of printed by the interpreter."""
    log = structlog.get_logger("streamproc")

    def main(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        log.error("uncaught_exception", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread else "?"
        log.error("uncaught_exception", thread=name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    def unraisable(args: Any) -> None:
        log.error("unraisable_exception", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    sys.excepthook = main
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
