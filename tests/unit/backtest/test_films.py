from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamproc.backtest.films import film_of
from streamproc.backtest.labels import look_at
from streamproc.errors import ConfigError, SourceError
from streamproc.testing_footage import read_pictures
from streamproc.testing_sources import write_pictures


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_film_shows_each_picture_as_it_was_in_its_time(tmp_path: Path, suffix: str) -> None:
    folder = write_pictures(tmp_path / "01_0014", suffix, count=5)

    film = film_of(folder, 24.0, tmp_path)

    assert film.stem == "01_0014"
    assert look_at(film).times_s == pytest.approx([index / 24 for index in range(5)], abs=1e-4)
    shown = read_pictures(film)
    given = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted(folder.iterdir())]
    assert len(shown) == len(given)
    assert all(np.abs(one.astype(int) - other).max() <= 2 for one, other in zip(shown, given, strict=True))


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="empty: holds no"):
        film_of(tmp_path / "empty", 24.0, tmp_path)
    with pytest.raises(ConfigError, match="cannot be made a film of: No such file"):
        film_of(write_pictures(tmp_path / "one", count=2), 24.0, tmp_path / "none")
