from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamproc.errors import ConfigError
from streamproc.evaluation.items import LETTERS, load_items

CHOICES = {"a": "All is well.", "b": "A fire.", "c": "A fight.", "d": "A fall."}


def item(**changes: Any) -> dict[str, Any]:
    return {
        "id": "gate-1",
        "site": "gate",
        "caption": "Smoke rises.",
        "choices": CHOICES,
        "normal": "a",
        "answer": "b",
    } | changes


def file_of(tmp_path: Path, *items: dict[str, Any], **site: Any) -> Path:
    path = tmp_path / "items.yaml"
    place = {"id": "gate", "place": "a gate"} | (site or {"rules": "gate.yaml"})
    YAML(typ="safe").dump({"schema_version": 1, "name": "made", "sites": [place], "items": list(items)}, path)
    return path


def faults(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        load_items(path)
    assert all(fault.line for fault in raised.value.faults)
    return [(fault.field, fault.message) for fault in raised.value.faults]


def test_our_own_are_forty_about_half_of_them_normal_and_no_letter_is_favoured() -> None:
    own = load_items()
    assert len(own.items) == 40
    assert 18 <= sum(one.anomalous for one in own.items) <= 22
    assert len(own.sites) == 8
    assert all(place.normal is not None and len(place.normal) == 12 for place in own.sites)
    answers = Counter(one.answer for one in own.items)
    assert min(answers[letter] for letter in LETTERS) >= 8
    texts = [text for one in own.items for text in one.choices.texts().values()]
    assert len(own.items) == len({one.caption for one in own.items})
    seen = {caption for place in own.sites for caption in place.normal or ()}
    assert not seen & {one.caption for one in own.items}, "a question is not what was learned from"
    assert all(texts)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    loaded = load_items(file_of(tmp_path, item(image="pictures/1.jpg")))
    assert loaded.sites[0].rules == tmp_path / "gate.yaml"
    assert loaded.items[0].image == tmp_path / "pictures/1.jpg"
    assert loaded.items[0].anomalous
    assert load_items(file_of(tmp_path, item(answer="a"))).items[0].anomalous is False


def test_a_site_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    (fault,) = faults(file_of(tmp_path, item(), item(id="x", site="yard")))
    assert fault == ("items.1.site", "there is no site yard; there are gate")


def test_ids_are_unique(tmp_path: Path) -> None:
    (fault,) = faults(file_of(tmp_path, item(), item()))
    assert fault == ("items.1.id", "the id gate-1 is used twice")


def test_a_place_has_either_captions_or_rules(tmp_path: Path) -> None:
    captions = [f"A man walks, {n}." for n in range(10)]
    for site in ({"rules": "r.yaml", "normal": captions}, {"place": "a gate"}):
        ((_, message),) = faults(file_of(tmp_path, item(), **site))
        assert "either normal captions" in message
    assert load_items(file_of(tmp_path, item(), normal=captions)).sites[0].normal == tuple(captions)
    ((field, _),) = faults(file_of(tmp_path, item(), normal=captions[:9]))
    assert field == "sites.0.normal"


def test_a_letter_is_one_of_four_and_none_of_the_choices_is_missing(tmp_path: Path) -> None:
    three = {letter: text for letter, text in CHOICES.items() if letter != "d"}
    told = faults(file_of(tmp_path, item(answer="e", choices=three)))
    assert sorted(field for field, _ in told) == ["items.0.answer", "items.0.choices.d"]
