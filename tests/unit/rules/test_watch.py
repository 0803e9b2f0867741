from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from streamproc.errors import ConfigError, InferenceError
from streamproc.rules import history
from streamproc.rules.live import LiveRules
from streamproc.rules.meaning import Floats
from streamproc.rules.watch import RuleFile, aside
from streamproc.testing import FakeClock
from streamproc.types import Caption, Frame, ModelRef, ObservedWindow, RuleSet, Window

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RULES = """\
schema_version: 1
site: depot
camera: gate
version: VERSION
rules:
  - {id: run, about: human, says: anomaly, text: Someone runs., keywords: [KEYWORD]}
"""


class Site:
    """A rule file on a disk whose times follow the fake clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(START)
        self.path = folder / "gate.yaml"
        self.changes: list[RuleSet] = []
        self.refusals: list[ConfigError] = []
        self.write(1)

    def text(self, version: int, keyword: str = "run") -> str:
        return RULES.replace("VERSION", str(version)).replace("KEYWORD", keyword)

    def write(self, version: int, keyword: str = "run", *, text: str | None = None) -> None:
        self.path.write_text(self.text(version, keyword) if text is None else text)
        self.touch(self.path)

    def touch(self, path: Path) -> None:
        now_ns = int(self.clock.now().timestamp() * 1e9)
        os.utime(path, ns=(now_ns, now_ns))

    def file(self, *, recorded: bool = False, **more: object) -> RuleFile:
        told = {"on_change": self.changes.append, "on_refusal": self.refusals.append}
        return RuleFile(self.path, self.clock, recorded=recorded, **told, **more)  # type: ignore[arg-type]

    def versions(self, file: RuleFile, seconds: float, step_s: float = 0.25) -> list[int]:
        """The version in force at each of the polls in the next ``seconds``."""
        found = []
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            found.append(file.poll().version)
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_file_that_is_not_valid_at_the_start_is_an_error(site: Site) -> None:
    site.write(0)
    with pytest.raises(ConfigError, match=r"gate.yaml:4:10: version"):
        site.file()


@pytest.mark.parametrize("phase_s", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_valid_edit_takes_effect_within_two_seconds_of_polling_each_second(site: Site, phase_s: float) -> None:
    file = site.file()
    site.versions(file, 10.0)
    site.clock.advance(phase_s)
    site.write(2)
    edited_s = site.clock.monotonic()
    site.clock.advance(1.0 - phase_s)
    while file.poll().version != 2:
        site.clock.advance(1.0)
        assert site.clock.monotonic() - edited_s <= 2.0
    assert [rules.version for rules in site.changes] == [2]


def test_an_edit_is_found_however_soon_after_the_start_it_comes(site: Site) -> None:
    file = site.file()
    site.write(2)  # the same size, and the same time as far as the file system can tell
    assert site.versions(file, 2.0)[-1] == 2


def test_a_file_that_is_being_written_is_left_alone(site: Site) -> None:
    file = site.file()
    site.versions(file, 10.0)
    site.clock.advance(0.4)
    site.write(2, text=site.text(2)[:60])
    site.clock.advance(0.2)
    assert file.poll().version == 1
    site.write(2)
    assert site.versions(file, 1.0)[-1] == 2
    assert site.refusals == []


def test_editors_that_replace_the_file_are_followed(site: Site, tmp_path: Path) -> None:
    file = site.file()
    site.versions(file, 10.0)
    for version in (2, 3):
        draft = tmp_path / "draft"
        draft.write_text(site.text(version))
        site.touch(draft)
        draft.replace(site.path)
        assert site.versions(file, 2.0)[-1] == version


def test_a_link_that_is_turned_is_followed(site: Site, tmp_path: Path) -> None:
    targets = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for version, target in enumerate(targets, 1):
        target.write_text(site.text(version))
        site.touch(target)
    site.path.unlink()
    site.path.symlink_to(targets[0])
    file = site.file()
    site.versions(file, 10.0)
    site.path.unlink()
    site.path.symlink_to(targets[1])
    assert site.versions(file, 2.0)[-1] == 2


def test_an_invalid_edit_is_told_once_and_changes_nothing(site: Site) -> None:
    file = site.file()
    site.versions(file, 10.0)
    site.write(2, text=site.text(2).replace("anomaly", "anomalous"))
    with capture_logs() as logs:
        assert set(site.versions(file, 10.0)) == {1}
    assert [str(error).partition("gate.yaml")[2].partition(" ")[0] for error in site.refusals] == [":6:35:"]
    (entry,) = logs
    assert (entry["event"], entry["in_force"]) == ("rules_refused", 1)
    assert "permitted: normal, anomaly" in entry["faults"]


def test_each_further_invalid_edit_is_told_and_a_valid_one_ends_it(site: Site) -> None:
    file = site.file()
    for text in ("a: [", "a: [", "b: ]", None):
        site.write(2, text=text)
        site.versions(file, 3.0)
    assert len(site.refusals) == 2
    assert file.rules.version == 2
    assert [rules.version for rules in site.changes] == [2]


def test_an_edit_that_is_taken_back_is_no_change(site: Site) -> None:
    file = site.file()
    site.write(2, text="a: [")
    site.versions(file, 3.0)
    site.write(1)
    site.versions(file, 3.0)
    site.write(2, text="a: [")
    site.versions(file, 3.0)
    assert site.changes == []
    assert len(site.refusals) == 2


def test_a_file_that_is_gone_is_told_once_and_found_when_it_is_back(site: Site) -> None:
    file = site.file()
    site.path.unlink()
    assert set(site.versions(file, 5.0)) == {1}
    assert [str(error) for error in site.refusals] == [f"{site.path}: no such file"]
    site.write(2)
    assert site.versions(file, 2.0)[-1] == 2


def test_another_cameras_rules_are_refused(site: Site) -> None:
    file = site.file()
    site.write(2, text=site.text(2).replace("camera: gate", "camera: yard"))
    assert set(site.versions(file, 3.0)) == {1}
    assert "rules of depot/yard, not of depot/gate" in str(site.refusals[0])


def test_the_file_is_looked_at_twice_a_second_at_most(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    file = site.file()
    site.versions(file, 10.0)
    looks: list[Path] = []
    real = Path.stat

    def counted(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        looks.append(path)
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", counted)
    site.versions(file, 10.0, step_s=0.05)
    assert len(looks) <= 20


def _caption(text: str) -> Caption:
    return Caption("gate", 0, 1.0, text, (), ModelRef("perception", "fake", "1"))


def _observed() -> ObservedWindow:
    frame = Frame("gate", 0, 1.0, START, np.zeros((2, 2, 3), np.uint8))
    return ObservedWindow(Window("gate", 0, 0, ((frame,),)), (), (), 0.1)


def test_the_next_window_is_matched_with_the_edited_rules(site: Site) -> None:
    file = site.file()
    live = LiveRules(file, None, 0.6, "UTC")
    rules, matches = live.match(_caption("A man runs."), _observed())
    assert (rules.version, [match.rule_id for match in matches]) == (1, ["run"])
    site.write(2, keyword="jump")
    site.clock.advance(1.0)
    rules, matches = live.match(_caption("A man runs."), _observed())
    assert (rules.version, matches) == (2, [])
    assert live.match(_caption("A man jumps."), _observed())[1][0].words == "jumps"


class _Broken:
    def embed(self, texts: object) -> Floats:
        raise InferenceError("no session")


def test_without_an_embedding_model_keywords_still_match(site: Site) -> None:
    with capture_logs() as logs:
        live = LiveRules(site.file(), _Broken(), 0.6, "UTC")
    assert [entry["event"] for entry in logs] == ["semantic_matching_off"]
    assert [match.how for match in live.match(_caption("A man runs."), _observed())[1]] == ["keyword"]


# ---- edits that take long


class _Counted:
    """Every text a direction of its own, all told."""

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self._rows: dict[str, int] = {}

    def embed(self, texts: Sequence[str]) -> Floats:
        self.embedded += texts
        return np.eye(64, dtype=np.float32)[[self._rows.setdefault(text, len(self._rows)) for text in texts]]


class Aside:
    """Work that is done when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def finish(self) -> None:
        (job,) = self.jobs  # one at a time
        self.jobs.clear()
        job()


