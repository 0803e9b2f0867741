"""Labels of what single pictures show."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.errors import ConfigError
from streamproc.evaluation.scene_labels import Scene, load_scenes

CART = Scene(frozenset({"bicycle|bike", "cart"}), frozenset({"ride"}))


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    lines.write_text(
        '{"clip": "01.mp4", "frame": 3, "objects": ["Bicycle|bike", "cart"], "actions": ["ride"]}\n\n'
        '{"clip": "02", "frame": 0}\n'
    )
    table.write_text("clip,frame,objects,actions\n01.mp4,3,Bicycle|bike; cart,ride\n02,0,,\n")
    assert load_scenes(lines) == load_scenes(table) == {"01": {3: CART}, "02": {0: Scene(frozenset(), frozenset())}}


def test_a_range_of_pictures_shows_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("clip,frame,objects,actions\na,3-5,bicycle|bike;cart,ride\na,5,,\n")
    assert load_scenes(path) == {"a": {3: CART, 4: CART, 5: Scene(frozenset(), frozenset())}}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", "{", "not a JSON object"),
        ("a.jsonl", "[1]", "not a JSON object"),
        ("a.jsonl", '{"frame": 1}', "clip: must be a clip's name"),
        ("a.jsonl", '{"clip": "a", "frame": "one"}', "frame: must be a whole number"),
        ("a.jsonl", '{"clip": "a", "frame": true}', "frame: must be a whole number"),
        ("a.csv", "clip,frame,objects,actions\na,9-3,,\n", "frame: must be a whole number .* or first-last, not '9-3'"),
        ("a.jsonl", '{"clip": "a", "frame": 1, "objects": [2]}', "objects: must be a list of words, not 2"),
        ("a.jsonl", '{"clip": "a", "frame": 1, "actions": "|"}', "actions: must be a list of words"),
        ("a.jsonl", "", "holds no labels"),
        ("a.csv", "clip,frame,objects\n", "no column actions"),
        ("a.csv", "clip,frame,objects,actions\na,-1,,\n", "frame: must be a whole number"),
        ("a.txt", "", r"come as \.jsonl or \.csv"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_scenes(tmp_path / name)
