"""Sentences as vectors: BGE-small (English) on ONNX Runtime."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.models.sessions import open_session

_MAX_TOKENS = 512
_Floats = npt.NDArray[np.float32]


class SentenceEmbedder:
    """Embeds sentences; may be called from several threads at once."""

    name = "bge-small-en"

    def __init__(self, directory: Path, threads: int = 1, cache_size: int = 4096) -> None:
        """Load ``model.onnx`` and ``tokenizer.json`` from ``directory``.

        ``cache_size`` is how many sentences are remembered (1.5 KB each): captions repeat themselves a lot.

        Raises:
            ModelLoadError: naming the file.
        """
        self._session, self.revision = open_session(directory / "model.onnx", threads)
        """``revision``: first 12 digits of the weights' sha256."""
        try:
            self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # the tokenizers library raises bare Exception
            raise ModelLoadError(f"{directory / 'tokenizer.json'}: {error}") from error
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()
        self.dimension = int(self._session.get_outputs()[0].shape[-1])
        """Length of a vector."""
        self._known: OrderedDict[str, _Floats] = OrderedDict()
        self._cache_size = cache_size
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> _Floats:
        """(n, d) float32, one row a text, each of length 1: a row's dot product with another is their cosine.

        Raises:
            InferenceError: the network failed.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> _Floats:
        with self._lock:
            if (known := self._known.get(text)) is not None:
                self._known.move_to_end(text)
                return known
        vector = self._run(text)
        with self._lock:
            self._known[text] = vector
            while len(self._known) > self._cache_size:
                self._known.popitem(last=False)
        return vector

    def _run(self, text: str) -> _Floats:
        # One sentence a call: the weights are quantised with a scale taken from the whole batch, so a sentence's
        # vector would depend on its neighbours, and a replay would not repeat a live run.
        encoding = self._tokenizer.encode(text)
        feed = {
            "input_ids": np.array([encoding.ids], np.int64),
            "attention_mask": np.array([encoding.attention_mask], np.int64),
            "token_type_ids": np.array([encoding.type_ids], np.int64),
        }
        try:
            (hidden,) = self._session.run(None, feed)
            first: _Floats = hidden[0, 0].astype(np.float32)  # the model is trained on its first token's state
        except Exception as error:  # ONNX Runtime's errors have no common base of their own
            raise InferenceError(f"{self.name}: {error}") from error
        normalised: _Floats = first / max(float(np.linalg.norm(first)), 1e-12)
        return normalised
