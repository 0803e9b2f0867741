"""A model in this process, by vLLM's own environment: ``python engine_run.py SETTINGS PATHS``.

SETTINGS are a language model's as JSON; PATHS are folders of packages to look into last, for what that environment
lacks. Prints what came of each call as JSON, in its last line.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from typing import Any, Literal

sys.path += sys.argv[2].split(":")


def main() -> None:
    """Ask for all that a client asks for."""
    from streamproc.config import LlmSettings
    from streamproc.errors import InferenceError, ReplyError
    from streamproc.modelreply import Reply, RequestRefused
    from streamproc.modelserver import ModelServer
    from streamproc.runtime.clock import SystemClock

    class Colour(Reply):
        colour: Literal["red", "green", "blue"]

    ask: Any = [
        {"role": "system", "content": "Name a colour. " * 40},
        {"role": "user", "content": "Which colour has a ripe tomato? Reply with JSON."},
    ]
    found: dict[str, Any] = {}
    with closing(ModelServer(LlmSettings.model_validate_json(sys.argv[1]), SystemClock())) as client:
        found["models"], found["context_tokens"] = client.check(), client.context_tokens
        found["name"] = client.name
        (reply,) = client.ask(ask, Colour, logprobs=True)
        found["colour"], found["tokens"] = getattr(reply, "colour", str(reply)), len(getattr(reply, "tokens", ()))
        several = client.ask(ask, Colour, n=3, temperature=0.7)
        found["several"] = [isinstance(one, Colour) for one in several]
        try:
            found["written"] = client.write(ask)
        except ReplyError as error:
            found["written"] = f"{error}: {error.text}"
        try:
            client.write([{"role": "user", "content": "word " * 9000}])
        except RequestRefused as error:
            found["refused"] = str(error)
        began_s = time.monotonic()
        try:
            client.ask(ask, Colour, n=4, temperature=1.0, within_s=0.05)
        except InferenceError as error:
            found["late"], found["late_s"] = str(error), time.monotonic() - began_s
        found["up"] = client.health.up
        found["colour again"] = client.ask(ask, Colour)[0].colour  # type: ignore[union-attr]
        client.readings()
        end_s = time.monotonic() + 20
        while (one := client.readings()[0]).gauges is None and time.monotonic() < end_s:
            time.sleep(0.2)
        assert one.gauges is not None
        found["cached_tokens"], found["prefix_hits"] = one.cached_tokens, one.gauges.prefix_hits
        found["running"], found["answered"] = one.gauges.running, one.answered
    found["closed"] = True
    print(json.dumps(found))


if __name__ == "__main__":  # the engine's process imports this file
    main()
