"""What is learned from: drawn pictures, or a labelled folder; and `--sources` said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from streamproc.errors import ConfigError
from streamproc.inspection.nouns import Pixels
from streamproc.inspection.training.readers import READERS
from streamproc.inspection.training.records import Record, read_mask, read_picture
from streamproc.inspection.training.synthetic import example

SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One thing to learn from."""

    pictures: tuple[Pixels, ...]
    """One picture of it, or one from each side."""
    label: int
    """1 defective, 0 flawless."""
    mask: np.ndarray | None
    """(height, width) bool over the first picture; None where nobody said where the defect is."""


class Source(Protocol):
    """Numbered samples that are the same each time."""

    @property
    def key(self) -> str:
        """Says which samples these are; equal keys, equal samples."""
        ...

    @property
    def pictures(self) -> int:
        """How many pictures each sample has."""
        ...

    def __len__(self) -> int: ...

    def sample(self, number: int) -> Sample:
        """Sample ``number``.

        Raises:
            ConfigError: its files cannot be read.
        """
        ...


class Synthetic:
    """``count`` drawn pictures of a seed, every other one with a defect."""

    pictures = 1

    def __init__(self, seed: int, count: int, side: int) -> None:
        self.key = f"synthetic seed {seed} side {side}"
        self._seed, self._count, self._side = seed, count, side

    def __len__(self) -> int:
        return self._count

    def sample(self, number: int) -> Sample:
        """Picture ``number`` of the seed."""
        drawn = example(self._seed, number, self._side)
        return Sample((drawn.pixels,), drawn.label, drawn.mask)


class Labelled:
    """The records of a labelled folder."""

    def __init__(self, key: str, records: Sequence[Record]) -> None:
        self.key = key
        self.pictures = 1 + len(records[0].views)
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def sample(self, number: int) -> Sample:
        """The picture of a record and its mask; flawless ones have an empty mask."""
        record = self._records[number]
        first = read_picture(record.image, record.box)
        others = tuple(read_picture(view) for view in record.views)
        mask = None
        if record.label == 0:
            mask = np.zeros(first.shape[:2], bool)
        elif record.mask is not None:
            mask = read_mask(record.mask, record.box)
        return Sample((first, *others), record.label, mask)


def open_source(said: str, seed: int, count: int, side: int) -> Source:
    """A source as ``--sources`` names it: ``synthetic``, or ``LAYOUT:DIR``, e.g. ``mvtec:/data/mvtec``.

    Raises:
        ConfigError: an unknown layout, or a folder that is not of it.
    """
    if said == SYNTHETIC:
        return Synthetic(seed, count, side)
    layout, colon, folder = said.partition(":")
    if not colon or layout not in READERS:
        raise ConfigError(f"--sources {said}: expected {SYNTHETIC} or LAYOUT:DIR, LAYOUT one of {', '.join(READERS)}")
    root = Path(folder)
    return Labelled(f"{layout} {root.resolve()}", READERS[layout](root))
