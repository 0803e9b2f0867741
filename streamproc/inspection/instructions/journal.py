"""What was costly to find out, line by line on the disk, so that work that was cut short goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamproc.errors import ConfigError


class Journal:
    """Answers by what was asked; each is on the disk before it is used."""

    def __init__(self, path: Path) -> None:
        """What a former run found out is known; a last line that it did not finish is not.

        Raises:
            ConfigError: the file cannot be read or is something else.
        """
        self._path = path
        self._known: dict[str, Any] = {}
        try:
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                path.write_bytes(whole)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be used: {error}") from error
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                key, value = json.loads(line)
            except (ValueError, TypeError):
                raise ConfigError(f"{path}:{number}: is not of this journal; move it away to begin anew") from None
            self._known[_as_key(key)] = value

    def once(self, key: tuple[str, ...], find_out: Callable[[], Any]) -> Any:
        """What is known of ``key``, else what ``find_out`` gives, a JSON value; its errors are not kept.

        Raises:
            ConfigError: the file cannot be written.
        """
        known = _as_key(key)
        if known not in self._known:
            value = find_out()
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, value], ensure_ascii=False) + "\n")
            except OSError as error:
                raise ConfigError(f"{self._path}: cannot be written: {error}") from error
            self._known[known] = value
        return self._known[known]


def _as_key(key: Any) -> str:
    return json.dumps(key)
