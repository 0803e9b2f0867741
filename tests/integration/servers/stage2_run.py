"""Stage 2 on the tiny LLaVA-OneVision, by its own environment's PyTorch and transformers.

``python stage2_run.py MODEL CONVERSATIONS IMAGES EXPERT WORK PATHS``: PATHS are folders of packages to look into last,
for what that environment lacks. Prints what happened as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path += sys.argv[6].split(":")

import torch
import transformers
from safetensors import safe_open

from streamproc.errors import ModelLoadError
from streamproc.inspection.instructions.conversations import read_conversations
from streamproc.inspection.tuning.speaker import Speaker
from streamproc.inspection.tuning.tune import Settings, tune

MODEL, CONVERSATIONS, IMAGES, EXPERT, WORK = map(Path, sys.argv[1:6])
SETTINGS = Settings(epochs=6, batch=4, rate=1e-2, save_every=4)
"""Six epochs at a thousand times the rate: random weights have everything to learn."""


def names(model: Path) -> list[str]:
    with safe_open(model / "model.safetensors", "pt") as file:
        return sorted(file.keys())


def stopping(name: str, done: int, total: int) -> None:
    if done == 6:
        raise KeyboardInterrupt


def weights(speaker: Speaker, frozen: bool) -> dict[str, Any]:
    learns = speaker.trained()
    return {k: v.detach().clone() for k, v in speaker.model.state_dict().items() if (k not in learns) == frozen}


def mean_loss(speaker: Speaker, data: Any) -> float:
    with torch.no_grad():
        return sum(float(speaker.loss(one)) for one in data) / sum(map(speaker.tokens, data))


def others(opinion: Any) -> Any:
    return opinion._replace(selected=-opinion.selected)


def run() -> dict[str, Any]:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = read_conversations(CONVERSATIONS)
    whole = Speaker(MODEL, EXPERT, IMAGES)
    told: dict[str, Any] = {"torch": torch.__version__, "transformers": transformers.__version__}
    told["conversations"], told["to be said"] = len(data), sum(map(whole.tokens, data))
    told["loss before"] = mean_loss(whole, data)
    tower, first = weights(whole, frozen=True), weights(whole, frozen=False)
    steps = tune(whole, data, "test", SETTINGS, WORK / "whole", lambda *_: None)
    told["steps"] = [[step.step, step.loss, step.rate] for step in steps]
    told["loss after"] = mean_loss(whole, data)
    after, moved = weights(whole, frozen=True), weights(whole, frozen=False)
    told["frozen tensors"], told["trained tensors"] = len(tower), len(first)
    told["frozen moved"] = [name for name in tower if not torch.equal(tower[name], after[name])]
    told["trained unmoved"] = [name for name in first if torch.equal(first[name], moved[name])]

    again = Speaker(WORK / "whole" / "model", EXPERT, IMAGES)
    with torch.no_grad():
        apart = max(float((whole.logits(one) - again.logits(one)).abs().max()) for one in data)
    told["logits apart, loaded again"] = apart
    told["names of tensors as before"] = names(MODEL) == names(WORK / "whole" / "model")

    try:
        tune(Speaker(MODEL, EXPERT, IMAGES), data, "test", SETTINGS, WORK / "cut", stopping)
    except KeyboardInterrupt:
        told["cut short after step"] = 6
    cut = Speaker(MODEL, EXPERT, IMAGES)
    rest = tune(cut, data, "test", SETTINGS, WORK / "cut", lambda *_: None, resume=True)
    told["taken up at step"] = rest[0].step
    told["losses apart, taken up"] = max(abs(a.loss - b.loss) for a, b in zip(rest, steps[-len(rest) :], strict=True))
    other = weights(cut, frozen=False)
    told["weights apart, taken up"] = max(float((moved[name] - other[name]).abs().max()) for name in moved)

    mixed = torch.load(EXPERT, weights_only=True)
    mixed["streamproc_expert"] = mixed["streamproc_expert"].replace("llava-onevision-siglip", "dinov2-s")
    torch.save(mixed, WORK / "mixed.pt")
    try:
        Speaker(MODEL, WORK / "mixed.pt", IMAGES)
    except ModelLoadError as error:
        told["refused"] = str(error).partition(": ")[2].partition(",")[0]

    # Does what is said hang on what the expert selects?
    again._expert = lambda tokens, taps: others(whole._expert(tokens, taps))
    with torch.no_grad():
        moves = [float((whole.logits(one) - again.logits(one)).abs().max()) for one in data]
    told["logits moved by others than the selected tokens"] = min(moves)

    alone = Speaker(MODEL, EXPERT, IMAGES, language=False)
    told["without language"] = sorted(alone.trained())
    return told


if __name__ == "__main__":
    json.dump(run(), sys.stdout)
