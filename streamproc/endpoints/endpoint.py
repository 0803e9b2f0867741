"""What answers requests to a model, as its client needs it: a model server, or an engine in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from streamproc.modelreply import Listed

Request = Mapping[str, object]
"""A chat completion as OpenAI's API has it: ``model``, ``messages``, ``max_tokens`` and so on."""


class Endpoint(Protocol):
    """One place where the model answers. Used on the client's event loop alone; a cancelled call ends its work there.

    Errors are those of ``modelreply`` and hold no credential. No call has a deadline of its own: the caller's ends it.
    """

    ready_s: float
    """Seconds that ``ready`` may take; 0 where others see to it that the model runs."""

    @property
    def name(self) -> str:
        """Where it is, in words without credentials."""
        ...

    def check(self) -> None:
        """Whether what it is made of is there: secrets, packages. From any thread, without waiting.

        Raises:
            ConfigError: naming what is missing.
        """
        ...

    async def ready(self) -> None:
        """Be able to answer.

        Raises:
            ConfigError: it never will, with the remedy.
            InferenceError: not now.
        """
        ...

    async def complete(self, request: Request) -> bytes:
        """The chat completion, as JSON.

        Raises:
            InferenceError: ``RequestRefused``, ``ServerUnfit`` or ``TryLater`` where that is known.
        """
        ...

    async def models(self) -> Mapping[str, Listed]:
        """The models that can be asked for.

        Raises:
            InferenceError: as ``complete``.
        """
        ...

    async def gauges_page(self) -> str | None:
        """What it tells of itself in Prometheus' text format; None where it tells nothing."""
        ...

    async def close(self) -> None:
        """End connections, or the engine."""
        ...
