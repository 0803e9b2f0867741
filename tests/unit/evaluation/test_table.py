from __future__ import annotations

from collections.abc import Sequence

import pytest

from streamproc.config import DeductionSettings
from streamproc.errors import ConfigError
from streamproc.evaluation.captioned import CaptionedVideo
from streamproc.evaluation.table import compare, draw
from streamproc.types import Rule, RuleSet

SKATES = Rule("skates", "environment", "anomaly", "Something with wheels.", ("skate", "skates"))
RULES = RuleSet("set", "site", "camera", 1, "0" * 64, (SKATES,))


def videos(count: int) -> list[CaptionedVideo]:
    """Bicycles, which the published keywords know, and skates, which only our rule knows; in turn."""
    made = []
    for number in range(count):
        wild = "A skate." if number % 2 else "A bicycle and skates."
        texts = ("A man walks.",) * 8 + (wild,) * 4
        made.append(CaptionedVideo(f"v{number}", tuple(range(12)), (0,) * 8 + (1,) * 4, texts))
    return made


@pytest.mark.parametrize(("count", "over"), [(12, "videos"), (6, "seeds")])
def test_each_seed_is_scored_on_what_it_was_not_learned_from(count: int, over: str) -> None:
    asked: list[tuple[tuple[str, ...], int]] = []

    def induce(sources: Sequence[CaptionedVideo], seed: int) -> RuleSet:
        asked.append((tuple(video.name for video in sources), seed))
        return RULES

    result = compare("made", videos(count), induce, range(3), DeductionSettings())

    assert [(row.sources, row.seed) for row in result.rows] == asked
    assert all(len(row.sources) == 2 and row.frames == 12 * (count - 2) for row in result.rows)
    assert len({row.sources for row in result.rows}) > 1
    assert result.over == over
    assert result.mean("ours") == 1.0
    assert result.mean("base-causal") < 0.9
    assert result.difference.low > 0
    assert result.difference.mean == pytest.approx(result.mean("ours") - result.mean("base-causal"))
    table = str(result)
    assert "learned from" in table
    assert f"over {over}" in table.splitlines()[-1]
    assert {len(line.split("  +")[0]) for line in table.splitlines()[2:]} == {
        len(table.splitlines()[-1].split("  +")[0])
    }


def test_the_draw_is_seeded_and_takes_only_videos_with_enough_normal_frames() -> None:
    made = videos(5)
    all_wild = CaptionedVideo("wild", (0, 1, 2, 3, 4), (0, 0, 0, 0, 1), ("x",) * 5)

    drawn = {tuple(video.name for video in draw([all_wild, *made], seed)) for seed in range(40)}

    assert len(drawn) == 10
    assert all("wild" not in names and list(names) == sorted(names) for names in drawn)
    assert draw(made, 1) == draw(made, 1)


def test_too_few_videos_are_a_mistake() -> None:
    with pytest.raises(ConfigError, match="here are 2 videos, 2 of them with so many"):
        draw(videos(2), 0)
