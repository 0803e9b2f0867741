"""A camera that was moved, covered or is in the dark is told apart from other light and from who passes by."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from streamproc.normality import view_reference
from streamproc.normality.structure import coarse, fine, likeness, lost, structure
from streamproc.normality.view import View
from streamproc.normality.view_reference import ViewLearner, ViewReference

Grey = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 384, 288
RATE = 2.5
NOISE = np.random.default_rng(1).normal(0, 2, (7, HEIGHT, WIDTH)).astype(np.float32)


def place(seed: int = 3) -> Grey:
    """Houses, windows and paving, so to speak: rectangles of many sizes and greys."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH), 120, np.uint8)
    for _ in range(250):
        x, y = int(rng.integers(-20, WIDTH)), int(rng.integers(-20, HEIGHT))
        wide, high = (int(side) for side in rng.integers(6, 50, 2))
        cv2.rectangle(picture, (x, y), (x + wide, y + high), int(rng.integers(30, 220)), -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)


def with_walker(picture: Grey, pts_s: float, seed: int = 0) -> Grey:
    """Somebody passes, and the camera has its noise."""
    noise = NOISE[(round(pts_s * 5) + seed) % len(NOISE)]
    shown = picture.copy()
    left = round(pts_s * 60) % WIDTH
    shown[150:230, left : left + 30] = 240
    return bounded(shown + noise)


def bounded(values: npt.NDArray[np.floating]) -> Grey:
    return np.clip(values, 0, 255).astype(np.uint8)


def warped(picture: Grey, right: float = 0.0, down: float = 0.0, zoom: float = 1.0, turn_deg: float = 0.0) -> Grey:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn_deg, zoom)
    matrix[:, 2] += (right * WIDTH, down * HEIGHT)
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8)


def hidden(picture: Grey, share: float) -> Grey:
    shown = picture.copy()
    shown[:, : round(WIDTH * share)] = 90
    return shown


def learned(*pictures: Grey) -> ViewReference | None:
    learner = ViewLearner()
    for run, picture in enumerate(pictures):
        learner.begin_run()
        for tick in range(round(20 * RATE)):
            learner.add(with_walker(picture, tick / RATE, seed=run), tick / RATE)
    return learner.learned()


@pytest.fixture(scope="module")
def reference() -> ViewReference:
    found = learned(place())
    assert found is not None
    return found


def told(view: View, picture: Grey, from_s: float, until_s: float) -> list[tuple[float, str | None]]:
    times = [from_s + tick / RATE for tick in range(round((until_s - from_s) * RATE))]
    return [(pts_s, view.add(with_walker(picture, pts_s, seed=7), pts_s)) for pts_s in times]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: bounded(p * 0.7),
        lambda p: bounded(p * 1.3),
        lambda p: bounded(p * 0.4 + 100),
        lambda p: bounded(p * np.linspace(0.3, 1.2, WIDTH)),
        lambda p: warped(p, right=0.01),
        lambda p: warped(p, zoom=1.02),
        lambda p: hidden(p, 0.3),
    ],
    ids=["as it is", "darker", "brighter", "haze", "lit from one side", "1 %", "zoom 1.02", "a lorry before a third"],
)
def test_other_light_and_small_changes_are_the_same_view(
    reference: ViewReference, change: Callable[[Grey], Grey]
) -> None:
    assert {why_not for _, why_not in told(View(reference), change(place()), 0.0, 10.0)} == {None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: warped(p, right=0.05), "moved: what it shows lies 5% of the picture further right;"),
        (lambda p: warped(p, right=-0.1), "lies 10% of the picture further left"),
        (lambda p: warped(p, down=0.2), "lies 20% of the picture lower"),
        (lambda p: warped(p, zoom=1.12), "is 1.1 times as large"),
        (lambda p: warped(p, turn_deg=5.0), "is turned by 5 degrees"),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 4), "the lens is covered or out of focus"),
        (lambda p: np.full_like(p, 60), "the lens is covered or out of focus"),
        (lambda p: bounded(p * 0.05), "the picture is too dark"),
        (lambda _: place(seed=4), "another place"),
        (lambda p: hidden(p, 0.7), "another place than was learned, or something hides most of it"),
    ],
)
def test_what_is_no_longer_the_view_is_said_within_seconds(
    reference: ViewReference, change: Callable[[Grey], Grey], words: str
) -> None:
    view = View(reference)
    assert told(view, place(), 0.0, 6.0)[-1][1] is None
    said = told(view, change(place()), 6.0, 16.0)
    assert next(pts_s for pts_s, why_not in said if why_not) < 12.5
    assert words in (said[-1][1] or "")
    assert told(view, place(), 16.0, 23.0)[-1][1] is None, "turned back"


