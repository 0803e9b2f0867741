"""The embedded models as they are fetched, on real footage and real sentences."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streamproc.models.movenet import MoveNet
from streamproc.models.nanodet import NanoDet
from streamproc.models.sentences import SentenceEmbedder
from streamproc.models.store import ModelStore

pytestmark = [pytest.mark.integration, pytest.mark.models, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore()


def frame(path: Path, index: int) -> npt.NDArray[np.uint8]:
    """One picture of the footage, RGB."""
    capture = cv2.VideoCapture(str(path))
    try:
        for _ in range(index):
            assert capture.grab()
        ok, picture = capture.read()
        assert ok
    finally:
        capture.release()
    rgb: npt.NDArray[np.uint8] = np.ascontiguousarray(picture[:, :, ::-1])
    return rgb


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0.0) * max(height, 0.0)
    return inner / (sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - inner)


def test_nanodet_puts_boxes_on_the_pedestrians(store: ModelStore) -> None:
    """The boxes were drawn by eye around the three people in the footage's 401st picture, 768 x 576."""
    picture = frame(store.ensure("vtest"), 400)
    found = [d for d in NanoDet(store.ensure("nanodet")).detect(picture) if d.label == "person"]
    seen_px = [(272, 200, 302, 284), (588, 140, 617, 202), (688, 302, 744, 410)]
    seen = [(x0 / 768, y0 / 576, x1 / 768, y1 / 576) for x0, y0, x1, y1 in seen_px]
    assert len(found) == 3
    assert all(max(iou(box, d.box_norm) for d in found) > 0.6 for box in seen)


def test_nanodet_finds_nobody_where_nobody_is(store: ModelStore) -> None:
    grass = frame(store.ensure("vtest"), 400)[450:, :400]
    assert [d for d in NanoDet(store.ensure("nanodet")).detect(grass) if d.label == "person"] == []


def test_movenet_finds_the_torso_of_who_walks_and_of_who_lies(store: ModelStore) -> None:
    """A man who walks, 110 px high; and the picture on its side, where he lies."""
    movenet, picture = MoveNet(store.ensure("movenet")), frame(store.ensure("vtest"), 400)
    x0, y0, x1, y1 = 688, 302, 744, 410
    walks = movenet.pose(picture, (x0 / 768, y0 / 576, x1 / 768, y1 / 576))
    on_its_side = np.ascontiguousarray(np.rot90(picture))  # Anticlockwise: x, y come to lie at y, 768 - x.
    lies = movenet.pose(on_its_side, (y0 / 576, 1 - x1 / 768, y1 / 576, 1 - x0 / 768), -90.0)
    for pose in (walks, lies):
        assert pose.scores[[5, 6, 11, 12]].min() > 0.3
    assert lies.points_px[5:13] == pytest.approx(
        np.stack([walks.points_px[5:13, 1], 768 - walks.points_px[5:13, 0]], 1), abs=6
    )
    shoulders, hips, ankles = (walks.points_px[pair].mean(axis=0) for pair in ([5, 6], [11, 12], [15, 16]))
    assert shoulders[1] + 20 < hips[1] < ankles[1] - 20


def test_nanodet_answers_the_same_twice(store: ModelStore) -> None:
    picture, detector = frame(store.ensure("vtest"), 0), NanoDet(store.ensure("nanodet"))
    assert detector.detect(picture) == detector.detect(picture) != []


def test_like_sentences_are_nearer_than_unlike_ones(store: ModelStore) -> None:
    embedder = SentenceEmbedder(store.ensure("bge-small"))
    runs, hurries, dog, parked = embedder.embed(
        ["A man runs across the square.", "Someone hurries over the plaza.", "A dog sleeps.", "A car is parked."]
    )
    assert runs @ hurries > max(runs @ dog, runs @ parked, hurries @ dog, hurries @ parked)
    np.testing.assert_allclose(np.linalg.norm(embedder.embed(["Nobody is there."]), axis=1), 1.0, atol=1e-5)


def test_a_sentences_vector_does_not_depend_on_its_neighbours(store: ModelStore) -> None:
    alone = SentenceEmbedder(store.ensure("bge-small")).embed(["A man runs."])
    beside = SentenceEmbedder(store.ensure("bge-small")).embed(["Nobody is on the square this morning.", "A man runs."])
    np.testing.assert_array_equal(alone[0], beside[1])
