"""`plan` as a shell knows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamproc import cli
from streamproc.testing_wiring import write_site

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, logging_as_it_was: None
) -> Run:
    """Runs ``streamproc plan``: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamproc", "plan", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_a_table_with_where_each_row_is_from(run: Run) -> None:
    code, out, _ = run("--cameras", 12, "--cores", 8)
    assert code == 0
    assert out.startswith("12 cameras, preset embedded\n")
    for words in ("plan_parts.txt", "cores to have", "processes that watch", "what is full first", "8 cores, as given"):
        assert words in out


def test_a_gpu_site_with_what_models_check_told(run: Run) -> None:
    code, out, _ = run(
        "--cameras", 32, "--pipeline", "gpu-vllm", "--replies-per-s", 4, "--moving", 1, "--gpus", 2, "--json"
    )
    assert code == 0
    amounts = {row["what"]: row["amount"] for row in json.loads(out)["rows"]}
    assert amounts["captions: windows asked"] == pytest.approx(32)
    assert amounts["captions: servers"] == 12  # 32 / (4 * 0.7) = 11.4
    assert amounts["captions: GPUs"] == 24
    assert amounts["judge: servers"] is None


def test_a_sites_cameras_sub_streams_and_regions_are_counted(run: Run, tmp_path: Path) -> None:
    site = write_site(tmp_path, "gate", "yard", "door", pipeline="inspection")
    text = site.read_text(encoding="utf-8")
    corners = "polygon: [[0, 0], [0.5, 0], [0.5, 0.5]]"
    text = text.replace("id: gate,", "id: gate, sub: sub.mp4, inspected_objects: [car],")
    text = text.replace("id: door,", f"id: door, regions: [{{name: a, {corners}}}, {{name: b, {corners}}}],")
    site.write_text(text, encoding="utf-8")
    code, out, _ = run("--site", site, "--json")
    assert code == 0
    amounts = {row["what"]: row["amount"] for row in json.loads(out)["rows"]}
    assert (amounts["cameras"], amounts["with a sub-stream"], amounts["regions inspected"]) == (3, 1, 2)
    assert "inspection, 3 crops/s" in amounts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "either --cameras N or --site FILE"),
        (["--cameras", 2, "--site", "site.yaml"], "either --cameras N or --site FILE"),
        (["--cameras", 0], "--cameras"),
        (["--cameras", 2, "--pipeline", "nope"], "permitted: embedded, gpu-vllm, inspection"),
        (["--cameras", 2, "--resolution", "big"], "write width and height, e.g. 1280x720"),
        (["--cameras", 2, "--fps", 0], "--fps"),
        (["--cameras", 2, "--moving", 2], "--moving"),
        (["--cameras", 2, "--replies-per-s", 2, "--window-s", 2], "either --replies-per-s or --window-s"),
        (["--site", "none.yaml"], "none.yaml"),
        (["--cameras", 2, "--replies-per-s", 2], "embedded has no vision-language model"),
        (["--cameras", 2, "--judge-replies-per-s", 2], "embedded has no deciding language model"),
        (["--cameras", 2, "--gpus", 2], "--gpus changes nothing here: embedded asks no model server"),
        (["--cameras", 2, "--pipeline", "gpu-vllm", "--gpus", 2], "without --replies-per-s no servers are counted"),
        (["--cameras", 2, "--window-s", 2], "embedded has no vision-language model"),
        (["--cameras", 2, "--regions", 2], "embedded inspects nothing"),
        (["--cameras", 2, "--sub-resolution", "640x360"], "sub-streams are counted in a site file"),
    ],
)
def test_nonsense_is_refused(run: Run, arguments: list[object], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
