"""Stage 1 of Anomaly-OV: the expert learns from encoded pictures, the encoder stays as it is (section 3.5)."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamproc.errors import ConfigError
from streamproc.inspection.header import Header
from streamproc.inspection.nouns import TAPS
from streamproc.inspection.training.bank import Bank, Told
from streamproc.inspection.training.losses import balanced_bce, class_weights, map_loss
from streamproc.inspection.variants import make_expert

STATE = "state.pt"
"""All that training needs to go on, written after each epoch."""
HISTORY = "history.jsonl"
"""A line an epoch: the losses, and how the held-out pictures fared."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how fast; the rates are the paper's."""

    epochs: int = 2
    batch: int = 128
    rate: float = 1e-4
    """AdamW's first learning rate; cosine, restarted every half epoch."""
    map_weight: float = 1.0
    """Of the maps' loss beside the score's; 0 learns from labels alone, as the paper."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    loss: float
    map_loss: float
    auroc: float | None
    """Of the held-out pictures; None where there are none of both kinds."""


def train(
    banks: Sequence[Bank],
    held_out: Sequence[Bank],
    header: Header,
    settings: Settings,
    out: Path,
    told: Told,
    *,
    resume: bool = False,
) -> Any:
    """An expert of ``header``'s shape that learned from ``banks``; deterministic for a seed, however often interrupted.

    Raises:
        ConfigError: there is something in ``out`` and ``resume`` is not given, or what is there is of other settings;
            banks of another shape.
    """
    for bank in (*banks, *held_out):
        if (bank.identity.side, bank.identity.channels) != (header.side, header.channels):
            raise ConfigError(f"{bank.identity.source}: its features do not fit an expert of {header}")
    torch.manual_seed(settings.seed)
    expert = make_expert(header)
    optimiser = torch.optim.AdamW(expert.parameters(), lr=settings.rate)
    steps = sum(math.ceil(len(bank) / settings.batch) for bank in banks)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=max(1, math.ceil(steps / 2)))
    parts = {"expert": expert, "optimiser": optimiser, "schedule": schedule}
    start = _resumed(out, parts, header, settings) if resume else _fresh(out)
    defective = sum(int(bank.labels.sum()) for bank in banks)
    weights = class_weights(defective, sum(len(bank) for bank in banks) - defective)
    for epoch in range(start, settings.epochs):
        totals, expert = np.zeros(2), expert.train()
        for step, batch in enumerate(_batches(banks, settings, epoch), 1):
            opinion = expert(batch.tokens, batch.taps)
            score = balanced_bce(opinion.logit, batch.labels, weights)
            look = map_loss(opinion.maps[:, 0].flatten(1), batch.shares, batch.known)
            optimiser.zero_grad()
            (score + settings.map_weight * look).backward()
            optimiser.step()
            schedule.step()
            totals += (float(score.detach()), float(look.detach()))
            told(f"epoch {epoch + 1} of {settings.epochs}", step, steps)
        loss, look_loss = (totals / steps).tolist()
        line = Epoch(epoch + 1, loss, look_loss, held_out_auroc(expert, held_out, settings.batch))
        _save(out, parts, header, settings, line)
    return expert.eval()


def use_threads(count: int) -> None:
    """How many cores PyTorch takes; results are the same bit by bit for the same number only."""
    torch.set_num_threads(count)


def held_out_auroc(expert: Any, banks: Sequence[Bank], batch: int) -> float | None:
    """Image AUROC over ``banks``; None where one of the two kinds is missing."""
    values: list[float] = []
    labels: list[int] = []
    with torch.no_grad():
        for part in in_turn(banks, batch):
            values += expert.eval()(part.tokens, part.taps).logit.tolist()
            labels += part.labels.tolist()
    return auroc(np.array(values), np.array(labels))


def in_turn(banks: Sequence[Bank], batch: int) -> Iterator[Batch]:
    """All samples once, upright and in their order."""
    for bank in banks:
        for start in range(0, len(bank), batch):
            yield _batch(bank, np.arange(start, min(start + batch, len(bank))), 0)


def auroc(values: np.ndarray, labels: np.ndarray) -> float | None:
    """The share of pairs in which the defective one scores higher; a tie is half a pair."""
    from scipy.stats import rankdata

    bad, good = int((labels > 0).sum()), int((labels == 0).sum())
    if not bad or not good:
        return None
    ranks = rankdata(values)
    return float((ranks[labels > 0].sum() - bad * (bad + 1) / 2) / (bad * good))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """b samples as tensors, in the shapes that an expert and the losses take."""

    tokens: Any
    taps: Any
    labels: Any
    shares: Any
    known: Any


def _batches(banks: Sequence[Bank], settings: Settings, epoch: int) -> Iterator[Batch]:
    """All samples once, in an order of the seed and epoch; each batch of one bank and turned as a whole."""
    rng = np.random.default_rng([settings.seed, epoch])
    plan = [
        (bank, rows)
        for bank in banks
        for rows in np.array_split(rng.permutation(len(bank)), math.ceil(len(bank) / settings.batch))
    ]
    for place in rng.permutation(len(plan)):
        bank, rows = plan[place]
        yield _batch(bank, np.sort(rows), int(rng.integers(8)))


def _batch(bank: Bank, rows: np.ndarray, turn: int) -> Batch:
    """Samples as tensors; ``turn`` 0..7 is one of the square's symmetries (what is defective is so upside down too)."""
    side = bank.identity.side
    upright = np.arange(side * side).reshape(side, side)
    order = np.rot90(upright if turn < 4 else upright[:, ::-1], turn % 4).flatten()
    features = torch.from_numpy(np.asarray(bank.features[rows])[:, :, :, order].astype(np.float32))
    return Batch(
        tokens=features[:, :, TAPS],
        taps=features[:, :, :TAPS].transpose(1, 2),
        labels=torch.from_numpy(np.asarray(bank.labels[rows], np.float32)),
        shares=torch.from_numpy(np.asarray(bank.masks[rows][:, order], np.float32) / 255),
        known=torch.from_numpy(np.asarray(bank.masked[rows], np.float32)),
    )


def _fresh(out: Path) -> int:
    if (out / STATE).exists():
        raise ConfigError(f"{out}: holds a training already; go on with it (--resume) or choose another folder")
    return 0


def _agreed(header: Header, settings: Settings) -> dict[str, Any]:
    """What must be equal to go on; the number of epochs may differ."""
    return {"header": header.model_dump(), **{k: v for k, v in asdict(settings).items() if k != "epochs"}}


def _resumed(out: Path, parts: dict[str, Any], header: Header, settings: Settings) -> int:
    try:
        state = torch.load(out / STATE, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise ConfigError(f"{out / STATE}: no training to go on with: {error}") from error
    if state["agreed"] != _agreed(header, settings):
        raise ConfigError(f"{out}: was begun with {state['agreed']}, not {_agreed(header, settings)}")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epoch"])


def _save(out: Path, parts: dict[str, Any], header: Header, settings: Settings, line: Epoch) -> None:
    out.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    fresh = out / f"{STATE}.new"
    torch.save({**state, "epoch": line.epoch, "agreed": _agreed(header, settings)}, fresh)
    os.replace(fresh, out / STATE)  # noqa: PTH105
    with (out / HISTORY).open("a") as history:
        history.write(json.dumps(asdict(line)) + "\n")
