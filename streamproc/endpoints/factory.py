"""The endpoints that settings name."""

from __future__ import annotations

from streamproc.config import UNPINNED, ServerSettings
from streamproc.endpoints.endpoint import Endpoint
from streamproc.endpoints.http import HttpEndpoint


def make_endpoints(settings: ServerSettings) -> tuple[Endpoint, ...]:
    """One for each server, or the engine in this process."""
    # Connecting is bounded more tightly than answering: a host that is gone leaves time for another attempt.
    connect_s = settings.deadline_s / (settings.retries + max(1, len(settings.base_url)))
    if settings.engine is not None:
        from streamproc.endpoints.vllm import VllmEndpoint

        revision = settings.revision if settings.revision != UNPINNED else None
        return (VllmEndpoint(settings.model, revision, settings.engine),)
    return tuple(HttpEndpoint(address, settings.api_key, connect_s) for address in settings.base_url)
