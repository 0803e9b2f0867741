"""What can go wrong, told apart by whose turn it is to act.

::

    StreamprocError                retriable = False
    ├─ ConfigError                 the operator's mistake: file, line, permitted values; exit 2
    ├─ SourceError(camera_id)      retriable: a new run after jittered backoff, without an attempt limit
    │  ├─ SourceTimeout
    │  └─ SourceRefused            bad credentials: slow retry, health alarm
    ├─ ModelError
    │  ├─ ModelLoadError           fatal at start, names the file and hash
    │  ├─ InferenceError           the window is "unknown" (captioner) or lost (detector), and counted
    │  │  └─ NotSent(cause)        the model was not asked: the window's turn came too late
    │  └─ ReplyError(text)         the model's reply is unusable; the text is kept
    └─ SinkError
       └─ DeliveryError            retriable; the outbox keeps the alert

Errors of other libraries are translated where they enter: PyAV's in ``sources`` and ``decoding``, the model
servers' in ``perception`` and ``deduction``, Kafka's and SQLite's in ``alerts``. Messages never hold a credential.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

NotSentCause = Literal["stale", "overloaded"]
"""``stale``: a window's turn came longer after its last picture than it may wait; ``overloaded``: as many requests as
the settings permit were under way."""


class StreamprocError(Exception):
    """Base of every failure that streamproc raises on purpose."""

    retriable: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in an operator's file: where it is and what would be right."""

    path: str
    """The file, as the operator named it."""
    line: int | None
    """1-based; None where no line applies (a file that is missing)."""
    column: int | None
    """1-based; None where no line applies."""
    field: str
    """Dotted path of the field, e.g. ``cameras.0.main``; empty for the file as a whole."""
    message: str
    """What is wrong and what is permitted, on one line, without any credential."""

    def __str__(self) -> str:
        place = self.path
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return f"{place}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass(eq=False)
class ConfigError(StreamprocError):
    """The operator's mistake in a file, an address, a flag or a rule; the process exits 2."""

    message: str = ""
    faults: tuple[Fault, ...] = field(default=())

    def __str__(self) -> str:
        return "\n".join(str(f) for f in self.faults) if self.faults else self.message


class SourceError(StreamprocError):
    """A camera or file gave no more packets; the camera is tried again for ever."""

    retriable = True

    def __init__(self, camera_id: str, message: str) -> None:
        super().__init__(camera_id, message)  # both, so that it can be pickled: a camera may run in another process
        self.camera_id = camera_id
        self.reason = message

    def __str__(self) -> str:
        return f"camera {self.camera_id}: {self.reason}"


class SourceTimeout(SourceError):  # noqa: N818 - the design's name
    """Nothing was received within the time the settings allow."""


class SourceRefused(SourceError):  # noqa: N818 - the design's name
    """The camera refused the credentials; retried slowly, because cameras lock accounts."""


class ModelError(StreamprocError):
    """A model could not be loaded, run or understood."""


class ModelLoadError(ModelError):
    """A model's files are missing, do not hash to what is pinned, or do not load; names the file and hash."""


class InferenceError(ModelError):
    """A model or its server failed on one window; the window is counted as lost."""

    retriable = True


class NotSent(InferenceError):  # noqa: N818 - a state
    """No model was asked about a window, because its turn came too late; no model or server is to blame."""

    retriable = False

    def __init__(self, message: str, cause: NotSentCause) -> None:
        super().__init__(message, cause)
        self.message = message
        self.cause = cause

    def __str__(self) -> str:
        return self.message


class ReplyError(ModelError):
    """A model replied with something unusable; ``text`` keeps what it said."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message, text)
        self.message = message
        self.text = text

    def __str__(self) -> str:
        return self.message


class SinkError(StreamprocError):
    """An alert could not be written where alerts go."""


class DeliveryError(SinkError):
    """A sink is unreachable for now; the outbox keeps the alert."""

    retriable = True


class ChannelClosed(StreamprocError):  # noqa: N818 - a state, as in trio's channels
    """The channel was closed; nothing more can be put, or everything in it was taken."""


class StageError(StreamprocError):
    """A stage of the pipeline ended when it should not have, or did not end when it should have."""
