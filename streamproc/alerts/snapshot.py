"""The annotated picture of an alert: boxes on it, and beneath it what was seen, the rule and the measurement.

People look at this before they read anything, so it must be legible on a telephone: at least 960 px wide, a strip
below that covers nothing, one accent colour by severity.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from streamproc.alerts.clip import Pixels
from streamproc.types import Box, DetectedObject, Measurement, Rule, Severity

_LEAST_WIDTH_PX = 960
INK, QUIET, GROUND, _TRACK = (240, 243, 246), (150, 161, 173), (17, 21, 27), (52, 60, 71)
ACCENT: dict[Severity, tuple[int, int, int]] = {
    "critical": (237, 64, 64),
    "error": (243, 112, 53),
    "warning": (250, 176, 5),
    "info": (77, 154, 255),
}
DARK_TEXT = (20, 20, 20)
_LONGEST_LABEL = 40
_GAUGE_LIMITS = 5.0
"""How many times its threshold a score may be before its bar is full."""
_TYPOGRAPHY = str.maketrans({"–": "-", "—": "-", "×": "x", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "..."})  # noqa: RUF001
Font = Callable[[float], ImageFont.FreeTypeFont]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is told with the picture."""

    headline: str
    """What happens, in a sentence or two."""
    camera: str
    at: datetime
    timezone: str
    severity: Severity
    rules: tuple[Rule, ...]
    measurements: tuple[Measurement, ...]
    objects: tuple[DetectedObject, ...]


def draw(picture: Pixels, note: Annotation) -> bytes:
    """``picture``, (height, width, 3) uint8 RGB, annotated; JPEG."""
    high_px, wide_px = picture.shape[:2]
    if wide_px < _LEAST_WIDTH_PX:
        size = _LEAST_WIDTH_PX, round(high_px * _LEAST_WIDTH_PX / wide_px)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    image = Image.fromarray(picture)
    unit_px = image.width / 960
    mark_boxes(image, note, unit_px)
    strip = _strip(image.width, note, unit_px)
    whole = Image.new("RGB", (image.width, image.height + strip.height), GROUND)
    whole.paste(image, (0, 0))
    whole.paste(strip, (0, image.height))
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=88)
    return out.getvalue()


def mark_boxes(image: Image.Image, note: Annotation, unit_px: float) -> None:
    """Draw what ``note`` points at into ``image``; labels are 15 ``unit_px`` high."""
    canvas = ImageDraw.Draw(image)
    accent, line_px = ACCENT[note.severity], max(2, round(2.5 * unit_px))
    font = fonts(note)(15 * unit_px)
    marked: list[tuple[Box, str]] = [(o.box_norm, _label(o)) for o in note.objects]
    if not marked:
        marked = [(m.box_norm, f"{m.name} {_times(m)}") for m in note.measurements if m.box_norm is not None]
    boxes = [_pixels(box, image) for box, _ in marked]
    for box in boxes:
        canvas.rounded_rectangle(box, radius=5 * unit_px, outline=accent, width=line_px)
    placed: list[Box] = []
    for box, (_, text) in zip(boxes, marked, strict=True):
        x0, y0, _, y1 = box
        wide_px, high_px = canvas.textlength(text, font) + 12 * unit_px, 22 * unit_px
        left = max(0.0, min(x0, image.width - wide_px))
        above, below = y0 - high_px - 2 * unit_px, min(y1 + 2 * unit_px, image.height - high_px)
        tops = [above, below] if above > 0 else [below]
        chips = [(left, top, left + wide_px, top + high_px) for top in tops]
        # A label may hide neither another one nor, where there is room, what else is pointed at.
        free = [one for one in chips if not any(_overlap(one, other) for other in placed)] or chips
        others = [other for other in boxes if other != box]
        chip = next((one for one in free if not any(_overlap(one, other) for other in others)), free[0])
        placed.append(chip)
        canvas.rounded_rectangle(chip, radius=4 * unit_px, fill=accent)
        canvas.text((left + 6 * unit_px, chip[1] + high_px / 2), text, DARK_TEXT, font, anchor="lm")


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _label(pointed_at: DetectedObject) -> str:
    """``person 2.9x``; without a measurement what is said of it, if that is short."""
    if pointed_at.measurement is not None:
        return f"{pointed_at.label} {_times(pointed_at.measurement)}"
    return pointed_at.text if 0 < len(pointed_at.text) <= _LONGEST_LABEL else pointed_at.label


def _times(measured: Measurement) -> str:
    """Seconds as they are, all else in times of what is normal; of several parts the speed, which people can see."""
    if measured.unit == "s":
        return f"{measured.value:.0f} s"
    part = next((one for one in measured.parts if one.name == "speed"), measured)
    return f"{part.value / part.normal:.1f}x" if part.normal > 0 else _value(measured)


def _pixels(box: Box, image: Image.Image) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in box)
    wide_px, high_px = image.width - 1, image.height - 1
    return x0 * wide_px, y0 * high_px, max(x0 * wide_px + 2, x1 * wide_px), max(y0 * high_px + 2, y1 * high_px)


