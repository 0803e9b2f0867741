from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamproc.errors import InferenceError, ModelLoadError
from streamproc.inspection.answers.projector import DOUBTS, LAYERS, NEWLINE, Projector, _resized
from streamproc.inspection.nouns import Features, Floats, Layout, Pixels, Reading, Score
from streamproc.inspection.spans import PHRASE_TOKENS, span_of
from streamproc.inspection.views import make_plain_views, make_views

C, H, SIDE = 3, 5, 4


def tensors() -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    shapes = dict(zip(LAYERS, ((H, C), (H,), (H, H), (H,)), strict=True)) | {NEWLINE: (H,)}
    shapes |= dict.fromkeys(DOUBTS, (PHRASE_TOKENS, H))
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def seen(layout: Layout) -> tuple[Features, Reading]:
    """Each token holds its picture's number and its place in it."""
    n, t = layout.pictures, SIDE * SIDE
    tokens = np.zeros((n, t, C), np.float32)
    tokens[..., 0] = np.arange(n)[:, None]
    tokens[..., 1], tokens[..., 2] = np.arange(t) // SIDE, np.arange(t) % SIDE
    selected = np.zeros((n, 4, C), np.float32)
    selected[..., 0], selected[..., 1] = 100 + np.arange(n)[:, None], np.arange(4)
    score = Score(0.9, np.zeros((4, 4), np.float32), "expert")
    maps = np.zeros((n, SIDE, SIDE), np.float32)
    reading = Reading(score, 2.0, maps, selected, np.full(C, 7, np.float32))
    return Features(tokens, np.stack([tokens] * 4), SIDE, layout), reading


def crop(height: int, width: int) -> Pixels:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (5, 8), (16, 8), (16, 16), (24, 24), (48, 48), (13, 37)])
def test_a_span_has_as_many_tokens_as_is_told_beforehand(size: tuple[int, int]) -> None:
    layout = make_views(crop(*size), 8).layout
    span = Projector(tensors()).span(*seen(layout), "highly")
    assert span.shape == (span_of(layout, SIDE).total, H)
    assert span.dtype == np.float32


def test_whole_close_ups_phrase_summary_and_selected_stand_in_this_order() -> None:
    given = tensors()
    projector = Projector(given)
    layout = make_views(crop(16, 8), 8).layout  # two close-ups, one above the other
    assert layout.grid == (2, 1)
    features, reading = seen(layout)
    span = list(projector.span(features, reading, "moderately"))
    one = projector.project

    def take(*wanted: Floats) -> None:
        for token in wanted:
            np.testing.assert_allclose(span.pop(0), token, atol=1e-5)

    take(*one(features.tokens[0]))
    for picture in (1, 2):
        for row in range(SIDE):
            take(*one(features.tokens[picture, row * SIDE : (row + 1) * SIDE]), given[NEWLINE])
    take(*given["moderately"])
    take(one(reading.summary))
    take(*one(reading.selected[0]))
    for picture in (1, 2):
        for row in (0, 2):
            take(*one(reading.selected[picture, row : row + 2]), given[NEWLINE])
    assert not span


def test_a_square_crop_of_one_picture_stands_there_twice() -> None:
    projector = Projector(tensors())
    features, reading = seen(make_views(crop(8, 8), 8).layout)
    span = projector.span(features, reading, "slightly")
    close = span[SIDE * SIDE : 2 * SIDE * SIDE + SIDE].reshape(SIDE, SIDE + 1, H)
    np.testing.assert_array_equal(close[:, :SIDE].reshape(-1, H), span[: SIDE * SIDE])


def test_margins_are_left_out_on_both_sides() -> None:
    projector = Projector(tensors())
    layout = make_views(crop(4, 8), 8).layout
    features, reading = seen(layout)
    span = projector.span(features, reading, "slightly")
    close = span[SIDE * SIDE :][: 2 * (SIDE + 1)].reshape(2, SIDE + 1, H)
    np.testing.assert_allclose(close[:, :SIDE].reshape(-1, H), projector.project(features.tokens[1, SIDE : 3 * SIDE]))


def test_it_projects_as_torch_does() -> None:
    torch = pytest.importorskip("torch")
    given = tensors()
    tokens = np.random.default_rng(1).normal(size=(2, 7, C)).astype(np.float32)
    named = {name: torch.tensor(value) for name, value in given.items()}
    linear, gelu = torch.nn.functional.linear, torch.nn.functional.gelu
    inner = gelu(linear(torch.tensor(tokens), named[LAYERS[0]], named[LAYERS[1]]))
    expected = linear(inner, named[LAYERS[2]], named[LAYERS[3]]).numpy()
    np.testing.assert_allclose(Projector(given).project(tokens), expected, atol=1e-5)


def test_close_ups_are_scaled_down_as_torch_does() -> None:
    torch = pytest.importorskip("torch")
    canvas = np.random.default_rng(2).normal(size=(13, 17, H)).astype(np.float32)
    planes = torch.tensor(canvas).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(planes, [9, 11], mode="bilinear")[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(_resized(canvas, 9, 11), expected, atol=1e-5)


def test_another_towers_features_are_refused() -> None:
    features, reading = seen(make_views(crop(8, 8), 8).layout)
    other = Features(features.tokens[..., :2], features.taps[..., :2], SIDE, features.layout)
    with pytest.raises(InferenceError, match=r"reads tokens \(1, 16, 3\), these are \(1, 16, 2\)"):
        Projector(tensors()).span(other, reading, "highly")


def test_a_crop_that_was_squashed_is_refused() -> None:
    features, reading = seen(make_plain_views(crop(4, 8), 8).layout)
    with pytest.raises(InferenceError, match="squashed"):
        Projector(tensors()).span(features, reading, "highly")


def test_a_projector_is_read_from_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", **tensors())  # type: ignore[arg-type]
    loaded = Projector.load(tmp_path / "p.npz")
    assert loaded.channels == C
    np.testing.assert_array_equal(loaded.tensors["highly"], tensors()["highly"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"highly": None}, "'highly' is missing; a projector has 8"),
        ({"moderately": np.zeros((5, H))}, r"'moderately' is \(5, 5\), not \(6, 5\)"),
        ({LAYERS[0]: np.zeros(H)}, r"'linear_1.weight' is \(5,\), not \(0, 0\)"),
        ({NEWLINE: np.full(H, np.nan)}, "'image_newline' holds numbers that are not finite"),
    ],
)
def test_a_faulty_projector_is_refused_by_the_tensors_name(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    held = {name: value for name, value in (tensors() | change).items() if value is not None}
    np.savez(tmp_path / "p.npz", **held)  # type: ignore[arg-type]
    with pytest.raises(ModelLoadError, match=reason) as caught:
        Projector.load(tmp_path / "p.npz")
    assert "p.npz" in str(caught.value)


def test_what_is_no_projector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(b"not one")
    for path in (tmp_path / "p.npz", tmp_path / "absent.npz"):
        why = " as a projector, which `streamproc inspect projector` writes$" if path.exists() else ": No such file"
        with pytest.raises(ModelLoadError, match=rf"\.npz: cannot be read{why}"):
            Projector.load(path)
