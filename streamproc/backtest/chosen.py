"""The rule sets that a backtest compares: files, or earlier versions with the calibrations they were learned with."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamproc.calibrations import calibration_path
from streamproc.errors import ConfigError
from streamproc.evaluation.report import rules_and_sources
from streamproc.footage import sha256_of
from streamproc.rules import history
from streamproc.rules.schema import parse_rules
from streamproc.types import RuleSet
from streamproc.yamlfile import read_bytes

_VERSION = re.compile(r"\d{1,9}(-[0-9a-f]{1,12})?")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A rule set to be tried."""

    name: str
    """What people know it by."""
    path: Path
    """Its file, with its calibration beside it."""
    rules: RuleSet
    sources: frozenset[str]
    """Names of the clips or videos that it was learned from."""
    hashes: frozenset[str]
    """SHA-256 of the clips among them."""

    def knows(self, recording: Path) -> bool:
        """Whether it was learned from the recording: one of its name and, where its clips' bytes are known, of its
        bytes, for cameras give many recordings the same name."""
        return recording.name in self.sources and (not self.hashes or sha256_of(recording) in self.hashes)


def chosen(path: Path) -> Chosen:
    """The rule set in a file.

    Raises:
        ConfigError: it does not load.
    """
    rules, sources = rules_and_sources(path)
    return Chosen(str(path), path, rules, sources, _hashes(path))


@contextmanager
def other(rules: Path, name: str) -> Iterator[Chosen]:
    """The rule set that ``name`` says: a file, or a version of ``rules`` that was kept, for as long as the body runs.

    Raises:
        ConfigError: there is none, or it does not load.
    """
    if not _VERSION.fullmatch(name) or Path(name).exists():
        yield chosen(Path(name))
        return
    kept = history.find(rules, name)
    loaded, sources = rules_and_sources(kept.path)
    with tempfile.TemporaryDirectory(prefix="streamproc-backtest-") as folder:
        copy = Path(folder) / rules.name
        shutil.copyfile(kept.path, copy)
        wanted = loaded.calibration_sha256
        calibration = (history.kept_calibration(rules, wanted) if wanted else None) or calibration_path(rules)
        if calibration.exists():
            shutil.copyfile(calibration, calibration_path(copy))
        yield Chosen(f"{rules}, version {kept.version}", copy, loaded, sources, _hashes(copy))


def _hashes(path: Path) -> frozenset[str]:
    provenance = parse_rules(read_bytes(path), str(path))[1].provenance
    return frozenset(clip.sha256 for clip in provenance.clips) if provenance else frozenset()


def require_camera(one: Chosen, site: str, camera: str) -> None:
    """Notice another camera's rules, whose measures and zones would not fit.

    Raises:
        ConfigError: they are another camera's.
    """
    if (one.rules.site, one.rules.camera) != (site, camera):
        raise ConfigError(f"{one.name} holds the rules of {one.rules.site}/{one.rules.camera}, not of {site}/{camera}")
