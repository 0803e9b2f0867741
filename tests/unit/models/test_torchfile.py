"""Reading PyTorch's older checkpoints, held against PyTorch, which writes them."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.errors import ModelLoadError
from streamproc.models.torchfile import read_tensors

torch = pytest.importorskip("torch")


def saved(path: Path, state: Any) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def test_tensors_are_those_that_were_saved(tmp_path: Path) -> None:
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = OrderedDict(
        plain=whole, turned=whole.T, part=whole[1:3, 2:], scalar=torch.tensor(7), ints=torch.arange(5), none=whole[:0]
    )
    read = read_tensors(saved(tmp_path / "a.pth", state))
    assert list(read) == list(state)
    for name, tensor in state.items():
        assert read[name].dtype == tensor.numpy().dtype
        assert read[name].shape == tensor.numpy().shape
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_a_models_state_dict_is_read(tmp_path: Path) -> None:
    norm = torch.nn.BatchNorm2d(3)
    read = read_tensors(saved(tmp_path / "a.pth", norm.state_dict()))
    assert set(read) == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert read["num_batches_tracked"] == 0


class Caller:
    """Touches a file when it is unpickled as pickles usually are."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_nothing_is_called_that_makes_no_tensor(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    path = saved(tmp_path / "a.pth", {"a": Caller(touched)})
    with pytest.raises(ModelLoadError, match=r"a\.pth.*it asks for"):
        read_tensors(path)
    assert not touched.exists()


def test_numbers_of_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"asks for torch\.HalfStorage"):
        read_tensors(saved(tmp_path / "a.pth", {"a": torch.zeros(2, dtype=torch.float16)}))


def test_a_tensor_that_reaches_out_of_its_numbers_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"a": torch.zeros(200)})
    path.write_bytes(path.read_bytes().replace(b"K\xc8\x85", b"K\xff\x85"))  # 200 as a shape of one
    with pytest.raises(ModelLoadError, match=r"of \(255,\) reaches out of its 200 numbers"):
        read_tensors(path)


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps(1), pickle.dumps([1, 2])])
def test_other_files_are_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(ModelLoadError, match=r"a\.pth"):
        read_tensors(tmp_path / "a.pth")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"a": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelLoadError, match=r"a\.pth"):
        read_tensors(path)


def test_a_newer_checkpoint_is_told_apart(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(ModelLoadError, match=r"a\.pth"):
        read_tensors(tmp_path / "a.pth")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"a\.pth: cannot be read"):
        read_tensors(tmp_path / "a.pth")
