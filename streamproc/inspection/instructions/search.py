"""Where pictures come from: anything that finds some for a phrase; here, a folder on this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streamproc.errors import ConfigError
from streamproc.inspection.instructions.phrases import Phrase

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MASK = ".mask"
"""``a.mask.png`` beside ``a.jpg`` is black where nothing is wrong with what ``a.jpg`` shows."""
LICENCES = ("LICENSE", "LICENSE.txt", "LICENCE", "LICENCE.txt")
"""The first line of the nearest such file, in the picture's folder or above it, is the picture's licence."""
_SMALL = frozenset(("a", "an", "the", "of", "on", "in", "its", "with", "and", "has", "that", "is"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was found."""

    path: Path
    mask: Path | None
    """Where it is known what is wrong."""
    licence: str | None
    """In a line, as its source gives it; None where it says nothing."""


class ImageSearch(Protocol):
    """Finds pictures."""

    def find(self, phrase: Phrase) -> Sequence[Picture]:
        """Pictures for a phrase, best first; none where there are none.

        Raises:
            ConfigError: the source cannot be read.
        """
        ...


class Folder:
    """Pictures below a folder whose path within it holds all words of a thing and its phrase.

    As ``bottle/cracked neck/7.png`` for "a bottle with a cracked neck". Words are letters alone, a plural's s makes no
    difference, articles and prepositions need not be there.
    """

    def __init__(self, root: Path) -> None:
        """The folder is listed once, in the order of names.

        Raises:
            ConfigError: it is no folder, or holds no pictures.
        """
        if not root.is_dir():
            raise ConfigError(f"{root}: is not a folder")
        self._root = root
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
        masks = {path.with_suffix("").with_suffix(""): path for path in files if path.stem.endswith(MASK)}
        self._pictures = [
            (_words(str(path.relative_to(root).with_suffix(""))), path, masks.get(path.with_suffix("")))
            for path in files
            if not path.stem.endswith(MASK)
        ]
        if not self._pictures:
            raise ConfigError(f"{root}: holds no pictures ({', '.join(PICTURES)})")

    def find(self, phrase: Phrase) -> list[Picture]:
        """In the order of their paths."""
        wanted = (_words(phrase.thing) | _words(phrase.text)) - _SMALL
        return [Picture(path, mask, self._licence(path)) for words, path, mask in self._pictures if wanted <= words]

    def _licence(self, path: Path) -> str | None:
        for folder in path.parents:
            for name in LICENCES:
                if (folder / name).is_file():
                    lines = (folder / name).read_text(errors="replace").strip().splitlines()
                    return lines[0].strip() if lines else None
            if folder == self._root:
                break
        return None


def _words(text: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in re.findall(r"[^\W\d_]+", text.casefold()))
