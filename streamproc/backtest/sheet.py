"""A contact sheet as one picture: a row a clip, its strongest moments with boxes, sentence, rule, score and time."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw

from streamproc.alerts.private import make_file, make_folder
from streamproc.alerts.snapshot import ACCENT, DARK_TEXT, GROUND, INK, QUIET, Annotation, font_for, mark_boxes, wrapped
from streamproc.backtest.strongest import MOST, PICTURE_PX, Strong, Strongest
from streamproc.errors import ConfigError
from streamproc.facts import facts_of
from streamproc.replay import Judged
from streamproc.secrets import redact
from streamproc.types import Verdict

MOST_CLIPS = 40
"""Rows: more would make a picture that nothing opens."""
_GAP_PX, _HEAD_PX, _TEXT_PX, _LINE_PX = 12, 40, 200, 22
_UNIT_PX = 0.9
_SENTENCE_LINES, _RULE_LINES, _RULES = 3, 2, 2


class Sheet:
    """Is told of windows as they are judged, clip after clip; then written."""

    def __init__(self) -> None:
        self._clips: list[tuple[str, tuple[Strong, ...]]] = []
        self._now: tuple[Path, Strongest] | None = None
        self._left_out = 0

    def add(self, clip: Path, at_s: float, judged: Judged) -> None:
        """A window whose last picture was taken ``at_s`` into ``clip``."""
        if self._now is None or self._now[0] != clip:
            self._end_clip()
            self._now = (clip, Strongest())
        self._now[1].add(at_s, judged)

    def write(self, path: Path) -> None:
        """Write the picture, PNG, readable by its owner only: it shows people.

        Raises:
            ConfigError: it cannot be written.
        """
        self._end_clip()
        out = io.BytesIO()
        self._drawn().save(out, "PNG")
        try:
            make_folder(path.absolute().parent)
            make_file(path)
            path.write_bytes(out.getvalue())
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None

    def _end_clip(self) -> None:
        if self._now is None:
            return
        if len(self._clips) < MOST_CLIPS:
            self._clips.append((self._now[0].name, self._now[1].best()))
        else:
            self._left_out += 1
        self._now = None

    def _drawn(self) -> Image.Image:
        rows = [_row(name, moments) for name, moments in self._clips]
        if self._left_out:
            rows.append(_heading(f"{self._left_out} clips more are not shown"))
        if not rows:
            rows.append(_heading("nothing was looked at"))
        whole = Image.new("RGB", (rows[0].width, sum(row.height for row in rows) + _GAP_PX), GROUND)
        y = 0
        for row in rows:
            whole.paste(row, (0, y))
            y += row.height
        return whole


def _heading(text: str) -> Image.Image:
    image = Image.new("RGB", (_GAP_PX + MOST * (PICTURE_PX + _GAP_PX), _HEAD_PX), GROUND)
    ImageDraw.Draw(image).text((_GAP_PX, _HEAD_PX / 2 + 2), text, INK, font_for(text)(22), anchor="lm")
    return image


def _row(name: str, moments: tuple[Strong, ...]) -> Image.Image:
    alarms = sum(moment.verdict.alarm for moment in moments)
    said = f"{len(moments)} moments, {alarms} in alarm" if moments else "nothing moves"
    head = _heading(f"{name}: {said}")
    cells = [_cell(moment) for moment in moments]
    row = Image.new("RGB", (head.width, head.height + max((cell.height for cell in cells), default=0)), GROUND)
    row.paste(head, (0, 0))
    for number, cell in enumerate(cells):
        row.paste(cell, (_GAP_PX + number * (PICTURE_PX + _GAP_PX), head.height))
    return row


def _cell(moment: Strong) -> Image.Image:
    verdict = moment.verdict
    sentence, rules = redact(_sentence(verdict)), [redact(rule) for rule in _rules(moment)]
    font = font_for(sentence, *rules, *(one.text for one in verdict.objects))
    picture = Image.fromarray(moment.picture)
    leading = (moment.leading,) if moment.leading else ()
    note = Annotation(
        sentence, "", verdict.captured_at, "UTC", verdict.severity, verdict.cited_rules, leading, verdict.objects
    )
    mark_boxes(picture, note, _UNIT_PX)
    cell = Image.new("RGB", (PICTURE_PX, picture.height + _TEXT_PX), GROUND)
    cell.paste(picture, (0, 0))
    canvas = ImageDraw.Draw(cell)
    accent = ACCENT[verdict.severity] if verdict.alarm else QUIET
    y: float = picture.height + 8
    chip = "ALARM" if verdict.alarm else "no alarm"
    wide_px = canvas.textlength(chip, font(15)) + 16
    canvas.rounded_rectangle((0, y, wide_px, y + 22), radius=4, fill=accent)
    canvas.text((wide_px / 2, y + 11), chip, DARK_TEXT, font(15), anchor="mm")
    canvas.text((wide_px + 10, y + 11), _clock(moment.at_s), INK, font(16), anchor="lm")
    score = f"score {verdict.smoothed:.2f}, alarm from {moment.threshold:.2f}"
    canvas.text((PICTURE_PX, y + 11), score, QUIET, font(15), anchor="rm")
    y += 30
    lines = [(line, INK) for line in wrapped(canvas, sentence, font(16), PICTURE_PX, _SENTENCE_LINES)]
    lines += [(line, accent) for rule in rules for line in wrapped(canvas, rule, font(16), PICTURE_PX, _RULE_LINES)]
    for number, (line, colour) in enumerate(lines):
        canvas.text((0, y + number * _LINE_PX), line, colour, font(16), anchor="la")
    return cell.crop((0, 0, cell.width, round(y) + len(lines) * _LINE_PX + _GAP_PX))


def _sentence(verdict: Verdict) -> str:
    """What is seen that speaks for the verdict: the sentence that its reason names, else the first of what it points
    at, else the caption's first."""
    facts = [fact.text for caption in verdict.captions for fact in facts_of(caption)]
    named = [text for text in facts if text in verdict.reason]
    pointed_at = [one.text for one in verdict.objects if one.text in facts]
    return next(iter((*named, *pointed_at, *facts)), "Nothing is said of it.")


def _rules(moment: Strong) -> list[str]:
    """The rules that the verdict cites first, else what stands out by how much."""
    if cited := moment.verdict.cited_rules:
        more = f" (and {len(cited) - _RULES} more)" if len(cited) > _RULES else ""
        told = [f"{rule.id}: {rule.text}" for rule in cited[:_RULES]]
        return [*told[:-1], told[-1] + more]
    if moment.leading is None:
        return ["No rule is cited, nothing is measured."]
    m = moment.leading
    return [f"No rule is cited; {m.name}: {m.value:.2g} {m.unit}, {moment.strength[1]:.1f} times its limit."]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
