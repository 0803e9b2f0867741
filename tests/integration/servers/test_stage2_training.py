"""Stage 2 with transformers itself, on the tiny LLaVA-OneVision and a few drawn pictures.

Its weights are random and the pictures squares of one colour: what is learned means nothing. That the loss falls, that
what should learn does and nothing else, that the model is written, loads again as it was, and that a training that was
cut short ends as if it had not been, is what is proved.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamproc.inspection.answers.projector import Projector
from streamproc.inspection.header import Header
from streamproc.inspection.instructions.build import Parts, build
from streamproc.inspection.instructions.cleaning import Trusting
from streamproc.inspection.instructions.describing import Plain
from streamproc.inspection.instructions.phrases import Templates
from streamproc.inspection.instructions.search import Folder
from streamproc.testing_inspection import FakeBackbone

HERE = Path(__file__).parent
ROOT = Path(os.environ.get("STREAMPROC_SERVERS", Path.home() / ".cache" / "streamproc" / "servers"))
PICTURES = 12


def needed(*paths: Path) -> None:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        pytest.skip(
            f"NOT PROVED ON THIS MACHINE: a tiny LLaVA-OneVision is not there ({', '.join(missing)}); "
            f"python {HERE / 'prepare.py'} DIRECTORY, then STREAMPROC_SERVERS=DIRECTORY"
        )


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Conversations, the folder of their pictures, and an expert of random weights."""
    torch = pytest.importorskip("torch")
    from streamproc.inspection.checkpoint import save_expert
    from streamproc.inspection.variants import make_expert

    root = tmp_path_factory.mktemp("stage2")
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        kind = ("scratched", "good", "stained")[number % 3]
        path = root / "pictures" / "plate" / kind / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = ((56, 56), (56, 112), (100, 90))[number % 2 + number % 3 // 2]
        picture = np.full((height, width, 3), rng.integers(0, 255, 3), np.uint8)
        mask = np.zeros((height, width), np.uint8)
        if kind == "scratched":
            cv2.line(mask, (5, 5), (25, 20), 255, 2)
        elif kind == "stained":
            cv2.circle(mask, (width - 12, height - 12), 8, 255, -1)
        picture[mask > 0] = 255 - picture[mask > 0]
        cv2.imwrite(str(path), picture)
        if kind != "good":
            cv2.imwrite(str(path.with_suffix(".mask.png")), mask)
    out, images = root / "conversations.jsonl", root / "pictures"
    parts = Parts(Templates(), Folder(images), FakeBackbone(), Trusting(), Plain())
    built = build(["plate"], images, parts, out, lambda *_: None)
    assert built.conversations >= PICTURES - 3, built

    torch.manual_seed(2)
    expert = make_expert(Header(backbone="llava-onevision-siglip", revision="", channels=64, side=4, hidden=16))
    for sign in (expert.positive_embedding, expert.negative_embedding):
        torch.nn.init.normal_(sign)  # a new expert's are so small that its maps are flat
    save_expert(expert, root / "expert.pt")
    return out, images, root / "expert.pt"


def python(*command: str | Path) -> str:
    """What the servers' environment prints; this one's packages stand in for those it lacks."""
    vision = ROOT / "vision"
    needed(ROOT / "vllm" / "bin" / "python", vision, ROOT / "tiny-onevision" / "model.safetensors")
    of_this = sys.version_info[:2]
    asked: list[str | Path] = [ROOT / "vllm" / "bin" / "python", "-c", "import sys; print(*sys.version_info[:2])"]
    other = tuple(map(int, subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()))
    if other != of_this:
        pytest.skip(f"NOT PROVED ON THIS MACHINE: the servers run on Python {other}, this is {of_this}")
    source = str(HERE.parents[2])
    environment = os.environ | {"PYTHONPATH": f"{source}:{vision}", "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [ROOT / "vllm" / "bin" / "python", "-P", *command], capture_output=True, text=True, env=environment, timeout=900
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


def test_stage_2_learns_is_written_and_taken_up_again(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    conversations, images, expert = files
    paths = ":".join(site.getsitepackages())
    script = HERE / "stage2_run.py"
    told: dict[str, Any] = json.loads(
        python(script, ROOT / "tiny-onevision", conversations, images, expert, tmp_path, paths).splitlines()[-1]
    )
    print(f"\ntorch {told['torch']}, transformers {told['transformers']}")
    for name, value in told.items():
        if name == "steps":
            print("  step   loss      rate")
            for step, loss, rate in value:
                print(f"  {step:4} {loss:7.4f} {rate:9.2e}")
        elif name not in ("torch", "transformers"):
            print(f"  {name}: {value}")
    assert told["loss after"] < 0.5 * told["loss before"]
    assert told["frozen moved"] == []
    assert told["frozen tensors"] > 0
    assert told["trained unmoved"] == []
    assert told["logits apart, loaded again"] == 0
    assert told["names of tensors as before"]
    assert told["taken up at step"] == 5
    assert told["losses apart, taken up"] == 0
    assert told["weights apart, taken up"] == 0
    assert "was trained on dinov2-s" in told["refused"]
    assert told["logits moved by others than the selected tokens"] > 1e-3
    assert all("multi_modal_projector" in name or "image_newline" in name for name in told["without language"])
    projector = Projector.load(tmp_path / "whole" / "model" / "projector.npz")
    assert projector.channels == 64


def test_the_command_trains_too(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    conversations, images, expert = files
    run = f"import sys; sys.path += {site.getsitepackages()!r}; from streamproc.cli import main; main()"
    command: list[str | Path] = [
        "inspect",
        "train-answers",
        conversations,
        "--images",
        images,
        "--expert",
        expert,
        "--batch",
        "8",
    ]
    said = python("-c", run, *command, "--model", ROOT / "tiny-onevision", "--out", tmp_path / "out")
    print(said)
    assert "2 steps" in said
    assert (tmp_path / "out" / "model" / "model.safetensors").exists()
    again = python("-c", run, *command, "--model", ROOT / "tiny-onevision", "--out", tmp_path / "out", "--resume")
    assert "0 steps" in again
