"""The branch beside the line: what it drops and says, and that it never holds a camera up."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from streamproc.config import CameraSettings, InspectionSettings
from streamproc.errors import ChannelClosed, InferenceError, SinkError
from streamproc.inspection.live.judging import Judge
from streamproc.inspection.live.picking import Picker
from streamproc.inspection_branch import InspectedCamera, Inspection
from streamproc.testing import FakeClock
from streamproc.testing_defects import START, FakeInspector, seen
from streamproc.types import CropDropCause, Picture, RuleSet, Verdict

RULES = RuleSet("gate", "site", "gate", 3, "ab" * 32, ())
CAMERA = CameraSettings.model_validate(
    {
        "id": "gate",
        "main": "rtsp://x/1",
        "regions": [{"name": "valve", "polygon": [[0.2, 0.2], [0.7, 0.2], [0.7, 0.7], [0.2, 0.7]]}],
    }
)


class Desk:
    def __init__(self) -> None:
        self.fed: list[tuple[Verdict, Picture | None]] = []
        self.fails = False

    def feed(self, verdict: Verdict, picture: Picture | None = None) -> None:
        if self.fails:
            raise SinkError("the disk is full")
        self.fed.append((verdict, picture))


class Counted:
    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.looked = 0
        self.took: list[float] = []

    def inspected(self, camera_id: str, defects: int) -> None:
        self.looked += 1

    def crop_dropped(self, camera_id: str, cause: CropDropCause, count: int = 1) -> None:
        self.drops[f"{camera_id} {cause}"] += count

    def inspection_took(self, seconds: float) -> None:
        self.took.append(seconds)


class Branch:
    """A camera ``gate`` with a valve, and what came of it."""

    def __init__(self, inspector: FakeInspector, **camera: Any) -> None:
        self.desk, self.counted, self.clock = Desk(), Counted(), FakeClock(START)
        settings = InspectionSettings()
        judge = Judge({"region valve": inspector}, settings, lambda: RULES)
        one = InspectedCamera(Picker(CAMERA, settings), judge, self.desk, **camera)
        self.inspection = Inspection({"gate": one}, self.counted, self.clock)
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        with pytest.raises(ChannelClosed):
            self.inspection.work()

    def offer(self, *seconds: float) -> None:
        for at_s in seconds:
            self.inspection.offer(seen(at_s))

    def end(self) -> None:
        self.inspection.close()
        self.thread.join(5)
        assert not self.thread.is_alive()


def test_what_is_picked_is_looked_at_and_decided_with_its_picture() -> None:
    branch = Branch(FakeInspector(lambda _: 2.0))
    branch.thread.start()
    branch.offer(0.0)
    for second in range(1, 5):
        branch.offer(float(second))
        assert branch.inspection.settle("gate", 5)
    branch.end()
    assert [verdict.alarm for verdict, _ in branch.desk.fed] == [False, False, False, True]
    verdict, picture = branch.desk.fed[-1]
    assert picture is not None
    assert picture.shape == (120, 160, 3)
    assert set(verdict.latency_ms) == {"queue", "inspection"}
    assert branch.counted.looked == len(branch.counted.took) == 4
    assert not branch.counted.drops


def test_a_slow_encoder_costs_looks_and_holds_nobody_up() -> None:
    release = threading.Event()
    inspector = FakeInspector(lambda _: 2.0, release)
    branch = Branch(inspector)
    branch.thread.start()
    branch.offer(0.0, 1.0)
    assert inspector.reached.wait(5)
    branch.offer(2.0, 3.0, 4.0)
    assert branch.counted.drops == {"gate fresher": 2}
    release.set()
    assert branch.inspection.settle("gate", 5)
    branch.end()
    assert [verdict.pts_s for verdict, _ in branch.desk.fed] == [1.0, 4.0]


def test_a_recording_that_may_lose_nothing_waits() -> None:
    branch = Branch(FakeInspector(lambda _: 2.0), may_drop=False, live=False)
    branch.thread.start()
    branch.offer(*map(float, range(6)))
    assert [verdict.pts_s for verdict, _ in branch.desk.fed] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert not branch.desk.fed[0][0].latency_ms
    branch.end()


def test_in_a_replay_it_is_looked_at_here_and_now() -> None:
    branch = Branch(FakeInspector(lambda _: 2.0), live=False)
    assert branch.inspection.look(seen(0.0)) == []
    assert [verdict.pts_s for verdict in branch.inspection.look(seen(1.0))] == [1.0]


def test_what_waits_when_the_site_is_told_to_stop_is_counted() -> None:
    branch = Branch(FakeInspector())
    branch.offer(0.0, 1.0)
    assert len(branch.inspection) == 1
    branch.inspection.close()
    branch.offer(2.0)
    assert branch.counted.drops == {"gate stopping": 2}


def test_a_model_that_fails_costs_its_crop_and_is_said() -> None:
    says: list[float | Exception] = [InferenceError("out of memory"), *([ValueError("broken")] * 4), 0.5]
    branch = Branch(FakeInspector(lambda _: says.pop(0)))
    with capture_logs() as logs:
        for second in range(7):
            branch.inspection.look(seen(float(second)))
    assert branch.counted.drops == {"gate inference": 5}
    assert len(branch.desk.fed) == 1
    lost = [(one["log_level"], one["in_a_row"]) for one in logs if one["event"] == "crop_lost"]
    assert lost == [("warning", 1), ("warning", 2), ("warning", 3), ("warning", 4), ("error", 5)]


def test_a_full_disk_is_said_and_the_next_is_looked_at() -> None:
    branch = Branch(FakeInspector())
    branch.desk.fails = True
    with capture_logs() as logs:
        branch.inspection.look(seen(0.0))
        branch.inspection.look(seen(1.0))
    assert [one["event"] for one in logs] == ["alert_not_decided"]


def test_a_failure_to_pick_is_said_and_never_the_cameras() -> None:
    branch = Branch(FakeInspector())
    broken = seen(0.0)
    object.__setattr__(broken.window.last, "picture", None)
    with capture_logs() as logs:
        branch.inspection.offer(broken)
    assert [one["event"] for one in logs] == ["crops_not_picked"]


def test_a_camera_that_is_not_inspected_is_passed_over() -> None:
    branch = Branch(FakeInspector(), missing=("region door: nobody knows",))
    branch.inspection.offer(seen(0.0, camera="yard"))
    assert branch.inspection.look(seen(1.0, camera="yard")) == []
    assert branch.inspection.missing("yard") == ()
    assert branch.inspection.missing("gate") == ("region door: nobody knows",)
