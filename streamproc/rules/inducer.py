"""What learns rules from captions: ``StatisticalInducer`` and ``LanguageModelInducer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamproc.rules.induction import Induction
from streamproc.types import Caption


class Inducer(Protocol):
    """From captions of normal footage to rules."""

    def induce(self, captions: Sequence[Caption], references: Sequence[Sequence[Caption]] = ()) -> Induction:
        """Rules from ``captions``, which are in order of time; all of them count against keywords.

        What is normal is read from the batches of ``references``; where none are given, from a choice of its own.

        Raises:
            ConfigError: there are too few captions.
            InferenceError: a model that has a part in it does not answer, or not usably.
        """
        ...