def test_until_an_edit_is_worked_in_the_old_rules_hold_and_match(site: Site) -> None:
    work = Aside()
    file = site.file(work=work)
    live = LiveRules(file, _Counted(), 0.6, "UTC")
    site.write(2, keyword="jump")
    assert set(site.versions(file, 10.0)) == {1}
    rules, matches = live.match(_caption("A man runs."), _observed())
    assert (rules.version, len(matches), site.changes) == (1, 1, [])
    work.finish()
    rules, matches = live.match(_caption("A man runs."), _observed())
    assert (rules.version, matches, [rules.version for rules in site.changes]) == (2, [], [2])


def test_only_what_the_file_says_last_takes_effect_and_one_edit_is_worked_in_at_a_time(site: Site) -> None:
    work = Aside()
    file = site.file(work=work)
    for version in (2, 3, 4):
        site.write(version)
        site.versions(file, 3.0)
    work.finish()
    assert set(site.versions(file, 1.0)) == {1}
    work.finish()
    assert site.versions(file, 1.0)[-1] == 4
    assert work.jobs == []
    assert [rules.version for rules in site.changes] == [4]


def test_an_edit_that_is_taken_back_while_it_is_worked_in_never_takes_effect(site: Site) -> None:
    work = Aside()
    file = site.file(work=work)
    for version in (2, 1):
        site.write(version)
        site.versions(file, 3.0)
    work.finish()
    assert set(site.versions(file, 5.0)) == {1}
    assert (site.changes, site.refusals) == ([], [])


