"""Maps over the camera's background: each a picture of its own, with a legend below."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from streamproc.alerts.snapshot import GROUND, INK, QUIET, font_for, wrapped
from streamproc.normality.calibration import Calibration
from streamproc.normality.dwell import PLACES
from streamproc.normality.picture import unpacked

WIDTH_PX = 600
_TITLE_PX, _LEGEND_PX, _BAR_PX = 34, 46, 14
_ISO_LINES = 6
_ROOM = 0.3
"""Of a step between two lines, that must lie between a line and the end of the scale."""
_LARGEST_HEIGHT = 1.4
"""Of a map beside its width: a picture on end is made narrower."""
_COVERED, _PALE = 0.5, 0.18
"""Share of the ground that colours cover where something was measured, and where nothing was."""
_EXAMPLES_ACROSS = 12
_TILE_GAP_PX = 6

_Floats = npt.NDArray[np.float32]
_Pixels = npt.NDArray[np.uint8]


def speed_map(c: Calibration) -> Image.Image:
    """The upper end of normal speed by place, with lines of equal speed."""
    ground = _ground(c)
    high, wide = ground.shape[:2]
    field = _spread(c.place.normal((c.flow_px[1], c.flow_px[0])), ground) * np.float32(c.picture_px[0] / c.flow_px[0])
    low, top = float(field.min()), float(field.max())
    shown = _over(ground, (field - low) / max(top - low, 1e-6), _sureness(c, ground), cv2.COLORMAP_VIRIDIS)
    levels = _levels(low, top)
    image = Image.fromarray(_with_lines(shown, field, levels))
    canvas, font = ImageDraw.Draw(image), font_for("0")(15)
    for level in levels:
        rows, columns = np.nonzero(_line(field, level))
        if len(rows):
            at = int(np.argmin(np.abs(columns - 0.94 * wide)))
            y = float(np.clip(rows[at], 12, high - 12))
            canvas.text((columns[at], y), f"{level:g}", INK, font, anchor="mm", stroke_width=3, stroke_fill=GROUND)
    legend = _legend(cv2.COLORMAP_VIRIDIS, f"{low:.0f}", f"{top:.0f} px/s")
    return _framed("Normal speed: 99 of 100 are slower (pale: nothing moved)", image, legend)


def traffic_map(c: Calibration) -> Image.Image:
    """How much of the time something moves, by place."""
    title = "Where things move"
    if c.traffic is None:
        return _framed(title, Image.fromarray(_ground(c)), _words("not kept: this calibration is of an older version"))
    ground, share = _ground(c), c.traffic.array
    most = float(share.max())
    if most <= 0:
        return _framed(title, Image.fromarray(ground), _words("nothing moves"))
    # By the square root: a side path is to be seen beside the main one.
    strength = np.sqrt(_spread(share, ground) / most)
    image = Image.fromarray(_over(ground, strength, np.minimum(0.7, 1.4 * strength), cv2.COLORMAP_INFERNO))
    return _framed(
        title,
        image,
        _legend(
            cv2.COLORMAP_INFERNO,
            "never",
            f"{most:.0%} of the time",
            f"{most / 4:.0%}" if most >= 0.04 else f"{most / 4:.1%}",
        ),
    )


def stays_map(c: Calibration) -> Image.Image:
    """The longest stay by place, in seconds."""
    title, ground = "Longest stays", _ground(c)
    if c.scene is None:
        return _framed(title, Image.fromarray(ground), _words("not learned"))
    if c.scene.dwell.why_not:
        return _framed(title, Image.fromarray(ground), _words(f"not judged: {c.scene.dwell.why_not}"))
    (across, down), (high, wide) = PLACES, ground.shape[:2]
    longest = np.array(c.scene.dwell.longest_s, np.float32).reshape(down, across)
    most = float(longest.max())
    if most <= 0:
        return _framed(title, Image.fromarray(ground), _words("nothing stayed"))
    strength = cv2.resize(longest / most, (wide, high), interpolation=cv2.INTER_NEAREST)
    image = Image.fromarray(_over(ground, strength, 0.55 * (strength > 0), cv2.COLORMAP_INFERNO))
    canvas, font = ImageDraw.Draw(image), font_for("0")(15)
    for (row, column), seconds in np.ndenumerate(longest):
        if seconds > 0:
            at = ((column + 0.5) * wide / across, (row + 0.5) * high / down)
            canvas.text(at, f"{seconds:.0f}", INK, font, anchor="mm", stroke_width=2, stroke_fill=GROUND)
    return _framed(title, image, _legend(cv2.COLORMAP_INFERNO, "0", f"{most:.0f} s"))


def examples_map(c: Calibration) -> Image.Image:
    """What the memory knows, the most frequent first."""
    title = "What is known by its look, the most frequent first"
    high, wide = _ground(c).shape[:2]
    if c.examples is None:
        why = "nothing: too little was seen, or the detector does not tell" if c.memory is None else "not kept"
        return _framed(title, Image.new("RGB", (wide, high), GROUND), _words(why))
    tiles, shares = c.examples.tiles, c.examples.shares
    across = _EXAMPLES_ACROSS
    down = -(-len(tiles) // across)
    tile_px = (wide - (across - 1) * _TILE_GAP_PX) // across
    tall_px = round(tile_px * tiles[0].shape[0] / tiles[0].shape[1])
    image = Image.new("RGB", (wide, down * (tall_px + _TILE_GAP_PX)), GROUND)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, across)
        shown = cv2.resize(tile, (tile_px, tall_px), interpolation=cv2.INTER_CUBIC)
        at = (column * (tile_px + _TILE_GAP_PX), row * (tall_px + _TILE_GAP_PX))
        image.paste(Image.fromarray(np.asarray(shown, np.uint8)), at)
    return _framed(title, image, _words(f"{len(tiles)} examples, {sum(shares):.0%} of what was seen"))


def _ground(c: Calibration) -> _Pixels:
    """(height, width, 3): the background, darkened so that colours show on it."""
    grey = unpacked(c.background)
    wide = min(WIDTH_PX, round(WIDTH_PX * _LARGEST_HEIGHT * grey.shape[1] / grey.shape[0]))
    high = max(1, round(wide * grey.shape[0] / grey.shape[1]))
    large = cv2.resize(grey, (wide, high), interpolation=cv2.INTER_CUBIC)
    return np.repeat((large * np.float32(0.8)).astype(np.uint8)[..., None], 3, axis=2)


def _sureness(c: Calibration, ground: _Pixels) -> _Floats:
    """(height, width): how much of the ground colours cover, less where nothing moved that they could be known from."""
    if c.traffic is None:
        return np.full(ground.shape[:2], _COVERED, np.float32)
    known = np.minimum(_spread((c.traffic.array > 0).astype(np.float32), ground), 1.0)
    return np.asarray(_PALE + (_COVERED - _PALE) * known, np.float32)


def _over(ground: _Pixels, value: npt.NDArray[np.floating], share: npt.ArrayLike, colours: int) -> _Pixels:
    """The ground below colours of ``value``, 0..1, covered by ``share``."""
    levels = np.clip(np.rint(255 * value), 0, 255).astype(np.uint8)
    coloured = cv2.cvtColor(cv2.applyColorMap(levels, colours), cv2.COLOR_BGR2RGB)
    cover = np.broadcast_to(np.asarray(share, np.float32), levels.shape)[..., None]
    return np.asarray(ground * (1 - cover) + coloured * cover, np.uint8)


def _spread(field: _Floats, ground: _Pixels) -> _Floats:
    """``field`` over the whole of the picture, smooth, nowhere below 0."""
    high, wide = ground.shape[:2]
    return np.maximum(np.asarray(cv2.resize(field, (wide, high), interpolation=cv2.INTER_LINEAR), np.float32), 0.0)


def _levels(low: float, high: float) -> list[float]:
    """Round numbers between, some ``_ISO_LINES`` of them."""
    if high - low < 1e-3 * max(high, 1.0):
        return []
    rough = (high - low) / _ISO_LINES
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(min((one * power for one in (1, 2, 5, 10)), key=lambda one: abs(one - rough)))
    # Not at the very edge, where there is no room for them.
    first, last = int(np.ceil(low / step + _ROOM)), int(np.floor(high / step - _ROOM))
    return [number * step for number in range(first, last + 1)]


def _line(field: _Floats, level: float) -> npt.NDArray[np.bool_]:
    above = (field >= level).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(above, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))) > 0


def _with_lines(shown: _Pixels, field: _Floats, levels: list[float]) -> _Pixels:
    lined = shown.copy()
    for level in levels:
        lined[_line(field, level)] = INK
    return lined


def _legend(colours: int, low: str, high: str, middle: str = "") -> Image.Image:
    strip = Image.new("RGB", (WIDTH_PX, _LEGEND_PX), GROUND)
    canvas, font = ImageDraw.Draw(strip), font_for(low, high)(16)
    left = canvas.textlength(low, font) + 10
    right = WIDTH_PX - canvas.textlength(high, font) - 10
    bar = np.repeat(np.linspace(0, 255, max(2, round(right - left))).astype(np.uint8)[None], _BAR_PX, axis=0)
    shown = cv2.cvtColor(cv2.applyColorMap(bar, colours), cv2.COLOR_BGR2RGB)
    strip.paste(Image.fromarray(np.asarray(shown, np.uint8)), (round(left), 8))
    canvas.text(((left + right) / 2, 10 + _BAR_PX), middle, QUIET, font, anchor="ma")
    canvas.text((0, 8 + _BAR_PX / 2), low, INK, font, anchor="lm")
    canvas.text((WIDTH_PX, 8 + _BAR_PX / 2), high, INK, font, anchor="rm")
    return strip


def _words(text: str) -> Image.Image:
    strip = Image.new("RGB", (WIDTH_PX, _LEGEND_PX), GROUND)
    canvas, font = ImageDraw.Draw(strip), font_for(text)(16)
    for number, line in enumerate(wrapped(canvas, text, font, WIDTH_PX, 2)):
        canvas.text((0, 4 + 20 * number), line, QUIET, font, anchor="la")
    return strip


def _framed(title: str, image: Image.Image, legend: Image.Image) -> Image.Image:
    whole = Image.new("RGB", (WIDTH_PX, _TITLE_PX + image.height + legend.height), GROUND)
    ImageDraw.Draw(whole).text((0, _TITLE_PX / 2), title, INK, font_for(title)(20), anchor="lm")
    whole.paste(image, ((WIDTH_PX - image.width) // 2, _TITLE_PX))
    whole.paste(legend, (0, _TITLE_PX + image.height))
    return whole
