"""`streamproc induce`: what is written where, what people are told, and what is refused before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from streamproc import learn as module
from streamproc.alerts.message import RuleSetRef, VoteRecord
from streamproc.calibrations import calibration_path
from streamproc.config import VoterWeights
from streamproc.deduction.calibration import highest_threshold, upper_bound
from streamproc.errors import ConfigError
from streamproc.feedback.records import Feedback, Told, put
from streamproc.footage import EVERYTHING, Part
from streamproc.learn import learn
from streamproc.normality.calibration import Calibration, Clip
from streamproc.rules.induction import Induction, StatisticalInducer
from streamproc.rules.schema import load_rules, parse_rules
from streamproc.testing_alerts import START
from streamproc.testing_deduction import observed
from streamproc.testing_defects import seen
from streamproc.testing_wiring import WALKS, ScriptedCaptioner, write_rules, write_site
from streamproc.types import Caption, ObservedWindow

MEASURED = Calibration.load(
    Path(__file__).parent.parent / "integration" / "site" / "rules" / "two.normality.json"
).model_copy(update={"camera_id": "gate"})


class FakeLearning:
    """Stands for the passes over the footage: forty windows in which people walk, and scores as told."""

    def __init__(self) -> None:
        self.seconds = [40.0]
        self.measured = MEASURED
        self.count = 40
        self.score = 0.3
        self.least_windows = 0
        """Of a part, below which it is too little to measure."""
        self.lost = 0
        self.reached = [40.0]
        """Seconds of footage that looking at it tells of."""
        self.done: list[str] = []
        """Passes over the footage, and calibrations."""
        self.calibrations: list[Part] = []
        self.scored: list[Part] = []
        self.closed = False

    def __call__(self, *_: object) -> FakeLearning:
        return self

    def close(self) -> None:
        self.closed = True

    def require_model_server(self) -> None:
        pass

    def durations(self) -> list[float]:
        self.done.append("durations")
        return self.seconds

    def record(self, progress: Callable[[float], None]) -> None:
        self.done.append("record")
        for seconds in self.reached:
            progress(seconds)

    def calibration(self, clips: Sequence[Clip], part: Part = EVERYTHING) -> Calibration:
        self.done.append("calibration")
        self.calibrations.append(part)
        if part.end - part.first < self.least_windows:
            raise ConfigError("normal footage: only 3 s in which something moves")
        return self.measured.model_copy(update={"clips": tuple(clips)})

    def observed(self, calibration: Calibration, part: Part = EVERYTHING) -> Iterator[ObservedWindow]:
        self.scored.append(part)
        return (observed(1.0 + number) for number in range(self.count)[part.first : part.end])

    def captions(self, windows: Iterator[ObservedWindow]) -> list[Caption | None]:
        captioner = ScriptedCaptioner(lambda _: WALKS)
        return [captioner.caption(one) for one in windows]

    def induce(self, captions: Sequence[Caption | None]) -> Induction:
        return StatisticalInducer().induce([caption for caption in captions if caption is not None])

    def scores(self, induction: Induction, windows: Iterator[ObservedWindow]) -> list[float]:
        return [self.score for _ in windows]


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> FakeLearning:
    fake = FakeLearning()
    monkeypatch.setattr(module, "Learning", fake)
    return fake


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "normal.mp4").write_bytes(b"a clip")
    return write_site(tmp_path)


@pytest.fixture
def induce(site: Path, learner: FakeLearning) -> Callable[..., module.Learned]:
    return lambda out=None: learn(site, "gate", [str(site.parent / "*.mp4")], out)


Induce = Callable[..., module.Learned]


def test_rules_and_calibration_lie_where_the_site_file_expects_them(induce: Induce, tmp_path: Path) -> None:
    report = induce()
    assert report.rules == tmp_path / "rules" / "gate.yaml"
    assert Calibration.load(report.calibration).clips[0].duration_s == 40.0
    rules, model, _ = parse_rules(report.rules.read_bytes(), "gate.yaml")
    assert (rules.site, rules.camera, rules.version) == ("site", "gate", 1)
    assert "normal-people-walk" in [rule.id for rule in rules.rules]
    provenance = model.provenance
    assert provenance is not None
    assert provenance.clips[0].name == "normal.mp4"
    assert provenance.alarm_score == pytest.approx(0.5)
    assert provenance.hours_observed == pytest.approx(40 / 3600, abs=1e-4)
    assert provenance.calibration == calibration_path(report.rules).name
    assert report.notes == ()
    assert report.normal_rules == 1
    assert report.anomaly_rules > 3


def test_the_report_for_people_and_programs(induce: Induce) -> None:
    report = induce()
    said = str(report)
    assert "learned from 40 s of normal footage" in said
    assert f"rules        {report.rules}, version 1: 1 normal, {report.anomaly_rules} anomaly" in said
    assert "from a score of 0.50 on" in said
    assert report.as_dict()["rules"] == report.rules
    assert report.as_dict()["footage_s"] == 40.0


def test_each_half_is_judged_by_what_was_learned_from_the_other(induce: Induce, learner: FakeLearning) -> None:
    induce()
    assert learner.calibrations == [EVERYTHING, Part(0, 20), Part(20, 40)]
    assert learner.scored == [EVERYTHING, Part(20, 40), Part(0, 20)]
    assert learner.closed


def test_the_footage_is_looked_at_once_before_anything_is_learned_from_it(
    induce: Induce, learner: FakeLearning
) -> None:
    induce()
    assert learner.done == ["durations", "record", *["calibration"] * 3]


def test_footage_that_is_too_short_to_be_halved_is_judged_by_itself_and_that_is_said(
    induce: Induce, learner: FakeLearning
) -> None:
    learner.least_windows = 30
    report = induce()
    assert learner.scored == [EVERYTHING, EVERYTHING]
    assert any("too little footage to judge one half by the other" in note for note in report.notes)


def test_the_alarm_lies_above_what_normal_footage_scores(induce: Induce, learner: FakeLearning) -> None:
    learner.score = 0.62
    assert induce().alarm_score == pytest.approx(0.67)


def test_normal_footage_that_looks_like_an_alarm_is_said_and_the_rules_are_written_all_the_same(
    induce: Induce, learner: FakeLearning
) -> None:
    learner.score = 0.95
    report = induce()
    assert report.alarm_score == pytest.approx(highest_threshold(VoterWeights()), abs=1e-3)
    assert report.rules.exists()
    assert any("normal footage scores up to 0.95" in note for note in report.notes)


def test_alarms_that_the_normal_footage_raises_are_counted(induce: Induce, learner: FakeLearning) -> None:
    assert " no alarms in the" in str(induce())
    learner.score = 0.95
    report = induce()
    assert "1 alarm in the" in report.false_alarms
    provenance = parse_rules(report.rules.read_bytes(), "gate")[1].provenance
    assert provenance is not None
    assert provenance.alarms == 1
    assert provenance.false_alarms_per_hour_max == pytest.approx(upper_bound(1) / (40 / 3600), rel=0.1)


def test_a_rate_that_run_will_refuse_is_said_at_once(site: Path, induce: Induce, tmp_path: Path) -> None:
    preset = "schema_version: 1\nname: own\ndeduction: {max_false_alarms_per_hour: 0.1}\n"
    (tmp_path / "own.yaml").write_text(preset)
    write_site(tmp_path, pipeline="./own.yaml")
    notes = induce().notes
    assert any("`streamproc run` will refuse this camera: max_false_alarms_per_hour 0.1" in note for note in notes)


def test_footage_that_was_not_looked_at_supports_no_rate(
    site: Path, induce: Induce, learner: FakeLearning, tmp_path: Path
) -> None:
    learner.seconds = [4 * 3600.0]
    (tmp_path / "own.yaml").write_text("schema_version: 1\nname: own\ndeduction: {max_false_alarms_per_hour: 2}\n")
    write_site(tmp_path, pipeline="./own.yaml")
    assert any("max_false_alarms_per_hour 2 is not supported" in note for note in induce().notes)


def test_what_people_wrote_is_kept_and_told(induce: Induce) -> None:
    path = induce().rules
    text = path.read_text().replace("People walk here, one at a time.", "People stroll here.")
    path.write_text(text + "# mine\n")
    report = induce()
    assert report.version == 2
    assert "People stroll here." in path.read_text()
    assert "# mine" in path.read_text()
    assert "kept as people wrote them: normal-people-walk" in report.notes


def test_what_operators_said_of_alerts_is_taken_in(induce: Induce) -> None:
    path = induce().rules
    vote = VoteRecord(voter="keyword", verdict="anomaly", cites=("people-hurry",), weight=1.0, score=1.0)
    speed = VoteRecord(voter="novelty", verdict="anomaly", cites=(), weight=2.0, score=0.75)
    said = Feedback(
        alert_id="a" * 32,
        says="false",
        said_at=START,
        camera="gate",
        start=START,
        category="people-hurry",
        reason="Somebody ran.",
        rule_set=RuleSetRef(id="x", version=1, sha256="0" * 64),
        score=0.7,
        cited=("people-hurry",),
        windows=(Told(text="A person runs.", votes=(vote, speed)),),
    )
    put(path, said)
    report = induce()
    rules = load_rules(path)
    assert (report.version, rules.version) == (2, 2)
    assert report.alarm_score == rules.alarm_score
    assert report.alarm_score > 0.5
    (hurry,) = [rule for rule in rules.rules if rule.id == "people-hurry"]
    assert dict(zip(hurry.keywords, hurry.strengths, strict=True))["run"] == 0.25
    (told,) = [note for note in report.notes if note.startswith("'run' of rule people-hurry")]
    assert told.endswith("had a part in 1 false alarm, so it weighs less and raises no alert by itself any more")


def test_footage_that_is_enough_but_not_much_is_said(induce: Induce, learner: FakeLearning) -> None:
    learner.measured = MEASURED.model_copy(update={"busy_s": 15.0})
    assert induce().notes == ("40 s or more with something moving would tell normal more surely",)


def test_windows_that_were_lost_are_told(induce: Induce, learner: FakeLearning) -> None:
    learner.lost = 2
    assert "windows that could not be put into words, and were left out: 2" in induce().notes


def test_a_rule_file_that_the_site_does_not_name_is_told_and_one_named_otherwise_is_not(
    induce: Induce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (note,) = induce(tmp_path / "elsewhere" / "gate.yaml").notes
    assert f"add `rules: {tmp_path / 'elsewhere' / 'gate.yaml'}` to camera gate" in note
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert induce(Path("../rules/gate.yaml")).notes == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [("rules: 7", r"gate\.yaml"), (None, "holds the rules of site/yard; those of site/gate need another file")],
)
def test_a_rule_file_that_could_not_be_merged_with_is_refused_before_anything_is_learned(
    induce: Induce, learner: FakeLearning, tmp_path: Path, text: str | None, said: str
) -> None:
    path = write_rules(tmp_path / "rules" / "gate.yaml", "yard")
    path.write_text(text or path.read_text())
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=said):
        induce()
    assert path.read_bytes() == before
    assert learner.calibrations == []


def test_a_place_that_cannot_be_written_to_is_refused(induce: Induce, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be written"):
        induce()


def test_a_calibration_that_cannot_be_written_is_refused(induce: Induce, tmp_path: Path) -> None:
    (tmp_path / "rules" / "gate.normality.json" / "x").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"gate\.normality\.json cannot be written: Is a directory"):
        induce()


def test_a_clip_of_one_picture_is_refused_by_name(induce: Induce, learner: FakeLearning) -> None:
    learner.seconds = [0.0]
    with pytest.raises(ConfigError, match=r"less than two pictures: normal\.mp4"):
        induce()
    assert learner.closed


def test_too_little_footage_is_refused_and_nothing_is_written(
    induce: Induce, learner: FakeLearning, tmp_path: Path
) -> None:
    learner.least_windows = 2**63
    with pytest.raises(ConfigError, match="only 3 s in which something moves"):
        induce()
    assert not (tmp_path / "rules").exists()
    assert learner.closed


def test_the_steps_are_told_on_standard_error_alone(induce: Induce, capsys: pytest.CaptureFixture[str]) -> None:
    induce()
    out, err = capsys.readouterr()
    assert out == ""
    assert next(row.strip() for row in err.splitlines() if row.strip()) == "reading the clips"
    assert "writing" in err


@pytest.mark.parametrize(
    ("reached", "shares"),
    [
        ([4.0 * number for number in range(11)], ["25%", "50%", "75%", "100%"]),
        ([0.4, 31.0, 31.4, 39.9], ["75%"]),
        ([25.0, 40.0 - 1e-9, 40.4], ["50%", "100%"]),
    ],
)
def test_how_far_looking_has_come_is_told_in_lines_where_there_is_no_terminal(
    induce: Induce,
    learner: FakeLearning,
    capsys: pytest.CaptureFixture[str],
    reached: list[float],
    shares: list[str],
) -> None:
    learner.reached = reached
    induce()
    rows = [row.strip() for row in capsys.readouterr().err.splitlines() if row.strip()]
    assert rows == [
        "reading the clips",
        "looking at them",
        *(f"looking at them: {share}" for share in shares),
        "measuring what is normal",
        "putting it into words",
        "judging each half by the other",
        "writing",
    ]


def test_a_terminal_has_one_bar_that_ends_full(
    induce: Induce, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    induce()
    out, err = capsys.readouterr()
    assert out == ""
    assert "looking at them: " not in err
    (*_, last) = (row for row in err.splitlines() if "writing" in row)
    assert "100%" in last


def test_regions_that_are_inspected_are_enrolled_on_the_way(
    site: Path, induce: Induce, learner: FakeLearning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert induce().enrolled is None
    (tmp_path / "own.yaml").write_text("schema_version: 1\nname: own\ninspection: {memory: {shots: 5}}\n")
    path = write_site(tmp_path, pipeline="./own.yaml")
    region = "{name: valve, polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]}"
    path.write_text(path.read_text().replace("rules: rules/gate.yaml", f"rules: rules/gate.yaml, regions: [{region}]"))
    monkeypatch.setattr(learner, "observed", lambda *_: (seen(float(number)) for number in range(40)))
    report = induce()
    assert report.enrolled is not None
    assert report.enrolled.pictures == {"region valve": 5}
    assert report.enrolled.path == tmp_path / "rules" / "gate.inspection.zip"
    assert f"inspection   {report.enrolled.path}: region valve" in str(report)
    assert report.as_dict()["enrolled"]["pictures"] == {"region valve": 5}
    monkeypatch.setattr(learner, "observed", lambda *_: (observed(float(number)) for number in range(40)))
    report = induce()
    assert report.enrolled is None
    assert any("region valve was looked at 0 times" in note for note in report.notes)
