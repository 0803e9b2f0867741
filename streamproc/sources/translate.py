"""FFmpeg's errors become ours here, in words an operator can act on and without any credential."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av.error

from streamproc.errors import SourceError, SourceRefused, SourceTimeout
from streamproc.secrets import redact

# What an operator can do about it.
_LOGIN = "check the login; many cameras want a user of their own for RTSP or ONVIF"
_PATH = "take the stream's path from the camera's manual or web page"
_PORT = "check the port, 554 on most cameras, and that RTSP is switched on"
_REACH = "check that the camera can be reached from here (ping, firewall), try the other transport, or raise timeout_s"


class Waiting:
    """Since when FFmpeg is waited for."""

    def __init__(self) -> None:
        self.since_s = time.monotonic()
        """When it last gave something."""


@contextmanager
def translated(camera_id: str, what: str, timeout_s: float) -> Iterator[Waiting]:
    """Turn PyAV's errors inside the block into ``SourceError``; ``what`` names the source, and is redacted.

    The cause is not chained: FFmpeg's errors carry the address with its credentials.
    """
    waiting = Waiting()
    try:
        yield waiting
    except SourceError:
        raise
    except (OSError, ValueError, av.error.FFmpegError) as error:
        # The timeouts cut FFmpeg off wherever it is, and some demuxers report that as invalid data or a failed read.
        late = time.monotonic() - waiting.since_s >= 0.9 * timeout_s
        raise _ours(error, camera_id, redact(what), timeout_s, late) from None


def _ours(error: Exception, camera_id: str, what: str, timeout_s: float, late: bool) -> SourceError:
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            status = 403 if isinstance(error, av.error.HTTPForbiddenError) else 401
            return SourceRefused(camera_id, f"{what}: the camera refuses the credentials ({status}); {_LOGIN}")
        case av.error.HTTPNotFoundError():
            return SourceError(camera_id, f"{what}: the camera has no stream at that path (404); {_PATH}")
        case av.error.TimeoutError() | av.error.ExitError():
            return SourceTimeout(camera_id, f"{what}: no answer within {timeout_s:g} s; {_REACH}")
        case av.error.FFmpegError(errno=errno.EIO) | av.error.InvalidDataError() if late:
            return SourceTimeout(camera_id, f"{what}: no usable answer within {timeout_s:g} s; {_REACH}")
        case av.error.ConnectionRefusedError():
            return SourceError(camera_id, f"{what}: connection refused, nothing listens there; {_PORT}")
        case av.error.FileNotFoundError():
            return SourceError(camera_id, f"{what}: not found")
        case av.error.InvalidDataError():
            return SourceError(camera_id, f"{what}: not a video that FFmpeg can read")
        case av.error.FFmpegError():
            return SourceError(camera_id, f"{what}: {redact(error.strerror or type(error).__name__)}")
        case _:
            return SourceError(camera_id, f"{what}: {redact(str(error))}")
