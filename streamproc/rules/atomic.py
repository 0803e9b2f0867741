"""Files that take their place whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from streamproc.errors import ConfigError

_NEW_MODE = 0o644


def replace(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Have ``data`` at ``path``: on disk before it is there, with the mode of what it replaces; a link stays a link.

    ``like`` is a file whose mode and time of writing it is given instead.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        model = (like or target).stat() if (like or target).exists() else None
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(model.st_mode & 0o777 if model else _NEW_MODE)
            if like is not None and model is not None:
                os.utime(name, ns=(model.st_mtime_ns, model.st_mtime_ns))
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
