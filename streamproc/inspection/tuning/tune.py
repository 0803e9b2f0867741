"""The training of stage 2: what its schedule is, and that it can be taken up again (A2; the published scripts)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from streamproc.errors import ConfigError
from streamproc.inspection.instructions.conversations import Conversation

STATE = "state.pt"
"""All that training needs to go on."""
HISTORY = "history.jsonl"
"""A line a step: its loss and learning rate."""
MODEL = "model"
"""The folder of the model that came of it."""
_LONGEST_STEP = 1.0
"""Of the gradient; what transformers' Trainer has by default, which the published scripts leave as it is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how fast; the paper's batch, the published scripts' rate and warm-up."""

    epochs: int = 1
    batch: int = 128
    """Conversations a step."""
    rate: float = 1e-5
    """AdamW's highest; cosine to 0, without decay of weights."""
    warm_up: float = 0.03
    """Share of the steps in which the rate rises to it."""
    save_every: int = 50
    """Steps after which all is written down."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to."""

    step: int
    loss: float
    """Mean over the tokens that were to be said."""
    rate: float


class Learner(Protocol):
    """A model that learns from conversations."""

    def trained(self) -> dict[str, Any]:
        """The parameters that learn, by name; the others stay."""
        ...

    def tokens(self, one: Conversation) -> int:
        """How many tokens of it are to be said."""
        ...

    def loss(self, one: Conversation) -> Any:
        """A scalar tensor: the sum over those tokens.

        Raises:
            ConfigError: its picture cannot be read, or it is too long.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the model as it is now, to be loaded and served."""
        ...


def tune(
    learner: Learner,
    conversations: Sequence[Conversation],
    about: str,
    settings: Settings,
    out: Path,
    told: Callable[[str, int, int], None],
    *,
    resume: bool = False,
) -> tuple[Step, ...]:
    """The steps made; the model that came of them is in ``out``/model. The same for a seed, however often interrupted.

    ``about`` says what is learned from and by whom; what was begun with another is not gone on with.

    Raises:
        ConfigError: there is a training in ``out`` and ``resume`` is not given, or it is another; ``out`` cannot be
            written; a conversation cannot be learned from.
    """
    trained = learner.trained()
    optimiser = torch.optim.AdamW(trained.values(), lr=settings.rate, weight_decay=0.0)
    each = math.ceil(len(conversations) / settings.batch)
    steps = each * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step, steps, settings.warm_up))
    agreed = {"about": about, "conversations": len(conversations), **asdict(settings), "save_every": 0}
    start = _resumed(out, trained, optimiser, schedule, agreed) if resume else _fresh(out)
    made: list[Step] = []
    for step in range(start, steps):
        order = np.random.default_rng([settings.seed, step // each]).permutation(len(conversations))
        at = step % each * settings.batch
        batch = [conversations[int(number)] for number in order[at : at + settings.batch]]
        optimiser.zero_grad()
        loss = _backward(learner, batch)
        torch.nn.utils.clip_grad_norm_(trained.values(), _LONGEST_STEP)
        rate = float(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
        made.append(Step(step + 1, loss, rate))
        if (step + 1) % settings.save_every == 0 or step + 1 == steps:
            _save(out, trained, optimiser, schedule, agreed, made)
        told("steps", step + 1, steps)
    learner.save(out / MODEL)
    return tuple(made)


def share_of_rate(step: int, steps: int, warm_up: float) -> float:
    """Of the highest learning rate, at a step counted from 0: a line up from 0, then half a cosine down to 0."""
    rising = math.ceil(steps * warm_up)
    if step < rising:
        return step / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _backward(learner: Learner, batch: Sequence[Conversation]) -> float:
    """Gradients of the mean over the batch's tokens, one conversation after the other, to save memory."""
    count, total = sum(learner.tokens(one) for one in batch), 0.0
    for one in batch:
        loss = learner.loss(one) / count
        loss.backward()
        total += float(loss.detach())
    return total


def _fresh(out: Path) -> int:
    if (out / STATE).exists():
        raise ConfigError(f"{out}: holds a training already; go on with it (--resume) or choose another folder")
    return 0


def _resumed(out: Path, trained: dict[str, Any], optimiser: Any, schedule: Any, agreed: dict[str, Any]) -> int:
    try:
        state = torch.load(out / STATE, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise ConfigError(f"{out / STATE}: no training to go on with: {error}") from error
    if state["agreed"] != agreed:
        apart = [name for name in agreed if state["agreed"].get(name) != agreed[name]]
        told = ", ".join(f"{name} {state['agreed'].get(name)!r}, not {agreed[name]!r}" for name in apart)
        raise ConfigError(f"{out}: was begun with {told}")
    with torch.no_grad():
        for name, tensor in state["trained"].items():
            trained[name].copy_(tensor)
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])


def _save(
    out: Path, trained: dict[str, Any], optimiser: Any, schedule: Any, agreed: dict[str, Any], made: list[Step]
) -> None:
    state: dict[str, Any] = {"trained": {name: tensor.detach() for name, tensor in trained.items()}, "agreed": agreed}
    state |= {"optimiser": optimiser.state_dict(), "schedule": schedule.state_dict(), "step": made[-1].step}
    try:
        out.mkdir(parents=True, exist_ok=True)
        fresh = out / f"{STATE}.new"
        torch.save(state, fresh)
        fresh.replace(out / STATE)
        known = _history(out, before=made[0].step)
        (out / HISTORY).write_text("".join(json.dumps(asdict(step)) + "\n" for step in (*known, *made)))
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error}") from error


def _history(out: Path, before: int) -> list[Step]:
    """Of former runs."""
    if not (out / HISTORY).exists():
        return []
    steps = [Step(**json.loads(line)) for line in (out / HISTORY).read_text().splitlines()]
    return [step for step in steps if step.step < before]