def test_what_fails_beside_the_camera_is_a_refused_edit(site: Site) -> None:
    work = Aside()
    file = site.file(work=work)

    def fails(_: RuleSet) -> None:
        raise MemoryError("10000 rules")

    file.matcher_of = fails  # type: ignore[assignment]
    site.write(2)
    site.versions(file, 3.0)
    with capture_logs() as logs:
        work.finish()
        assert set(site.versions(file, 5.0)) == {1}
    assert [entry["event"] for entry in logs] == ["rules_not_made", "rules_refused"]
    assert "MemoryError('10000 rules')" in str(site.refusals[0])
    file.matcher_of = None
    site.write(3)
    site.versions(file, 3.0)
    work.finish()
    assert file.poll().version == 3


def test_where_no_thread_can_be_had_the_edit_is_refused(site: Site) -> None:
    def full(_: object) -> None:
        raise RuntimeError("can't start new thread")

    file = site.file(work=full)
    site.write(2)
    assert set(site.versions(file, 3.0)) == {1}
    assert ["can't start new thread" in str(error) for error in site.refusals] == [True]


def test_work_aside_is_waited_for_so_long_and_no_longer() -> None:
    go, done = threading.Event(), threading.Event()

    def job() -> None:
        go.wait(10.0)
        done.set()

    aside(job, patience_s=0.0)
    assert not done.is_set()
    go.set()
    assert done.wait(10.0)
    seen: list[int] = []
    aside(lambda: seen.append(threading.get_ident()), patience_s=10.0)
    assert seen != [threading.get_ident()]
    assert len(seen) == 1


def test_an_edit_of_one_rule_embeds_one_text_on_every_camera(site: Site) -> None:
    embedder = _Counted()
    file = site.file()
    live = [LiveRules(file, embedder, 0.6, "UTC"), LiveRules(file, embedder, 0.6, "UTC")]
    assert embedder.embedded.count("Someone runs.") == 1
    before = len(embedder.embedded)
    site.write(2, text=site.text(2) + "  - {id: cry, about: human, says: anomaly, text: Someone cries.}\n")
    site.clock.advance(1.0)
    assert live[1].match(_caption(""), _observed())[0].version == 2
    rules_texts = [text for text in embedder.embedded[before:] if text in ("Someone runs.", "Someone cries.")]
    assert rules_texts == ["Someone cries."]


def test_what_was_in_force_is_kept_so_that_an_edit_can_be_looked_up_by_the_hash_that_alerts_tell(site: Site) -> None:
    file = site.file(recorded=True)
    in_force = [file.rules.sha256[:12]]
    site.clock.advance(5.0)
    for keyword in ("sprint", "dash"):
        site.write(1, keyword)  # people do not count the version up
        site.versions(file, 5.0)
        in_force.append(file.rules.sha256[:12])
    site.write(1, text="rules: {")
    site.versions(file, 5.0)
    kept = history.kept(site.path)
    assert [one.sha for one in kept] == in_force
    assert [one.version for one in kept] == [1, 1, 1]
    assert (kept[1].written_at - kept[0].written_at).total_seconds() == 5.0
    assert kept[1].path.read_text() == site.text(1, "sprint")


def test_a_replay_keeps_nothing(site: Site) -> None:
    file = site.file()
    site.write(1, "sprint")
    site.versions(file, 5.0)
    assert history.kept(site.path) == []


def test_where_nothing_can_be_kept_the_rules_hold_all_the_same(site: Site) -> None:
    (site.path.parent / ".history").write_text("in the way")
    with capture_logs() as logs:
        file = site.file(recorded=True)
        site.write(2)
        assert site.versions(file, 5.0)[-1] == 2
    assert [line["event"] for line in logs if line["log_level"] != "info"] == []
    assert "rules_version_not_kept" in {line["event"] for line in logs}
