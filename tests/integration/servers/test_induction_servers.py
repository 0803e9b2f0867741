"""`streamproc induce --captions` with a language model, from the command line to the rule file, on real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamproc.config import LlmInduction, ServerSettings
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore
from streamproc.modelserver import ModelServer
from streamproc.rules.language import LanguageModelInducer
from streamproc.rules.lint import lint
from streamproc.rules.schema import RuleSetModel, parse_rules
from streamproc.rules.store import Footage, save_rules
from streamproc.runtime.clock import SystemClock
from streamproc.testing_deduction import caption

pytestmark = pytest.mark.models
HERE = Path(__file__).parent
NORMAL: dict[str, list[str]] = YAML(typ="safe").load((HERE / "yard_normal.yaml").read_text(encoding="utf-8"))
PRESET = """\
schema_version: 1
name: own
induction:
  kind: llm
  base_url: {base_url}/v1
  model: {model}
  max_tokens: 1500
  deadline_s: 300
  retries: 0
"""


def induce(folder: Path, served: Any, references: int) -> dict[str, Any]:
    """The command's report; it writes ``yard.yaml``."""
    rows = (
        json.dumps({"video": video, "frame": frame, "label": 0, "caption": text})
        for video, texts in NORMAL.items()
        for frame, text in enumerate(texts)
    )
    (folder / "yard.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "own.yaml").write_text(PRESET.format(base_url=served.base_url, model=served.model), encoding="utf-8")
    command = [sys.executable, "-m", "streamproc.cli", "induce", "--captions", "yard.jsonl", "--preset", "./own.yaml"]
    command += ["--videos", ",".join(NORMAL), "--references", str(references), "--json"]
    began_s = time.monotonic()
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    report: dict[str, Any] = json.loads(ran.stdout)
    print(f"\n  {time.monotonic() - began_s:.0f} s: {report}")
    return report


def written(folder: Path) -> RuleSetModel:
    """The rule file, printed; it has no errors."""
    _, model, _ = parse_rules((folder / "yard.yaml").read_bytes(), "yard.yaml")
    for one in model.rules:
        on = "on      " if one.enabled else "proposed"
        support = f"{one.support.k}/{one.support.n}" if one.support else "-"
        print(f"    {on} {support} {one.says} {one.about}: {one.text} {list(one.keywords)}")
    assert model.provenance is not None
    print(f"    contradicted: {[one.text for one in model.provenance.contradicted]}")
    print(f"    lint: {Counter(finding.level for finding in lint(folder / 'yard.yaml'))}")
    return model


def test_the_tiny_model_writes_rules_from_the_command_line(vllm: Any, tmp_path: Path) -> None:
    report = induce(tmp_path, vllm, references=2)
    model = written(tmp_path)
    assert report["captions"] == sum(map(len, NORMAL.values()))
    assert model.rules
    assert all(one.support and one.support.n <= 2 for one in model.rules)
    assert model.provenance is not None
    # It repeats what is normal as anomalies, which are then found to contradict it.
    assert any(one.says == "anomaly" for one in model.rules) or model.provenance.contradicted
    assert model.provenance.videos == tuple(NORMAL)
    assert "smollm2" in model.provenance.how


def test_the_small_model_writes_rules_and_further_inductions_pile_up_none(
    judge: Any, client: Callable[[ServerSettings], ModelServer], tmp_path: Path
) -> None:
    embedder = SentenceEmbedder(ModelStore().ensure("bge-small"))
    told = [text for texts in NORMAL.values() for text in texts]
    said = [caption(text=text) for text in told]
    counts = []
    for seed in range(3):
        settings = LlmInduction.model_validate(
            {"kind": "llm", "base_url": f"{judge.base_url}/v1", "model": judge.model, "deadline_s": 300, "retries": 0}
            | {"max_tokens": 1200, "max_in_flight": 1, "batches": 4, "choice": "random", "seed": seed}
        )
        began_s = time.monotonic()
        learned = LanguageModelInducer(client(settings), embedder, settings).induce(said)
        merge = save_rules(tmp_path / "yard.yaml", "judged", "yard", learned, Footage((), SystemClock().now()))
        print(f"\n  {time.monotonic() - began_s:.0f} s, seed {seed}: {learned.how}")
        model = written(tmp_path)
        proposed = [one for one in model.rules if not one.enabled and one.id not in merge.retired]
        counts.append((len(learned.rules), len(merge.proposed), len(proposed), len(model.rules)))
    print(f"  induced, proposed, off in the file, in the file: {counts}")
    assert model.provenance is not None
    retired = len(model.provenance.retired)
    # Those of the last induction, at most one a section that carries its heading, and what was in force before.
    assert len(model.rules) <= counts[-1][0] + 4 + retired
