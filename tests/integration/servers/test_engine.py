"""vLLM in its client's own process: all that a client asks for, without a server."""

from __future__ import annotations

import json
import os
import site
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = Path(os.environ.get("STREAMPROC_SERVERS", Path.home() / ".cache" / "streamproc" / "servers"))
OPTIONS = {"dtype": "float32", "enforce-eager": True, "max-model-len": 2048, "max-num-seqs": 8}


def test_a_model_in_this_process_answers_as_a_server_does(tmp_path: Path) -> None:
    binaries, model = ROOT / "vllm" / "bin", ROOT / "smollm2"
    missing = [str(path) for path in (binaries / "python", model / "model.safetensors") if not path.exists()]
    if missing:
        pytest.skip(
            f"NOT PROVED ON THIS MACHINE: vLLM in this process: {', '.join(missing)} is not there; "
            f"python {HERE / 'prepare.py'} DIRECTORY, then STREAMPROC_SERVERS=DIRECTORY"
        )
    engine = {"kind": "vllm", "load": str(model), "options": OPTIONS}
    settings = {"model": "tiny", "max_tokens": 40, "deadline_s": 120, "retries": 0, "engine": engine}
    usual = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    path = {"PATH": f"{binaries}:{os.environ['PATH']}", "PYTHONPATH": str(HERE.parents[2])}
    with (tmp_path / "log").open("w") as errors:
        ran = subprocess.run(
            [binaries / "python", "-P", HERE / "engine_run.py", json.dumps(settings), ":".join(site.getsitepackages())],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | usual | path,
            timeout=900,
        )
    assert ran.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    print("\n" + "\n".join(f"  {name}: {value}" for name, value in told.items()))
    assert (told["models"], told["context_tokens"]) == (["tiny"], 2048)
    assert told["colour"] in ("red", "green", "blue")  # the schema holds
    assert told["tokens"] > 0
    assert told["several"] == [True, True, True]
    assert told["written"]
    assert "refuses the request (HTTP 400): This model's maximum context length is 2048 tokens" in told["refused"]
    assert "does not answer within" in told["late"]
    assert (told["up"], told["colour again"]) == (True, told["colour"])
    assert told["cached_tokens"] > 0
    assert told["prefix_hits"] >= told["cached_tokens"]
    assert told["running"] == 0  # what was too late was ended in the engine too
    assert told["closed"]
