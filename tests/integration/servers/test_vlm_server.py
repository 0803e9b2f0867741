"""The vision-language captioner against a real vLLM server: pictures, tokens, schema, self-test, replay, timing.

The model's weights are random: what it says means nothing. That its replies are descriptions all the same, and that
others find their way from it, is what is proved.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from streamproc.cli import app
from streamproc.config import PipelineSettings, VlmPerception
from streamproc.errors import ConfigError, ReplyError
from streamproc.modelserver import ModelServer
from streamproc.perception.selftest import VisionServer
from streamproc.perception.vlm import VlmCaptioner, messages, show
from streamproc.runtime.clock import SystemClock
from streamproc.trial import _drawn, try_servers
from streamproc.types import Caption, ObservedWindow

FAMILIES = Path(__file__).parents[3] / "deploy" / "vision_models.md"
TOKENS = 16
"""Of one picture: 56x56 pixels in patches of 14."""
PIPELINE = PipelineSettings.model_validate({"schema_version": 1, "name": "p", "sampling": {"width_px": 320}})


def settings(vlm: Any, **changes: object) -> VlmPerception:
    at = {"kind": "vlm", "base_url": f"{vlm.base_url}/v1", "model": vlm.model}
    patient = {"deadline_s": 300, "retries": 0, "max_tokens": 3000, "image_width_px": 320, "max_in_flight": 4}
    return VlmPerception.model_validate(at | patient | changes)


@pytest.fixture
def eyes(vlm: Any) -> Iterator[Callable[..., VisionServer]]:
    made: list[VisionServer] = []

    def make(served: Any = vlm, **changes: object) -> VisionServer:
        made.append(VisionServer(settings(served, **changes), SystemClock()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def windows(count: int) -> list[ObservedWindow]:
    return [one for one, _ in zip(_drawn(PIPELINE.sampling), range(count), strict=False)]


def test_each_picture_costs_the_tokens_of_its_patches(vlm: Any, eyes: Callable[..., VisionServer]) -> None:
    server, (observed,) = eyes(), windows(1)
    costs = []
    for count in (2, 3, 4):  # with one the words differ as well
        asked = settings(vlm, frames_per_window=count, close_ups=0)
        costs.append(server.cost(messages(show(observed, asked), asked)).prompt_tokens or 0)
    print(f"  tokens with 2, 3, 4 pictures: {costs}")
    assert [more - less for less, more in pairwise(costs)] == [TOKENS] * 2


def test_a_model_of_random_weights_passes_and_is_doubted(eyes: Callable[..., VisionServer]) -> None:
    with capture_logs() as logged:
        assert eyes().check() == ("tiny-llava",)
    doubts = [one["reason"] for one in logged if one["event"] == "model_doubtful"]
    print("\n".join(f"  doubted: {doubt}" for doubt in doubts))
    assert any("red and a blue square" in doubt or "none of the colours" in doubt for doubt in doubts)


@pytest.mark.parametrize(
    ("changes", "reason", "remedy"),
    [
        ({"frames_per_window": 5}, "refuses 5 pictures in a request", r"""--limit-mm-per-prompt '{"image": 5}'"""),
        ({"model": "qwen2.5-vl-7b"}, "does not serve qwen2.5-vl-7b; it has: tiny-llava", ""),
    ],
    ids=["more pictures than permitted", "another model"],
)
def test_what_the_server_does_not_permit_is_refused_at_start(
    eyes: Callable[..., VisionServer], changes: dict[str, object], reason: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        eyes(**changes).check()
    print(f"  refused: {caught.value}")
    assert remedy in str(caught.value)


def test_a_context_too_small_for_pictures_and_reply_is_refused(eyes: Callable[..., VisionServer]) -> None:
    server = eyes(max_tokens=4096)
    ModelServer.check(server)
    assert server.context_tokens == 8192  # as vLLM lists it
    wordy = server.settings.model_copy(update={"max_tokens": 8000})  # beyond what settings permit
    told = "has (no )?room for"
    with closing(VisionServer(wordy, SystemClock())) as small, pytest.raises(ConfigError, match=told) as caught:
        small.check()
    print(f"  refused: {caught.value}")
    assert "--max-model-len" in str(caught.value)


def test_a_model_without_eyes_is_refused_at_start(vllm: Any, eyes: Callable[..., VisionServer]) -> None:
    with pytest.raises(ConfigError, match="takes no picture") as caught:
        eyes(vllm).check()
    print(f"  refused: {caught.value}")


def test_windows_become_captions_in_the_form_asked_for(vlm: Any, eyes: Callable[..., VisionServer]) -> None:
    asked = settings(vlm)
    captioner = VlmCaptioner(eyes(), asked)
    captions: list[Caption] = []
    failed: list[str] = []
    for observed in windows(6):
        assert show(observed, asked).regions  # what moves is marked, and the schema knows it
        try:
            captions.append(captioner.caption(observed))
        except ReplyError as error:
            failed.append(str(error))
    for caption in captions:
        assert [fact.about for fact in caption.facts] == sorted((f.about for f in caption.facts), reverse=True)
        assert caption.text
    print(f"  {len(captions)} captions of {sum(len(one.facts) for one in captions)} facts, {len(failed)} unusable")
    assert len(captions) >= 4
    assert all("truncated" in one for one in failed)  # never another form: the schema holds


def test_the_check_for_sites_times_the_server(vlm: Any) -> None:
    pipeline = PIPELINE.model_copy(update={"perception": settings(vlm)})
    report = try_servers(pipeline, None, 4, SystemClock())
    print(f"  {str(report).replace(chr(10), chr(10) + '  ')}")
    (trial,) = report.trials
    assert trial.refused is None
    assert trial.alone is not None
    assert trial.together is not None
    assert (trial.alone.lost, trial.together.lost, trial.pictures) == (0, 0, 4.0)
    assert trial.read_tokens is not None
    assert trial.read_tokens > 4 * TOKENS


def test_a_replay_raises_alerts_from_what_the_model_says(vlm: Any, tmp_path: Path) -> None:
    clip = cv2.VideoWriter(str(tmp_path / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 240))
    for i in range(60):
        picture = np.full((240, 320, 3), 90, np.uint8)
        cv2.rectangle(picture, (4 * i, 80), (4 * i + 20, 130), (30, 200, 250), cv2.FILLED)
        clip.write(picture)
    clip.release()
    (tmp_path / "tiny.yaml").write_text(
        json.dumps(
            {
                "schema_version": 1,
                "name": "tiny",
                "sampling": {"width_px": 320, "window_s": 1.0, "gate_motion": 0},
                "perception": settings(vlm).model_dump(mode="json"),
                "deduction": {"smoothing_s": 0},
            }
        )
    )
    crowd = {"id": "crowd", "about": "human", "says": "anomaly", "text": "More people than usual.", "severity": "error"}
    rules = {"schema_version": 1, "site": "s", "camera": "gate", "version": 1}
    (tmp_path / "rules.yaml").write_text(json.dumps(rules | {"rules": [crowd | {"more_people_than": 0}]}))
    (tmp_path / "site.yaml").write_text(
        json.dumps(
            {
                "schema_version": 1,
                "site": {"id": "s"},
                "pipeline": "tiny.yaml",
                "cameras": [{"id": "gate", "main": "clip.mp4", "rules": "rules.yaml"}],
                "alerts": {"sinks": [{"kind": "jsonl", "path": "alerts.jsonl"}]},
            }
        )
    )
    command = ["replay", str(tmp_path / "site.yaml"), "--camera", "gate", "--video", str(tmp_path / "clip.mp4")]
    ran = CliRunner().invoke(app, [*command, "--start", "2026-11-21T08:00:00Z"])
    print(f"  {ran.stderr.strip().splitlines()[-1] if ran.stderr else ''}")
    assert ran.exit_code == 0, ran.output
    alerts = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert alerts
    opened = alerts[0]["data"]
    assert [rule["id"] for rule in opened["cited_rules"]] == ["crowd"]
    (model,) = [one for one in opened["models"] if one["role"] == "perception"]
    print(f"  alert: {opened['action']} {opened['severity']}, by {model['name']}, prompt {model['prompt_sha256'][:12]}")
    assert model["name"] == "tiny-llava"


def test_the_families_serve_lines_are_ones_that_this_vllm_takes(vlm: Any) -> None:
    """Its own parser reads them, and it knows the models; whether they load needs their weights and a GPU."""
    text = FAMILIES.read_text().replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("vllm serve")]
    known = re.findall(r"`(\w+(?:ForConditionalGeneration|ChatModel))`", FAMILIES.read_text())
    ask = (
        "import json, sys\n"
        "from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "from vllm.model_executor.models.registry import _MULTIMODAL_MODELS\n"
        "lines, known = json.loads(sys.argv[1])\n"
        "assert set(known) <= set(_MULTIMODAL_MODELS), known\n"
        "for line in lines:\n"
        "    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(line)\n"
        "    validate_parsed_serve_args(parsed)\n"
        "    print('  taken', parsed.model_tag, parsed.max_model_len, parsed.limit_mm_per_prompt)\n"
    )
    assert len(lines) == 4
    assert len(known) == 4
    python = vlm.directory / "bin" / "python"
    given = json.dumps([[line[2:] for line in lines], known])
    ran = subprocess.run([python, "-c", ask, given], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    print("\n".join(line for line in ran.stdout.splitlines() if line.startswith("  taken")))
