"""Sentences to vectors, with a tiny network: what is remembered, the shape, the length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.models.sentences import SentenceEmbedder

WORDS = ["[UNK]", "someone", "runs", "walks"]
TABLE = np.array([[9, 9, 9], [3, 4, 0], [0, 0, 2], [0, 5, 0]], np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network that looks each token up in ``TABLE``, and a tokenizer of four words."""
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    names = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ("n", "tokens")) for name in names],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ("n", "tokens", 3))],
        [numpy_helper.from_array(TABLE, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(tmp_path / "model.onnx"))
    return tmp_path


def count_runs(embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ran: list[str] = []
    run = embedder._run
    monkeypatch.setattr(embedder, "_run", lambda text: ran.append(text) or run(text))  # type: ignore[func-returns-value]
    return ran


def test_a_row_each_in_order_of_length_one(folder: Path) -> None:
    vectors = SentenceEmbedder(folder).embed(["someone runs", "walks", "runs"])
    np.testing.assert_allclose(vectors, np.array([[0.6, 0.8, 0], [0, 1, 0], [0, 0, 1]]), atol=1e-6)
    assert vectors.dtype == np.float32


def test_no_sentence_gives_no_row(folder: Path) -> None:
    assert SentenceEmbedder(folder).embed([]).shape == (0, 3)


def test_a_repeated_sentence_is_embedded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = SentenceEmbedder(folder)
    ran = count_runs(embedder, monkeypatch)
    vectors = embedder.embed(["runs", "walks", "runs"])
    embedder.embed(["walks"])
    assert ran == ["runs", "walks"]
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_only_so_many_sentences_are_remembered_the_least_used_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = SentenceEmbedder(folder, cache_size=2)
    ran = count_runs(embedder, monkeypatch)
    for text in ("runs", "walks", "runs", "someone", "runs", "walks"):
        embedder.embed([text])
    assert ran == ["runs", "walks", "someone", "walks"]


def test_a_caller_may_change_what_it_got(folder: Path) -> None:
    embedder = SentenceEmbedder(folder)
    embedder.embed(["runs"])[:] = 7.0
    np.testing.assert_allclose(embedder.embed(["runs"]), [[0, 0, 1]])


def test_a_failing_network_is_an_inference_error_of_that_call_only(folder: Path) -> None:
    embedder = SentenceEmbedder(folder)
    with pytest.raises(InferenceError, match="bge-small-en"):
        embedder.embed([""])  # this tokenizer adds no [CLS], so there is no first token to read
    assert embedder.embed(["runs"]).shape == (1, 3)


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelLoadError, match=r"tokenizer\.json"):
        SentenceEmbedder(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelLoadError, match=r"model\.onnx"):
        SentenceEmbedder(folder)
