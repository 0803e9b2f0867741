"""Our client beside vLLM's own, ``vllm bench serve``, on one server: requests a second at the same concurrency.

    python tests/benchmarks/servers/client_beside_vllm.py --server http://127.0.0.1:8000 --model NAME \\
        --tokenizer FOLDER --vllm BIN/vllm

Requests of both carry four pictures of 640x360, no two alike, a text whose first part is shared by all, and ask for 16
tokens. vLLM's client makes its pictures before it counts and streams the reply; ours encodes them while it counts. The
server is asked in turn, three times each.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2

sys.path.append(str(Path(__file__).parents[1]))
from model_client import PLAIN, settings, window  # type: ignore[import-not-found]

from streamproc.errors import ReplyError
from streamproc.modelserver import ModelServer
from streamproc.perception import prompts
from streamproc.perception.vlm import messages, show
from streamproc.runtime.clock import SystemClock
from streamproc.testing_bench import machine
from streamproc.types import ObservedWindow

TOKENS = 16
"""Written a request; as few as leave the client something to do on a server without a GPU."""
ROUNDS = 3
LETTERS_A_TOKEN = 4
"""About; of English prose."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a client came to."""

    requests_s: float
    read_tokens: float
    """A request, as the client tells it."""
    written_tokens: float


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name in ("--server", "--model", "--vllm"):
        options.add_argument(name, required=True)
    options.add_argument("--tokenizer", required=True, help="folder of the model, for vLLM's client")
    options.add_argument("--requests", type=int, default=60)
    options.add_argument("--at-once", type=int, default=4)
    given = options.parse_args()
    cv2.setNumThreads(1)
    options_told = f"--server URL --model {given.model} --requests {given.requests} …"
    print(f"$ python tests/benchmarks/servers/{Path(__file__).name} {options_told}")
    print(f"# {machine()}; vLLM on the CPU beside both clients")
    fresh = map(window, itertools.count(1000))
    theirs, ours = [], []
    measure_ours(given, fresh)  # warms the server up
    for _ in range(ROUNDS):
        theirs.append(measure_theirs(given))
        ours.append(measure_ours(given, fresh))
    print(f"\n{given.requests} requests, {given.at_once} at once: requests/s")
    for name, rates in (("vllm bench serve", theirs), ("ours", ours)):
        each = " ".join(f"{one.requests_s:6.2f}" for one in rates)
        tokens = f"{rates[0].read_tokens:.0f} tokens read, {rates[0].written_tokens:.1f} written"
        print(f"  {name:<18}{each}   median {median(one.requests_s for one in rates):5.2f}   ({tokens})")
    over = median(one.requests_s for one in ours) / median(one.requests_s for one in theirs)
    print(f"  ours over theirs   {over:.2f}")


def measure_ours(given: argparse.Namespace, fresh: Iterator[ObservedWindow]) -> Rate:
    """Requests a second, encoding included."""
    asked = settings(f"{given.server}/v1", PLAIN)
    patient = {"model": given.model, "deadline_s": 300.0, "max_in_flight": given.at_once, "max_tokens": TOKENS}
    asked = asked.model_copy(update=patient)
    windows = [next(fresh) for _ in range(given.requests)]
    with closing(ModelServer(asked, SystemClock())) as client, ThreadPoolExecutor(given.at_once) as pool:

        def one(observed: ObservedWindow) -> None:
            try:
                client.write(messages(show(observed, asked), asked))
            except ReplyError:
                return  # it is cut off after 16 tokens, as it should be

        began_s = time.monotonic()
        list(pool.map(one, windows))
        took_s = time.monotonic() - began_s
        read, written = client.spent.prompt_tokens or 0, client.spent.reply_tokens or 0
        return Rate(given.requests / took_s, read / given.requests, written / given.requests)


def measure_theirs(given: argparse.Namespace) -> Rate:
    """Requests a second as vLLM's client tells them."""
    shared, own = (len(text) // LETTERS_A_TOKEN for text in (prompts.system(False), prompts.user(4, 0, 0.9)))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(given.vllm, "bench", "serve", "--backend", "openai-chat", "--endpoint", "/v1/chat/completions"),
            *("--base-url", given.server, "--model", given.tokenizer, "--served-model-name", given.model),
            *("--dataset-name", "random-mm", "--random-prefix-len", str(shared), "--random-input-len", str(own)),
            *("--random-output-len", str(TOKENS), "--random-range-ratio", "0", "--ignore-eos"),
            *("--random-mm-base-items-per-request", "4", "--random-mm-num-mm-items-range-ratio", "0"),
            *("--random-mm-limit-mm-per-prompt", '{"image": 4, "video": 0}'),
            *("--random-mm-bucket-config", "{(360, 640, 1): 1.0}"),
            *(
                "--num-prompts",
                str(given.requests),
                "--max-concurrency",
                str(given.at_once),
                "--seed",
                str(time.time_ns() % 2**31),
            ),
            *("--save-result", "--result-dir", folder, "--result-filename", "told.json", "--disable-tqdm"),
        ]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(ran.stderr[-2000:])
        told = json.loads((Path(folder) / "told.json").read_text())
    if told["completed"] != given.requests:
        raise SystemExit(f"{told['completed']} of {given.requests} requests were answered")
    read, written = told["total_input_tokens"] / given.requests, told["total_output_tokens"] / given.requests
    return Rate(float(told["request_throughput"]), read, written)


if __name__ == "__main__":
    main()
