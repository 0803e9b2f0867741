from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.evaluation.averaging import averaged
from streamproc.evaluation.captioned import load_captioned
from streamproc.evaluation.metrics import ScoredVideo, measure
from streamproc.evaluation.published import base, base_causal, full, hits

CAPTIONS = Path(__file__).parents[4] / "shared" / "data" / "captions"


def test_keywords_are_substrings_in_their_own_case() -> None:
    texts = ["A man on a bicycle.", "Bicycle racks.", "A motorbicycle.", "Two vehicles.", "One vehicle.", "cartoon"]

    assert hits(texts) == [1, 0, 1, 1, 0, 1]


def test_the_average_is_that_of_the_paper() -> None:
    assert averaged([1, 0, 1], 0.5) == pytest.approx([1, 1 / 3, (1 + 0.25) / 1.75])
    assert averaged([1, 0], 0) == pytest.approx([1, 0.5])


def test_only_the_causal_form_scores_the_past_without_the_future() -> None:
    calm, wild = ["A man walks."] * 20, ["A man on a bicycle."] * 20
    texts = calm + wild + calm

    assert base_causal(texts)[:45] == base_causal(texts[:45])
    assert base(texts)[:45] != base(texts[:45])
    assert full(texts)[:22] != full(texts[:22])
    assert all(0 <= score <= 1 for way in (base_causal, base, full) for score in way(texts))


def test_full_lets_frames_around_vote() -> None:
    walks, rides = "A man walks.", "A man on a bicycle."

    assert full([walks, walks, rides, rides]) == [0] * 4  # two of four are above the mean: no majority
    assert full([walks, rides, rides, rides]) == [1] * 4


def test_nothing_met_scores_nothing() -> None:
    for way in (base_causal, base, full):
        assert way(["A man walks."] * 5) == [0] * 5


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason=f"no captions of the benchmarks in {CAPTIONS}")
@pytest.mark.parametrize(
    ("name", "videos", "auroc"), [("shanghaitech", 53, 83.4), ("avenue", 21, 70.0), ("ped2", 6, 97.0)]
)
def test_scores_what_is_known_of_it(name: str, videos: int, auroc: float) -> None:
    captioned = load_captioned(CAPTIONS / f"{name}.jsonl.gz")
    scored = [ScoredVideo(v.name, v.labels, tuple(base_causal(v.texts))) for v in captioned]

    assert len(captioned) == videos
    assert round(100 * (measure(scored, 0.5, 25).auroc or 0), 1) == auroc
