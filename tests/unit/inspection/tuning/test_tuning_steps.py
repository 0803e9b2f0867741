from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from streamproc.errors import ConfigError
from streamproc.inspection.instructions.conversations import Conversation

torch = pytest.importorskip("torch")


class Guessing:
    """Learns a number for each conversation's id; ids with a 1 have three tokens."""

    def __init__(self) -> None:
        self.guess = torch.nn.Parameter(torch.zeros(1))
        self.saved: list[Path] = []
        self.heard: list[str] = []

    def trained(self) -> dict[str, Any]:
        return {"guess": self.guess}

    def tokens(self, one: Conversation) -> int:
        return 3 if "1" in one.id else 1

    def loss(self, one: Conversation) -> Any:
        if torch.is_grad_enabled():
            self.heard.append(one.id)
        return ((self.guess - float(one.id)) ** 2).sum() * self.tokens(one)

    def save(self, folder: Path) -> None:
        self.saved.append(folder)


def conversations(count: int) -> list[Conversation]:
    turns = [{"from": "human", "value": "<image>\nQ"}, {"from": "gpt", "value": "A"}]
    return [
        Conversation.model_validate({"id": str(number), "image": "x.png", "conversations": turns})
        for number in range(count)
    ]


def run(out: Path, stop_at: int | None = None, about: str = "it", resume: bool = False, **changes: Any) -> Any:
    from streamproc.inspection.tuning.tune import Settings, tune

    def told(name: str, done: int, total: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    learner = Guessing()
    settings = Settings(**({"epochs": 2, "batch": 3, "rate": 0.1, "save_every": 2} | changes))
    return learner, tune(learner, conversations(7), about, settings, out, told, resume=resume)


def test_every_conversation_is_heard_once_an_epoch_in_another_order(tmp_path: Path) -> None:
    learner, steps = run(tmp_path)
    first, second = learner.heard[:7], learner.heard[7:]
    assert sorted(first) == sorted(second) == [str(number) for number in range(7)]
    assert first != second
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert learner.saved == [tmp_path / "model"]
    assert [json.loads(line)["step"] for line in (tmp_path / "history.jsonl").read_text().splitlines()] == [
        *range(1, 7)
    ]


def test_the_loss_is_the_mean_over_tokens_not_over_conversations(tmp_path: Path) -> None:
    _, steps = run(tmp_path, batch=7, epochs=1)
    assert steps[0].loss == pytest.approx((0 + 3 * 1 + 4 + 9 + 16 + 25 + 36) / 9)


def test_a_training_cut_short_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, steps = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at=5)
    cut, rest = run(tmp_path / "cut", resume=True)
    assert rest == steps[4:]
    assert torch.equal(cut.guess, whole.guess)
    assert (tmp_path / "cut" / "history.jsonl").read_text() == (tmp_path / "whole" / "history.jsonl").read_text()
    assert run(tmp_path / "cut", resume=True)[1] == ()


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ConfigError, match="holds a training already"):
        run(tmp_path)
    with pytest.raises(ConfigError, match=r"begun with about 'it', not 'other', rate 0\.1, not 0\.2"):
        run(tmp_path, about="other", rate=0.2, resume=True)
    with pytest.raises(ConfigError, match="no training to go on with"):
        run(tmp_path / "none", resume=True)


def test_the_rate_rises_then_falls_along_a_cosine() -> None:
    from streamproc.inspection.tuning.tune import share_of_rate

    assert [share_of_rate(step, 100, 0.03) for step in (0, 1, 3)] == [0, pytest.approx(1 / 3), 1]
    assert share_of_rate(3 + 97 // 2, 100, 0.03) == pytest.approx(0.5 * (1 + math.cos(math.pi * 48 / 97)))
    assert share_of_rate(100, 100, 0.03) == pytest.approx(0)


def test_the_defaults_are_the_papers_and_its_scripts() -> None:
    from streamproc.inspection.tuning.tune import Settings

    known = Settings()
    assert (known.epochs, known.batch, known.rate, known.warm_up) == (1, 128, 1e-5, 0.03)
