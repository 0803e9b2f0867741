from __future__ import annotations

from collections.abc import Sequence

import pytest

from streamproc.config import DeductionSettings
from streamproc.errors import ConfigError
from streamproc.evaluation.captioned import CaptionedVideo
from streamproc.evaluation.cross import cross
from streamproc.evaluation.table import draw
from streamproc.types import Rule, RuleSet


def rules(word: str) -> RuleSet:
    return RuleSet("set", "site", "camera", 1, "0" * 64, (Rule(word, "environment", "anomaly", "It.", (word,)),))


def videos(word: str, count: int) -> list[CaptionedVideo]:
    texts = ("A man walks.",) * 8 + (f"A {word}.",) * 4
    return [CaptionedVideo(f"v{number}", tuple(range(12)), (0,) * 8 + (1,) * 4, texts) for number in range(count)]


SETS = {"yard": videos("skate", 12), "quay": videos("boat", 4)}


def induce(sources: Sequence[CaptionedVideo], _: int) -> RuleSet:
    """Only what its own set is wary of: of no use at the other, and unknown to the published keywords."""
    return rules("skate" if any("skate" in text for text in sources[0].texts) else "boat")


def test_rules_of_each_set_are_scored_on_each() -> None:
    crossed = cross(SETS, induce, range(2), DeductionSettings())

    found = {(cell.learned_from, cell.scored_on): cell for cell in crossed.cells}
    assert {pair: cell.auroc for pair, cell in found.items()} == {
        ("yard", "yard"): 1.0,
        ("yard", "quay"): 0.5,
        ("quay", "yard"): 0.5,
        ("quay", "quay"): 1.0,
    }
    assert all(cell.published == 0.5 and len(cell.aurocs) == 2 for cell in crossed.cells)
    assert found["yard", "yard"].difference.mean == pytest.approx(0.5)
    assert {cell.scored_on: cell.over for cell in crossed.cells} == {"yard": "videos", "quay": "seeds"}
    assert crossed.published == {"yard": 0.5, "quay": 0.5}


def test_what_was_learned_from_is_left_out_at_home_alone() -> None:
    # The first video says something that none of the others does: who leaves it out scores better.
    odd = CaptionedVideo("v0", tuple(range(12)), (0,) * 8 + (1,) * 4, ("A man walks.",) * 12)
    drawn_odd = next(seed for seed in range(50) if odd in draw([odd, *SETS["yard"][1:]], seed))
    sets = {"yard": [odd, *SETS["yard"][1:]], "road": [odd, *videos("skate", 12)[1:]]}

    crossed = cross(sets, lambda *_: rules("skate"), [drawn_odd], DeductionSettings())

    home, away = crossed.cells[0], crossed.cells[1]
    assert home.auroc == 1.0
    assert away.auroc < 1.0


def test_the_matrix_has_a_row_a_source_and_a_column_a_test() -> None:
    lines = str(cross(SETS, induce, range(2), DeductionSettings())).splitlines()

    assert lines[1].split() == ["yard", "quay", "*"]
    assert [line.split()[0] for line in lines[2:5]] == ["yard", "quay", "published"]
    assert lines[2].split()[1:3] == ["100.0", "+50.0"]
    assert lines[4].split() == ["published", "50.0", "50.0"]
    assert lines[5].startswith("* too few videos")
    assert len({len(line) for line in lines[1:5]}) == 1


def test_a_set_of_one_kind_is_told() -> None:
    calm = [CaptionedVideo(f"v{n}", tuple(range(9)), (0,) * 9, ("A man walks.",) * 9) for n in range(4)]
    with pytest.raises(ConfigError, match="calm: what is left to score holds frames of one kind only"):
        cross({**SETS, "calm": calm}, induce, [0], DeductionSettings())
