"""Public fake of what fetches models: files from memory, with the ways in which a network fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streamproc.errors import ModelLoadError
from streamproc.models.catalog import Origin, PinnedFile


class FakeFetcher:
    """Gives files by name from ``contents``; a file that is missing there is an origin that cannot be reached."""

    def __init__(self, contents: Mapping[str, bytes], before_write: Callable[[], None] = lambda: None) -> None:
        self.contents = dict(contents)
        self.fetched: list[Origin] = []
        """Every origin that was asked."""
        self._before_write = before_write

    def fetch(
        self, origin: Origin, files: Sequence[PinnedFile], work: Path, into: Path, grown: Callable[[int], None]
    ) -> None:
        """Write the files at once."""
        self.fetched.append(origin)
        self._before_write()
        for file in files:
            if file.name not in self.contents:
                raise ModelLoadError(f"{origin}: not reachable")
            (work / file.name).write_bytes(b"temporary")
            (into / file.name).write_bytes(self.contents[file.name])
            grown(len(self.contents[file.name]))
