"""The captioner that asks a vision-language model behind an OpenAI-compatible server.

The model sees pictures only, not the measurements: what it says and what was measured stay independent witnesses. Marks
tell it where to look, in quiet windows too, and neither what was measured there nor whether anything was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

from streamproc.config import VlmPerception
from streamproc.modelserver import ModelServer
from streamproc.perception import prompts
from streamproc.perception.captioner import composed
from streamproc.perception.pictures import Pixels, as_uri, close_up, marked, scaled
from streamproc.perception.prompts import SHA256, PersonEntry, Scene, ThingEntry
from streamproc.perception.regions import Region, regions, shades
from streamproc.perception.selection import eventful, spread
from streamproc.types import Caption, Fact, Frame, ModelRef, ObservedWindow

_OF_MARKS = re.compile(
    r"\s*[(\[]?(?<=[\s(\[])(?:(?:in|inside|within|by|from|marked|with)\s+)*(?:the\s+|as\s+)?"
    r"(?:outline|mark|box)\s*(?:number\s*)?#?\d+[)\]]?",
    re.IGNORECASE,
)
"""What a model says of outlines although it was asked not to: "in box 1", "(mark 2)"."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures of one request."""

    whole: tuple[Pixels, ...]
    """Of the whole view, oldest first."""
    close_ups: tuple[Pixels, ...]
    """Of the first region, enlarged, oldest first."""
    chosen: tuple[int, ...]
    """Which of the window's frames ``whole`` are."""
    regions: tuple[Region, ...]
    """Number 1 first; none where none are marked."""
    span_s: float
    """From the first picture to the last."""


class VlmCaptioner:
    """Puts several pictures of a window into words with one request."""

    def __init__(self, server: ModelServer, settings: VlmPerception) -> None:
        self._server = server
        self._settings = settings
        self.model = ModelRef("perception", settings.model, settings.revision, prompt_sha256=SHA256)

    def caption(self, observed: ObservedWindow) -> Caption:
        """What the model says, in sentences and in parts.

        Raises:
            InferenceError: the server does not answer; the window is lost.
            ReplyError: the reply is truncated or not in the form asked for; keeps its text.
        """
        shown = show(observed, self._settings)
        schema = prompts.schema(len(shown.regions))
        scene = self._server.ask_one(messages(shown, self._settings), Scene, schema=schema)
        return composed(observed, _facts(scene, shown.regions), self.model)


def show(observed: ObservedWindow, settings: VlmPerception) -> Shown:
    """What the model is shown of a window. Depends on nothing else: the same pictures each time."""
    frames = [frame for burst in observed.window.bursts for frame in burst]
    times_s = [frame.pts_s for frame in frames]
    looks_inside = settings.marks or settings.close_ups or settings.selection == "event"
    greys = shades(frames) if looks_inside else []
    found = regions(observed, greys, max(settings.marks, min(1, settings.close_ups))) if greys else ()
    # Never the last picture of the whole view, and no close-up where nothing moves.
    close_ups = min(settings.close_ups, settings.frames_per_window - 1) if found else 0
    count = settings.frames_per_window - close_ups
    chosen = eventful(times_s, greys, count) if settings.selection == "event" else spread(times_s, count)
    width_px, shown = settings.image_width_px, found[: settings.marks]
    return Shown(
        whole=tuple(_marked(frames[i], i, shown, width_px) for i in chosen),
        close_ups=tuple(close_up(frames[i], found[0].tube, width_px) for i in _seen(found[0], close_ups))
        if close_ups
        else (),
        chosen=chosen,
        regions=shown,
        span_s=times_s[chosen[-1]] - times_s[chosen[0]],
    )


def messages(shown: Shown, settings: VlmPerception) -> list[ChatCompletionMessageParam]:
    """The request: pictures first, then one text, which every family's chat template takes."""
    parts: list[ChatCompletionContentPartParam] = [
        {"type": "image_url", "image_url": {"url": as_uri(pixels)}} for pixels in (*shown.whole, *shown.close_ups)
    ]
    parts.append({"type": "text", "text": prompts.user(len(shown.whole), len(shown.close_ups), shown.span_s)})
    return [{"role": "system", "content": prompts.system(settings.marks > 0)}, {"role": "user", "content": parts}]


def _marked(frame: Frame, index: int, found: Sequence[Region], width_px: int) -> Pixels:
    boxes = {number: region.boxes[index] for number, region in enumerate(found, start=1)}
    return marked(scaled(frame, width_px), {number: box for number, box in boxes.items() if box is not None})


def _seen(region: Region, count: int) -> tuple[int, ...]:
    """Frames in which the region was recognised, spread over them; the last for one."""
    known = [i for i, box in enumerate(region.boxes) if box is not None]
    return tuple(known[i] for i in spread(known, count))


def _facts(scene: Scene, found: Sequence[Region] = ()) -> tuple[Fact, ...]:
    """People first. Entries that say nothing, or count nobody, are left out."""
    people = [_fact(p, p.who or "person", found) for p in scene.people]
    things = [_fact(t, t.what or "thing", found) for t in scene.things]
    return _unrepeated([fact for fact in (*people, *things) if fact.count > 0 and fact.text])


def _fact(entry: PersonEntry | ThingEntry, subject: str, found: Sequence[Region]) -> Fact:
    text = " ".join(_OF_MARKS.sub("", entry.sentence).split())
    if text and text[-1] not in ".!?":
        text += "."
    region = found[entry.mark - 1] if 1 <= entry.mark <= len(found) else None
    return Fact(
        about="human" if isinstance(entry, PersonEntry) else "environment",
        subject=subject.strip().lower(),
        count=entry.count,
        action=entry.action.strip().lower(),
        place=entry.place.strip(),
        text=text,
        track_ids=(region.track_id,) if region is not None and region.track_id is not None else (),
    )


def _unrepeated(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Models repeat themselves; a sentence said twice is evidence once."""
    return tuple({fact.text: fact for fact in reversed(facts)}.values())[::-1]
