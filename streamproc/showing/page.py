"""A calibration as one picture: four maps, and beside them what they do not tell."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from streamproc.alerts.private import make_file, make_folder
from streamproc.alerts.snapshot import GROUND, INK, QUIET, font_for, wrapped
from streamproc.errors import ConfigError
from streamproc.normality.calibration import Calibration
from streamproc.secrets import redact
from streamproc.showing.panels import WIDTH_PX, examples_map, speed_map, stays_map, traffic_map
from streamproc.showing.words import Section, sections

_GAP_PX, _TEXT_PX, _LINE_PX = 24, 520, 22
_MOST_LINES = 6


def drawn(calibration: Calibration, doubt: str | None = None) -> Image.Image:
    """The whole picture."""
    maps = [draw(calibration) for draw in (speed_map, traffic_map, stays_map, examples_map)]
    rows = [maps[:2], maps[2:]]
    side = _side(sections(calibration, doubt))
    high_px = max(sum(max(one.height for one in row) for row in rows) + _GAP_PX, side.height + _GAP_PX)
    whole = Image.new("RGB", (3 * _GAP_PX + 2 * WIDTH_PX + _GAP_PX + side.width, high_px + _GAP_PX), GROUND)
    y = _GAP_PX
    for row in rows:
        for number, one in enumerate(row):
            whole.paste(one, (_GAP_PX + number * (WIDTH_PX + _GAP_PX), y))
        y += max(one.height for one in row)
    whole.paste(side, (3 * _GAP_PX + 2 * WIDTH_PX, _GAP_PX))
    return whole


def write(image: Image.Image, path: Path) -> None:
    """Write the picture, PNG, readable by its owner only: examples show people.

    Raises:
        ConfigError: it cannot be written.
    """
    out = io.BytesIO()
    image.save(out, "PNG")
    try:
        make_folder(path.absolute().parent)
        make_file(path)
        path.write_bytes(out.getvalue())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _side(told: Sequence[Section]) -> Image.Image:
    lines = [redact(line) for _, some in told for line in some]
    font = font_for(*lines)
    canvas = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    placed: list[tuple[int, str, tuple[int, int, int], int]] = []
    y = 0
    for heading, some in told:
        placed.append((y, heading.capitalize(), QUIET, 15))
        y += 20
        for text in some:
            for line in wrapped(canvas, redact(text), font(17), _TEXT_PX, _MOST_LINES):
                placed.append((y, line, INK, 17))
                y += _LINE_PX
        y += 10
    side = Image.new("RGB", (_TEXT_PX, y), GROUND)
    canvas = ImageDraw.Draw(side)
    for at, line, colour, size in placed:
        canvas.text((0, at), line, colour, font(size), anchor="la")
    return side
