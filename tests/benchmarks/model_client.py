"""The client of model servers: windows a second of one core, against a server that answers at once.

    python tests/benchmarks/model_client.py [--seconds S]

Windows go the way of a site: ``VlmCaptioner`` on several threads, through the client's event loop, to a server that
computes nothing, in a process of its own on another core. A window is 10 frames; what is counted is
processor time of the client's process, threads and all, so that neither the server nor waiting matters.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np
import openai
from skimage import data

from streamproc.config import VlmPerception
from streamproc.modelserver import ModelServer
from streamproc.perception.pictures import as_uri
from streamproc.perception.vlm import VlmCaptioner, messages, show
from streamproc.runtime.clock import SystemClock
from streamproc.testing_bench import machine
from streamproc.types import Frame, ObservedWindow, Window

WIDE = (640, 960)
"""Widths of frames: as the pictures sent are, and as the preset ``gpu-vllm`` has it."""
FRAMES = 10
"""Of a window: five bursts of two, as the preset ``gpu-vllm`` has it."""
AT_ONCE = 16
"""Requests under way, as that preset permits."""
WALKS = {"count": 1, "who": "person", "action": "walks", "place": "left", "sentence": "A person walks by.", "mark": 0}
REPLY = json.dumps({"people": [WALKS], "things": []})
ROUNDS = 6
"""In turn; the least time of each counts, as whoever else is on the machine only adds to it."""
PLAIN: dict[str, Any] = {"selection": "uniform", "marks": 0, "close_ups": 0}
WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "frames of 640x360, evenly spread, as they are": (640, PLAIN),
    "frames of 960x540, scaled": (960, PLAIN),
    "frames of 640x360 as shipped: by event, outlined, a close-up": (640, {}),
    "frames of 960x540 as shipped": (960, {}),
}


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--seconds", type=float, default=2.0, help="of each row in each round")
    seconds = options.parse_args().seconds
    cv2.setNumThreads(1)
    print("$ python tests/benchmarks/model_client.py")
    print(f"# {machine()}; processor time of the client's process; {AT_ONCE} requests under way;")
    print(f"# the least of {ROUNDS} rounds in turn")
    observed = {width: [window(i, width) for i in range(32)] for width in WIDE}
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        address = here.recv()
        apart()
        print(f"\n{'windows of four pictures of 640 px':<62} KB a window  ms a window  windows/s a core")
        least: dict[str, float] = {}
        for _ in range(ROUNDS):
            for way, (width, changes) in WAYS.items():
                each_s = measured(settings(address, changes), observed[width], seconds)
                least[way] = min(least.get(way, each_s), each_s)
        for way, each_s in least.items():
            width, changes = WAYS[way]
            size = len(json.dumps(asked_of(observed[width][0], settings(address, changes))))
            print(f"{way:<62} {size / 1e3:11.0f}  {each_s * 1e3:11.2f}  {1 / each_s:16.0f}")
        print("\nwhat the parts take alone, on one thread")
        parts(settings(address, {}), observed[640])
    finally:
        server.terminate()
        server.join()


def settings(address: str, changes: dict[str, Any]) -> VlmPerception:
    """The preset's, but for what is compared."""
    at = {"kind": "vlm", "base_url": address, "model": "none", "max_in_flight": AT_ONCE, "retries": 0}
    return VlmPerception.model_validate(at | changes)


def measured(asked: VlmPerception, observed: Sequence[ObservedWindow], seconds: float) -> float:
    """Processor seconds of a whole window, from pixels to caption."""
    with closing(ModelServer(asked, SystemClock())) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        captioner = VlmCaptioner(client, asked)
        list(pool.map(captioner.caption, observed))  # connections are opened
        count, began_s, until_s = 0, time.process_time(), time.monotonic() + seconds
        while time.monotonic() < until_s:
            count += sum(bool(caption.facts) for caption in pool.map(captioner.caption, observed))
        return (time.process_time() - began_s) / count


def asked_of(observed: ObservedWindow, asked: VlmPerception) -> Sequence[Any]:
    """The messages of a window's request."""
    return messages(show(observed, asked), asked)


def parts(asked: VlmPerception, observed: Sequence[ObservedWindow]) -> None:
    """What a window's parts take on one thread."""
    plain = settings(asked.base_url[0], PLAIN)
    shown = [show(one, plain) for one in observed]
    ready = [messages(one, plain) for one in shown]
    tell("four pictures of 640x360 to JPEG and base64", lambda i: [as_uri(pixels) for pixels in shown[i].whole])
    tell("choosing, outlining and enlarging, as shipped", lambda i: show(observed[i], asked))
    with closing(ModelServer(plain, SystemClock())) as client:
        tell("a request that is ready, one after the other", lambda i: client.write(ready[i]))
    by_openai(plain, ready)


def by_openai(asked: VlmPerception, ready: Sequence[Any]) -> None:
    """The same request through the openai client."""
    with openai.OpenAI(base_url=asked.base_url[0], api_key="none", max_retries=0) as client:
        tell(
            "the same request through the openai client (synchronous)",
            lambda i: client.chat.completions.create(model="none", messages=ready[i], max_tokens=400, temperature=0.0),
        )


def tell(what: str, once: Callable[[int], object], count: int = 32) -> None:
    """The mean of ``count`` times, after one; the least of the rounds."""
    once(0)
    rounds = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        for i in range(count):
            once(i)
        rounds.append((time.process_time() - began_s) / count)
    print(f"  {what:<60} {min(rounds) * 1e3:6.2f} ms")


def window(number: int, width_px: int = 640) -> ObservedWindow:
    """A photograph with sensor noise in which something moves; no two alike."""
    noise = np.random.default_rng(number)
    ground = cv2.resize(data.astronaut()[60:348], (width_px, width_px * 9 // 16), interpolation=cv2.INTER_AREA)
    at, y = datetime(2026, 1, 1, tzinfo=UTC), int(noise.integers(40, 240))
    frames = []
    for i in range(FRAMES):
        picture = ground + noise.normal(0, 2, ground.shape)
        picture[y : y + 80, 60 + 40 * i : 100 + 40 * i] = (200, 40, 40)
        pts_s = i / FRAMES
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        frames.append((Frame("gate", number, pts_s, at + timedelta(seconds=pts_s), pixels),))
    return ObservedWindow(Window("gate", number, 0, tuple(frames)), (), (), 1.0)


def apart() -> None:
    """This process on the first core, the server on the last; on one core they share it."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:-1] or cores)


def serve(told: Connection) -> None:
    """Answer every request with the same reply; nothing of it is looked at but its length."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    body = json.dumps(
        {
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": REPLY}}],
            "usage": {"prompt_tokens": 1500, "completion_tokens": 60},
        }
        | {"id": "x", "object": "chat.completion", "created": 0, "model": "none"}
    ).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    length = re.compile(rb"content-length: (\d+)", re.IGNORECASE)

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = length.search(head)
                await reader.readexactly(int(found[1]) if found else 0)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(exchange, "127.0.0.1", 0, limit=2**24)
        told.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main()
