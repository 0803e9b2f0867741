"""`inspect export` and `inspect projector`: weights in the forms that are served."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from streamproc.cli import app
from streamproc.commands import inspecting_exports
from streamproc.inspection import checkpoint
from streamproc.inspection.checkpoint import save_expert
from streamproc.inspection.header import OFFICIAL, Header
from streamproc.inspection.serving import OnnxExpert
from streamproc.inspection.variants import make_expert


def export(weights: Path, out: Path) -> Result:
    return CliRunner().invoke(app, ["inspect", "export", str(weights), "--out", str(out)])


def test_an_expert_of_ones_own_keeps_its_header(tmp_path: Path) -> None:
    header = Header(backbone="fake", revision="1", channels=6, side=4, hidden=4, close_ups=3, recipe="by hand")
    save_expert(make_expert(header), tmp_path / "expert.pt")
    ran = export(tmp_path / "expert.pt", tmp_path / "expert.onnx")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == f"{tmp_path / 'expert.onnx'}: reads fake 1, 6 channels\n"
    assert OnnxExpert(tmp_path / "expert.onnx").header == header


def test_published_weights_are_served_in_close_ups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = OFFICIAL.model_copy(update={"channels": 6, "side": 4, "hidden": 4})
    monkeypatch.setattr(checkpoint.load_expert, "__defaults__", (None, small))
    torch.save(make_expert(small).state_dict(), tmp_path / "pytorch_model.pth")
    ran = export(tmp_path / "pytorch_model.pth", tmp_path / "expert.onnx")
    assert ran.exit_code == 0, ran.output
    served = OnnxExpert(tmp_path / "expert.onnx")
    assert (served.header.backbone, served.close_ups) == ("llava-onevision-siglip", 6)


def test_what_is_no_expert_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    torch.save({"layer": torch.zeros(2)}, tmp_path / "other.pth")
    ran = export(tmp_path / "other.pth", tmp_path / "expert.onnx")
    assert ran.exit_code != 0
    assert "other.pth" in ran.output + str(ran.exception)
    (tmp_path / "torn.pth").write_bytes(b"hello")
    said = str(export(tmp_path / "torn.pth", tmp_path / "expert.onnx").exception)
    assert said.endswith(
        "not a file of weights alone; an expert's weights are the published .pth, or expert.pt of "
        "`streamproc inspect train`"
    )
    (tmp_path / "torn.pth").rename(tmp_path / "served.onnx")
    assert "is an ONNX model already" in str(export(tmp_path / "served.onnx", tmp_path / "expert.onnx").exception)
    assert not (tmp_path / "expert.onnx").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    save_expert(make_expert(Header(backbone="f", revision="", channels=6, side=4, hidden=4)), tmp_path / "expert.pt")
    ran = export(tmp_path / "expert.pt", tmp_path / "nowhere" / "expert.onnx")
    assert ran.exit_code != 0
    assert "nowhere/expert.onnx: cannot be written" in ran.output + str(ran.exception)


def test_a_projector_of_what_is_no_model_is_refused(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["inspect", "projector", str(tmp_path), "--out", str(tmp_path / "p.npz")])
    assert ran.exit_code != 0
    assert "holds no config.json" in ran.output + str(ran.exception)


def test_what_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting_exports, "find_spec", lambda _: None)
    ran = CliRunner().invoke(app, ["inspect", "projector", "m"])
    assert "this needs torch, safetensors: pip install 'streamproc[inspection]'" in ran.output + str(ran.exception)
