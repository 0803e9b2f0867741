"""Has a rule set tried on recorded footage, and another one beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from streamproc.backtest.chosen import Chosen, chosen, other, require_camera
from streamproc.backtest.labels import load_labels, look_at
from streamproc.backtest.outcome import Backtest
from streamproc.backtest.progress import progress
from streamproc.config import DeductionSettings, IncidentSettings
from streamproc.errors import ConfigError
from streamproc.evaluation.metrics import sklearn_metrics
from streamproc.footage import find_clips
from streamproc.secrets import redact
from streamproc.site import load_site

if TYPE_CHECKING:
    from streamproc.models.sentences import SentenceEmbedder


def backtest_video(
    rules: Path,
    site: Path,
    camera_id: str,
    patterns: Sequence[str],
    *,
    labels: Path | None = None,
    against: str | None = None,
    start: datetime | None = None,
    pictures: bool = False,
) -> Backtest:
    """What ``rules`` would have raised on recordings of a camera; ``start`` is when the first began, UTC.

    Raises:
        ConfigError: the rules, the site, the camera, the recordings or their labels are not there or do not fit.
        SourceError: a recording cannot be read.
        ModelError: a model cannot be had.
    """
    from streamproc.backtest.video import Footage, run_on_video
    from streamproc.replay import load_backends

    if labels is not None:
        sklearn_metrics()  # what is missing is told before anything is looked at
    loaded = load_site(site)
    camera = loaded.camera(camera_id)
    with ExitStack() as stack:
        sets = _sets(stack, rules, against)
        for one in sets:
            require_camera(one, loaded.settings.site.id, camera.id)
        clips = find_clips(patterns, "--video")
        known = None if labels is None else load_labels(labels, clips)
        recordings = tuple(look_at(clip) for clip in clips)
        backends = stack.enter_context(load_backends(loaded))
        footage = Footage(site, camera.id, camera.timezone, recordings, known, start, backends)
        total_s = len(sets) * sum(recording.duration_s for recording in recordings)
        with progress(total_s) as advance:
            outcomes = [run_on_video(one, footage, advance, pictures=pictures) for one in sets]
    return Backtest(outcomes[0], outcomes[1] if against is not None else None)


def backtest_captions(
    rules: Path,
    captions: Path,
    *,
    fps: float,
    site: Path | None = None,
    against: str | None = None,
    semantic: bool = False,
) -> Backtest:
    """What ``rules`` would have raised on captions alone; settings are the site's, or the defaults. With ``semantic``
    meaning votes too, not keywords alone.

    Raises:
        ConfigError: the rules, the captions or the site are not there or not valid.
        ModelError: the embedding model cannot be had, or failed.
    """
    from streamproc.backtest.captions import run_on_captions
    from streamproc.evaluation.captioned import load_captioned

    sklearn_metrics()  # what is missing is told before anything is looked at
    settings, incidents = _settings(site)
    with ExitStack() as stack:
        sets = _sets(stack, rules, against)
        sources = frozenset[str]().union(*(one.sources for one in sets))
        every = load_captioned(captions)
        videos = [video for video in every if video.name not in sources]
        if not videos:
            raise ConfigError(f"the rules were learned from all videos of {captions}")
        left_out = [video.name for video in every if video.name in sources]
        embedder = _embedder() if semantic else None
        with progress(len(sets) * sum(len(video.frames) for video in videos)) as advance:
            outcomes = [
                run_on_captions(one, videos, settings, embedder, fps, incidents.resolve_after_s, advance, left_out)
                for one in sets
            ]
    return Backtest(outcomes[0], outcomes[1] if against is not None else None)


def write_page(backtest: Backtest, path: Path) -> None:
    """Write the contact sheet, readable by its owner only: it holds pictures of people.

    Raises:
        ConfigError: it cannot be written.
    """
    from streamproc.backtest.page import page

    text = redact(page(backtest))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _sets(stack: ExitStack, rules: Path, against: str | None) -> list[Chosen]:
    sets = [chosen(rules)]
    return sets if against is None else [*sets, stack.enter_context(other(rules, against))]


def _embedder() -> SentenceEmbedder:
    from streamproc.models.sentences import SentenceEmbedder
    from streamproc.models.store import ModelStore

    return SentenceEmbedder(ModelStore().ensure("bge-small"))


def _settings(site: Path | None) -> tuple[DeductionSettings, IncidentSettings]:
    if site is None:
        return DeductionSettings(), IncidentSettings()
    loaded = load_site(site)
    return loaded.pipeline.deduction, loaded.settings.alerts.incidents
