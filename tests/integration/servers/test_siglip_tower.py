"""The tower by itself, held against transformers' whole LLaVA-OneVision; needs transformers, but no server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import streamproc

HERE = Path(__file__).parent
ROOT = Path(os.environ.get("STREAMPROC_SERVERS", Path.home() / ".cache" / "streamproc" / "servers"))
SIZES = ("40x40", "56x112", "100x90")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def model() -> Path:
    folder = ROOT / "tiny-onevision"
    if not (folder / "projector.npz").exists():
        pytest.skip(f"NOT PROVED ON THIS MACHINE: {folder} is not there; python {HERE / 'prepare.py'} DIRECTORY")
    return folder


@pytest.fixture(scope="module")
def run(model: Path) -> Run:
    """A script here by the Python that has transformers."""

    def started(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        ours = Path(streamproc.__file__).parents[1]
        seen = os.environ | {"PYTHONPATH": f"{ours}:{ROOT / 'vision'}", "HF_HUB_OFFLINE": "1"}
        command = [ROOT / "vllm" / "bin" / "python", HERE / script, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=seen)

    return started


def test_taps_and_tokens_are_those_of_the_whole_model(model: Path, run: Run, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.npz", tmp_path / "ours.npz"
    for ran in (
        run("onevision_reference.py", "pictures", model, theirs, *SIZES),
        run("siglip_tower.py", model, theirs, ours),
    ):
        assert ran.returncode == 0, ran.stderr[-2000:]
    with np.load(theirs) as wanted, np.load(ours) as found:
        assert len(str(found["revision"])) == 12
        for size in SIZES:
            for what in ("taps", "tokens"):
                name = f"{size} {what}"
                assert found[name].shape == wanted[name].shape
                most = float(np.abs(found[name] - wanted[name]).max())
                print(f"{name} {found[name].shape}: largest difference {most:.1e}")
                assert most < 1e-5


def test_a_model_without_a_tensor_of_its_tower_is_refused_by_that_tensors_name(
    model: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes((model / "config.json").read_bytes())
    script = tmp_path / "without.py"
    script.write_text(
        "import sys; from safetensors.torch import load_file, save_file\n"
        "held = load_file(sys.argv[1])\n"
        "save_file({n: t for n, t in held.items() if not n.endswith('layers.3.mlp.fc1.bias')}, sys.argv[2])\n"
    )
    cut = run(str(script), model / "model.safetensors", tmp_path / "model.safetensors")
    assert cut.returncode == 0, cut.stderr[-2000:]
    refused = run("siglip_tower.py", tmp_path, tmp_path / "in.npz", tmp_path / "out.npz")
    assert "ModelLoadError" in refused.stderr
    assert "'encoder.layers.3.mlp.fc1.bias' is missing" in refused.stderr
