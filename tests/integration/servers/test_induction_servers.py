"""`streamproc induce --captions` with a language model, from the command line to the rule file, on real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamproc.rules.lint import lint
from streamproc.rules.schema import RuleSetModel, parse_rules

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
  max_tokens: {max_tokens}
  deadline_s: 300
  retries: 0
"""


def induce(folder: Path, served: Any, references: int, max_tokens: int, times: int = 1) -> list[dict[str, Any]]:
    """The command's reports; the rule file is ``yard.yaml``, and each time is merged with what is there."""
    rows = (
        json.dumps({"video": video, "frame": frame, "label": 0, "caption": text})
        for video, texts in NORMAL.items()
        for frame, text in enumerate(texts)
    )
    (folder / "yard.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "own.yaml").write_text(
        PRESET.format(base_url=served.base_url, model=served.model, max_tokens=max_tokens), encoding="utf-8"
    )
    reports = []
    for seed in range(times):
        began_s = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "streamproc.cli",
            "induce",
            "--captions",
            "yard.jsonl",
            "--preset",
            "./own.yaml",
        ]
        command += ["--videos", ",".join(NORMAL), "--references", str(references), "--seed", str(seed)]
        ran = subprocess.run([*command, "--json"], cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-3000:]
        report = json.loads(ran.stdout)
        told = ("version", "normal_rules", "anomaly_rules", "alarm_score", "notes")
        print(
            f"\n  {time.monotonic() - began_s:.0f} s, seed {seed}: {len(report['proposed'])} proposed, "
            f"{', '.join(f'{name} {report[name]}' for name in told)}"
        )
        reports.append(report)
    return reports


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
    (report,) = induce(tmp_path, vllm, references=2, max_tokens=1500)
    model = written(tmp_path)
    assert report["captions"] == sum(map(len, NORMAL.values()))
    assert {one.says for one in model.rules} == {"normal", "anomaly"}
    assert all(one.support and one.support.n <= 2 for one in model.rules)
    assert model.provenance is not None
    assert model.provenance.videos == tuple(NORMAL)
    assert "smollm2" in model.provenance.how


def test_the_small_model_writes_rules_and_a_third_induction_piles_up_none(judge: Any, tmp_path: Path) -> None:
    first, _, last = induce(tmp_path, judge, references=4, max_tokens=1500, times=3)
    model = written(tmp_path)
    assert {one.says for one in model.rules if one.enabled} == {"normal", "anomaly"}
    assert len(last["proposed"]) <= 2 * len(first["proposed"])
    assert last["version"] == 3