def _strip(width_px: int, note: Annotation, unit_px: float) -> Image.Image:
    pad_px, accent = 20 * unit_px, ACCENT[note.severity]
    strip = Image.new("RGB", (width_px, round(700 * unit_px)), GROUND)
    canvas = ImageDraw.Draw(strip)
    y = 16 * unit_px
    font = fonts(note)
    small, plain, large = (font(size * unit_px) for size in (15, 17, 23))
    local = note.at.astimezone(ZoneInfo(note.timezone))
    when = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
    chip_px = canvas.textlength(note.severity.upper(), small) + 16 * unit_px
    canvas.rounded_rectangle((pad_px, y, pad_px + chip_px, y + 24 * unit_px), radius=4 * unit_px, fill=accent)
    canvas.text((pad_px + chip_px / 2, y + 12 * unit_px), note.severity.upper(), DARK_TEXT, small, anchor="mm")
    canvas.text((pad_px + chip_px + 12 * unit_px, y + 12 * unit_px), note.camera, INK, plain, anchor="lm")
    canvas.text((width_px - pad_px, y + 12 * unit_px), when, QUIET, plain, anchor="rm")
    y += 38 * unit_px
    for line in wrapped(canvas, note.headline, large, width_px - 2 * pad_px, 4):
        canvas.text((pad_px, y), line, INK, large, anchor="la")
        y += 31 * unit_px
    y += 8 * unit_px
    rules = [rule for rule in note.rules if rule.text not in note.headline][:3]
    label_px = max((canvas.textlength(rule.id, plain) for rule in rules), default=0.0) + 12 * unit_px
    for rule in rules:
        for number, line in enumerate(wrapped(canvas, rule.text, plain, width_px - 2 * pad_px - label_px, 2)):
            if number == 0:
                canvas.text((pad_px, y), rule.id, accent, plain, anchor="la")
            canvas.text((pad_px + label_px, y), line, INK, plain, anchor="la")
            y += 25 * unit_px
    for measured in _worst(note.measurements):
        y += 6 * unit_px
        _gauge(canvas, plain, measured, y, width_px, unit_px, accent)
        y += 28 * unit_px
    canvas.rectangle((0, 0, width_px, 3 * unit_px), fill=accent)
    return strip.crop((0, 0, width_px, round(y + 14 * unit_px)))


def _worst(measurements: Sequence[Measurement]) -> list[Measurement]:
    return sorted(measurements, key=lambda m: m.score, reverse=True)[:2]


def _gauge(
    canvas: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    measured: Measurement,
    y: float,
    width_px: int,
    unit_px: float,
    accent: tuple[int, ...],
) -> None:
    """The score as a bar, with a tick at its threshold: always at the same place, so that pictures can be compared."""
    pad_px = 20 * unit_px
    text = f"{measured.name}: {_value(measured)}"
    score = f"{measured.score / max(measured.threshold, 1e-9):.1f} times its limit"
    middle = y + 10 * unit_px
    canvas.text((pad_px, middle), text, INK, font, anchor="lm")
    canvas.text((width_px - pad_px, middle), score, QUIET, font, anchor="rm")
    left = pad_px + max(320 * unit_px, canvas.textlength(text, font) + 16 * unit_px)
    right = width_px - pad_px - max(190 * unit_px, canvas.textlength(score, font) + 16 * unit_px)
    if right - left < 80 * unit_px:
        return
    share = measured.score / max(measured.threshold, 1e-9) / _GAUGE_LIMITS
    reach, tick = left + (right - left) * min(1.0, max(0.0, share)), left + (right - left) / _GAUGE_LIMITS
    top, bottom, radius = middle - 5 * unit_px, middle + 5 * unit_px, 5 * unit_px
    canvas.rounded_rectangle((left, top, right, bottom), radius=radius, fill=_TRACK)
    if reach - left > 2 * radius:
        fill = accent if measured.score >= measured.threshold else QUIET
        canvas.rounded_rectangle((left, top, reach, bottom), radius=radius, fill=fill)
    canvas.line((tick, top - 4 * unit_px, tick, bottom + 4 * unit_px), fill=INK, width=max(2, round(2 * unit_px)))


def _value(measured: Measurement) -> str:
    return f"{measured.value:.2g} {measured.unit}".strip()


def wrapped(
    canvas: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width_px: float, most: int
) -> list[str]:
    """``text`` in at most ``most`` lines of ``width_px``; the last ends in ... where something is left out."""
    text = " ".join(text.split())
    text = text.translate(_TYPOGRAPHY) if text.translate(_TYPOGRAPHY).isascii() else text
    characters = max(10, int(width_px / max(1.0, canvas.textlength("n", font)) * 1.4))
    lines = textwrap.wrap(text, characters)
    while any(canvas.textlength(line, font) > width_px for line in lines) and characters > 10:
        characters -= 2
        lines = textwrap.wrap(text, characters)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: characters - 2].rstrip(" ,;.") + "..."]
    return lines


def fonts(note: Annotation) -> Font:
    """The font by size in pixels that has all the letters of ``note``."""
    return font_for(note.headline, note.camera, *(rule.text for rule in note.rules), *(o.text for o in note.objects))


def font_for(*texts: str) -> Font:
    """The font by size in pixels: Pillow's own where it has all the letters, else one that has."""
    is_plain = all(text.translate(_TYPOGRAPHY).isascii() for text in texts)
    return lambda size_px: _font(max(8, round(size_px)), is_plain)


@lru_cache(maxsize=32)
def _font(size_px: int, is_plain: bool) -> ImageFont.FreeTypeFont:
    # Pillow's font is the better looking one and has ASCII only. DejaVu comes with matplotlib or the system.
    matplotlib = None if is_plain else find_spec("matplotlib")
    places = [Path(matplotlib.origin).parent / "mpl-data/fonts/ttf"] if matplotlib and matplotlib.origin else []
    for place in () if is_plain else (*places, Path()):
        try:
            return ImageFont.truetype(str(place / "DejaVuSans.ttf"), round(0.92 * size_px))
        except OSError:
            continue
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - Pillow's wheels hold FreeType
    return font