def test_the_words_do_not_change_while_it_lasts(reference: ViewReference) -> None:
    said = {why_not for _, why_not in told(View(reference), warped(place(), right=0.08, down=0.03), 0.0, 30.0)}
    assert len(said - {None}) == 1


def test_what_passes_close_to_the_lens_is_not_a_cover(reference: ViewReference) -> None:
    view = View(reference)
    said = [
        told(view, hidden(place(), share), *span) for span, share in (((0, 6), 0.0), ((6, 8.8), 0.9), ((8.8, 15), 0.0))
    ]
    assert not [why_not for part in said for _, why_not in part if why_not]


def test_a_new_run_begins_at_zero_again(reference: ViewReference) -> None:
    view = View(reference)
    told(view, place(), 100.0, 106.0)
    assert told(view, warped(place(), right=0.1), 106.0, 109.2)[-1][1] is None, "not yet"
    assert "moved" in (told(view, warped(place(), right=0.1), 0.0, 8.0)[-1][1] or "")


def test_structure_is_the_same_in_another_light() -> None:
    picture = place().astype(np.float32)
    light = np.linspace(0.1, 1.2, WIDTH, dtype=np.float32)
    same, lit = (structure(coarse(fine(one))) for one in (picture, picture * light))
    assert likeness(same, lit) > 0.98


def test_without_a_reference_only_darkness_is_noticed() -> None:
    view = View(None)
    assert told(view, place(), 0.0, 8.0)[-1][1] is None
    assert told(view, bounded(place() * 0.05), 8.0, 16.0)[-1][1] == "the picture is too dark"


def test_footage_of_several_views_or_of_none_is_no_reference() -> None:
    assert learned(place(), place(seed=4)) is None
    assert learned(np.full((HEIGHT, WIDTH), 128, np.uint8)) is None
    assert ViewLearner().learned() is None


def test_a_reference_is_a_few_kilobytes_and_is_checked_when_read(reference: ViewReference) -> None:
    text = reference.model_dump_json()
    assert len(text) < 10_000
    assert ViewReference.model_validate_json(text) == reference
    for picture in ("?", "AAAA", ""):
        with pytest.raises(ValidationError, match="96x72"):
            ViewReference(picture=picture, least_likeness=0.9, least_sharpness=0.2)


def test_long_footage_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_reference, "_MOST_SAMPLES", 20)
    learner, picture = ViewLearner(), place()
    for tick in range(100):
        learner.add(picture, tick / 2)
    found = learner.learned()
    assert found is not None
    assert found.least_likeness > 0.99


@pytest.mark.parametrize("seed", range(3))
def test_five_pictures_median_is_numpys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = [rng.integers(0, 4, (24, 32)).astype(np.uint8) for _ in range(5)]
    pictures = [cv2.resize(picture, (192, 144), interpolation=cv2.INTER_NEAREST) for picture in small]
    recent = view_reference.Recent()
    given = [recent.add(np.asarray(picture, np.uint8), index * 0.5) for index, picture in enumerate(pictures)]
    assert given[:4] == [None] * 4
    np.testing.assert_array_equal(given[4], np.median(np.stack(pictures), axis=0))


def test_what_is_lost_is_told_block_by_block() -> None:
    known = structure(coarse(fine(place())))
    rng = np.random.default_rng(0)
    live = known.copy()
    live[:36, 12:24] = rng.standard_normal((36, 12))  # three of the 48 blocks of 12 x 12
    live[36:, 48:] = 2.0 * live[36:, 48:] + 1.0  # other light
    assert lost(live, known) == pytest.approx(3 / 48)
