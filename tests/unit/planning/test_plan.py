"""Plans by hand-computed figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamproc.config import PipelineSettings
from streamproc.errors import ConfigError
from streamproc.planning.asked import Asked, Machine, Servers, parse_stream
from streamproc.planning.figures import Figure, Figures
from streamproc.planning.need import Plan
from streamproc.planning.plan import plan
from streamproc.planning.sampled import Stream

MACHINE = Machine(cores=2, memory_mb=8000)
MAIN = Stream(1000, 500, 10, 1)  # half a megapixel
TOGETHER, MEGABYTES = "together, when it is busy", "megabytes to have"
NONE = Figure(value=0, source="nothing.txt", conditions="as a test wants it")


def figures(**values: float) -> Figures:
    """All 0 but those, and one GPU, always moving, filled to a half."""
    whole = {
        "utilisation": 0.5,
        "gpus_a_replica": 1,
        "moving": 1,
        "standing_out": 1,
        "objects": 1,
        "detect_factor": 1,
    } | values
    named = {name for name, field in Figures.model_fields.items() if field.annotation is Figure}
    assert whole.keys() <= named
    rows: dict[str, Any] = {name: NONE.model_copy(update={"value": float(whole.get(name, 0))}) for name in named}
    return Figures(machine="a machine", checked="by nobody", **rows)


def preset(**changes: Any) -> PipelineSettings:
    sampling = {"window_s": 0.5, "bursts_per_s": 2, "burst_frames": 1, "width_px": 500, "gate_refresh_s": 10}
    return PipelineSettings.model_validate({"schema_version": 1, "name": "p", "sampling": sampling} | changes)


def asked(cameras: int = 4, pipeline: PipelineSettings | None = None, **changes: Any) -> Asked:
    return replace(Asked(pipeline or preset(), cameras, MAIN, MACHINE), **changes)


VLM = {"kind": "vlm", "base_url": "http://gpu:8000/v1", "model": "eyes", "max_in_flight": 6}


def with_vlm(**changes: Any) -> PipelineSettings:
    return preset(perception=VLM | changes)


# ---- the processor


@pytest.mark.parametrize(
    ("values", "what", "cores"),
    [
        ({"packet_ms": 5}, "receiving packets", 4 * 10 * 5e-3),
        # Looks at 0 and 0.5 s of each second, the latter 0.05 s early at most: pictures 0 to 5 are decoded.
        ({"keyframe_ms_per_mpx": 10}, "decoding", 4 * 0.5 * 1 * 10e-3),
        ({"decode_ms_per_mpx": 10}, "decoding", 4 * 0.5 * 5 * 10e-3),
        ({"scaled_ms_per_mpx": 10}, "scaling and converting", 4 * 2 * 0.125 * 10e-3),
        ({"convert_ms_per_mpx": 10}, "scaling and converting", 0),
        ({"look_ms": 10}, "threads and windows", 4 * 2 * 10e-3),
        ({"flow_ms": 10}, "motion", 4 * 2 * (384 * 192) / (384 * 216) * 10e-3),
        ({"flow_quick_ms": 10}, "motion", 0),
        ({"detect_ms": 10}, "detector", 4 * 2 * 10e-3),
        ({"track_ms": 10}, "tracks, measurements, poses", 4 * 2 * 10e-3),
        ({"judge_ms": 10}, "words, rules, verdicts, outbox", 4 * 2 * 10e-3),
    ],
)
def test_a_part_takes_its_rate_times_its_figure(values: dict[str, float], what: str, cores: float) -> None:
    found = plan(asked(), figures(**values))
    assert found.amount(what) == pytest.approx(cores)
    assert found.amount(TOGETHER) == pytest.approx(cores)


def test_what_live_cameras_take_beyond_the_parts_is_a_share_of_them() -> None:
    found = plan(asked(), figures(packet_ms=5, track_ms=10, live_share=0.5))
    parts = 4 * (10 * 5e-3 + 2 * 10e-3)
    assert found.amount("beside each other") == pytest.approx(0.5 * parts)
    assert found.amount(TOGETHER) == pytest.approx(1.5 * parts)


def test_that_share_is_of_watching_alone_and_assumed_where_it_was_not_measured() -> None:
    values = {"packet_ms": 5, "live_share": 0.5, "crossing_packet_ms": 5, "dinov2_ms": 10}
    inspecting = preset(inspection={"encoder": {"kind": "dinov2"}, "every_s": 1})
    found = plan(asked(10, inspecting, regions=2), figures(**values))
    assert found.amount("beside each other") == pytest.approx(0.5 * 10 * 10 * 5e-3)
    bases = [
        next(row.basis for row in plan(asked(pipeline=one), figures(**values)).rows if row.what == "beside each other")
        for one in (preset(), with_vlm(), preset(decoder={"kind": "dali"}))
    ]
    assert bases == ["measured", "assumed", "assumed"]


def test_cores_to_have_leave_the_headroom_that_is_assumed() -> None:
    found = plan(asked(10), figures(packet_ms=7))
    assert found.amount(TOGETHER) == pytest.approx(0.7)
    assert found.amount("cores to have") == 2  # 0.7 / 0.5 = 1.4


def test_pictures_that_are_not_wider_are_not_scaled() -> None:
    narrow = asked(main=Stream(400, 200, 10, 1))
    assert plan(narrow, figures(scaled_ms_per_mpx=10)).amount(TOGETHER) == 0
    assert plan(narrow, figures(convert_ms_per_mpx=10)).amount(TOGETHER) == pytest.approx(4 * 2 * 0.08 * 10e-3)


def test_quick_motion_has_its_own_figure() -> None:
    quick = asked(pipeline=preset(normality={"flow": "quick"}))
    assert plan(quick, figures(flow_ms=10)).amount("motion") == 0
    assert plan(quick, figures(flow_quick_ms=10)).amount("motion")


def test_where_little_moves_little_is_detected_and_judged() -> None:
    still = asked(moving=0.0)
    assert plan(still, figures(detect_ms=30)).amount("detector") == pytest.approx(4 / 3 * 30e-3)
    assert plan(still, figures(judge_ms=10)).amount(TOGETHER) == pytest.approx(4 / 10 * 10e-3)  # a refresh each 10 s
    half = asked(moving=0.5)
    assert plan(half, figures(judge_ms=10)).amount(TOGETHER) == pytest.approx(4 * (0.5 * 2 + 0.5 * 0.1) * 10e-3)


def test_while_nothing_stands_out_the_preset_s_calm_looks_count() -> None:
    paced = preset(normality={"calm_looks_per_s": 1, "detections_per_s": 2})
    always, half, never = (asked(pipeline=paced, standing_out=share) for share in (None, 0.5, 0.0))
    tracked = [plan(one, figures(track_ms=10)).amount("tracks, measurements, poses") for one in (always, half, never)]
    assert tracked == pytest.approx([4 * 2 * 10e-3, 4 * 1.5 * 10e-3, 4 * 1 * 10e-3])
    detected = [plan(one, figures(detect_ms=10)).amount("detector") for one in (always, half, never)]
    assert detected == pytest.approx([4 * 2 * 10e-3, 4 * 1.5 * 10e-3, 4 * 1 * 10e-3])
    assert plan(half, figures(judge_ms=10)).amount(TOGETHER) == pytest.approx(4 * 1.5 * 10e-3)
    assert plan(half, figures(packet_ms=5)).amount("receiving packets") == pytest.approx(4 * 10 * 5e-3)
    motion = [plan(one, figures(flow_ms=10)).amount("motion") or 0.0 for one in (always, never)]
    assert motion[1] == pytest.approx(motion[0] / 2)


def test_without_calm_looks_it_matters_not_how_much_stands_out() -> None:
    assert plan(asked(standing_out=0.0), figures(track_ms=10)).amount(TOGETHER) == pytest.approx(4 * 2 * 10e-3)


def test_what_is_still_does_not_stand_out() -> None:
    paced = preset(normality={"calm_looks_per_s": 1, "detections_per_s": 2})
    found = plan(asked(pipeline=paced, moving=0.25), figures(track_ms=10))
    assert found.amount("tracks, measurements, poses") == pytest.approx(4 * 1.25 * 10e-3)
    assert found.amount("pictures looked at") == pytest.approx(4 * 1.25)
    # Where something moves, it stands out all the time: no look of the detector is spared then.
    assert plan(asked(pipeline=paced, moving=0.25), figures(detect_ms=30)).amount("detector") == pytest.approx(
        4 * (0.25 * 2 + 0.75 / 3) * 30e-3
    )


def test_what_is_usual_is_asked_about_as_seldom_as_was_measured() -> None:
    sampling = {"window_s": 0.5, "bursts_per_s": 2, "burst_frames": 1, "gate_usual": 98}
    always, seldom = (
        asked(pipeline=preset(perception=VLM, sampling=sampling), standing_out=one) for one in (None, 0.1)
    )
    asks = [plan(one, figures(usual_sent=0.05)).amount("captions: windows asked") for one in (always, seldom)]
    assert asks == pytest.approx([4 * 2, 4 * 2 * (0.1 + 0.9 * 0.05)])
    ungated = asked(pipeline=with_vlm(), standing_out=0.1)
    assert plan(ungated, figures(usual_sent=0.05)).amount("captions: windows asked") == pytest.approx(4 * 2)


@pytest.mark.parametrize(
    ("moving", "out", "asks"),
    [
        (0.5, 0.1, 0.1 + 0.4 * 0.05 + 0.5 / 20),  # a refresh each ten seconds is one window in twenty
        (0.5, 0.8, 0.5 + 0.5 / 20),  # what is still does not stand out
        (0.1, 0.1, 0.1 + 0.9 / 20),
    ],
)
def test_windows_that_move_stand_out_or_are_still_are_asked_about_each_in_its_measure(
    moving: float, out: float, asks: float
) -> None:
    gated = {"window_s": 0.5, "bursts_per_s": 2, "burst_frames": 1, "gate_usual": 98, "gate_refresh_s": 10}
    site = asked(pipeline=preset(perception=VLM, sampling=gated), moving=moving, standing_out=out)
    found = plan(site, figures(usual_sent=0.05, show_ms=10))
    assert found.amount("captions: windows asked") == pytest.approx(4 * 2 * asks)
    assert found.amount("asking servers, rules, verdicts") == pytest.approx(4 * 2 * asks * 10e-3)


def test_a_window_with_a_calm_look_in_it_is_judged() -> None:
    long = {"window_s": 1, "bursts_per_s": 5, "burst_frames": 2, "gate_refresh_s": 10}
    calm = preset(sampling=long, normality={"calm_looks_per_s": 2})
    assert plan(asked(pipeline=calm, standing_out=0.0), figures(judge_ms=10)).amount(TOGETHER) == pytest.approx(4e-2)


def test_of_calm_cameras_fewer_pictures_cross_and_hold_the_lock() -> None:
    paced = preset(normality={"calm_looks_per_s": 1}, processes=2)
    busy, still = (plan(asked(pipeline=paced, standing_out=share), figures(crossing_ms_per_mpx=10, lock_ms_per_look=5))
                   for share in (1.0, 0.0))  # fmt: skip
    for what in ("handing over from processes", "interpreter's lock taken"):
        assert still.amount(what) == pytest.approx((busy.amount(what) or 0.0) / 2)
        assert busy.amount(what)


def test_a_sum_is_measured_only_where_all_of_it_is() -> None:
    rows = {row.what: row for row in plan(asked(), figures(packet_ms=5)).rows}
    assert rows[TOGETHER].basis == "measured"
    assumed = figures(packet_ms=5).model_copy(update={"look_ms": Figure(value=1, conditions="a guess")})
    rows = {row.what: row for row in plan(asked(), assumed).rows}
    assert rows[TOGETHER].basis == "assumed"
    dali = asked(pipeline=preset(decoder={"kind": "dali"}))
    rows = {row.what: row for row in plan(dali, figures(packet_ms=5)).rows}
    assert (rows[TOGETHER].basis, rows[TOGETHER].source) == ("assumed", "the rows above, without what is unknown")


def test_a_gate_that_is_open_lets_all_pass() -> None:
    sampling = {"window_s": 0.5, "bursts_per_s": 2, "burst_frames": 1, "gate_motion": 0}
    found = plan(asked(pipeline=preset(sampling=sampling), moving=0.0), figures(judge_ms=10))
    assert found.amount(TOGETHER) == pytest.approx(4 * 2 * 10e-3)


def test_of_a_sub_stream_the_pictures_and_of_the_main_the_packets_count() -> None:
    site = asked(sub=Stream(200, 100, 10, 1), with_sub=1)
    assert plan(site, figures(packet_ms=5)).amount("receiving packets") == pytest.approx((4 + 1) * 10 * 5e-3)
    keyframes = (3 * 0.5 + 1 * 0.02) * 10e-3
    assert plan(site, figures(keyframe_ms_per_mpx=10)).amount("decoding") == pytest.approx(keyframes)
    every = asked(sub=Stream(200, 100, 10, 1), with_sub=4)
    assert plan(every, figures(keyframe_ms_per_mpx=10)).amount("decoding") == pytest.approx(4 * 0.02 * 10e-3)


def test_what_a_gpu_decodes_is_not_known_and_takes_no_core() -> None:
    dali = asked(pipeline=preset(decoder={"kind": "dali"}))
    found = plan(dali, figures(decode_ms_per_mpx=10))
    assert (found.amount("decoding"), found.amount(TOGETHER)) == (None, 0)
    assert "deploy/gpu-check" in str(found)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ({"kind": "dinov2"}, 100),
        ({"kind": "dinov2", "side_px": 448}, 400),
        ({"kind": "efficientnet"}, 10),
        ({"kind": "siglip", "model": "m"}, None),
    ],
)
def test_inspection_takes_its_crops(encoder: dict[str, Any], expected: float | None) -> None:
    pipeline = preset(inspection={"encoder": encoder, "every_s": 2})
    found = plan(asked(pipeline=pipeline, regions=3, with_objects=1), figures(dinov2_ms=100, efficientnet_ms=10))
    cores = None if expected is None else pytest.approx(4 / 2 * expected * 1e-3)
    assert found.amount("inspection, 2 crops/s") == cores
    assert found.amount("regions inspected") == 3


def test_an_expert_and_the_memory_are_part_of_a_crop() -> None:
    pipeline = preset(inspection={"expert": {"kind": "onnx", "path": "shipped"}})
    found = plan(asked(pipeline=pipeline, regions=1), figures(dinov2_ms=100, memory_ms=20, expert_ms=5))
    assert found.amount("inspection, 1 crops/s") == pytest.approx(0.125)


# ---- processes and memory


@pytest.mark.parametrize(("cameras", "processes"), [(8, 0), (9, 2), (16, 2), (17, 3)])
def test_processes_as_the_site_makes_them(cameras: int, processes: int) -> None:
    found = plan(asked(cameras), figures(process_mb=50, lock_ms_per_look=10))
    assert found.amount("processes that watch") == processes
    assert found.amount(MEGABYTES) == pytest.approx(50 * processes)
    fullest = -(-cameras // max(1, processes))
    assert found.amount("interpreter's lock taken") == pytest.approx(fullest * 2 * 10e-3 * 100)


def test_handing_over_is_counted_where_processes_watch() -> None:
    values = {"crossing_packet_ms": 1, "crossing_ms_per_mpx": 8}
    assert plan(asked(8), figures(**values)).amount(TOGETHER) == 0
    cores = 10 * (10 * 1 + 2 * 0.125 * 8) * 1e-3
    assert plan(asked(10), figures(**values)).amount("handing over from processes") == pytest.approx(cores)


def test_memory_by_camera_and_by_what_evidence_keeps() -> None:
    found = plan(asked(ring_s=10), figures(site_mb=100, camera_mb=20, bits_per_px=0.8))
    assert found.amount(MEGABYTES) == pytest.approx(100 + 4 * 20 + 4 * 10 * 10 * 0.5 * 0.8 / 8)
    assert plan(asked(ring_s=10, ring_mb=2.0), figures(bits_per_px=0.8)).amount(MEGABYTES) == pytest.approx(8)


# ---- model servers


@pytest.mark.parametrize(
    ("rate", "servers"), [(16, 1), (15.9, 2), (4, 4), (Servers(window_s=1.5), 4), (Servers(window_s=0.375), 1)]
)
def test_servers_for_the_windows_that_are_sent(rate: float | Servers, servers: int) -> None:
    known = rate if isinstance(rate, Servers) else Servers(rate)  # six under way in 1.5 s: four a second
    found = plan(asked(pipeline=with_vlm(), captions=known), figures())
    assert found.amount("captions: windows asked") == pytest.approx(8)
    assert found.amount("captions: servers") == servers  # each filled to a half
    assert found.amount("captions: GPUs") == servers


def test_requests_under_way_by_littles_law() -> None:
    found = plan(asked(pipeline=with_vlm(), captions=Servers(window_s=1.5)), figures())
    assert found.amount("captions: requests under way") == pytest.approx(12)


def test_servers_whose_speed_nobody_knows_are_unknown() -> None:
    found = plan(asked(pipeline=with_vlm()), figures())
    assert found.amount("captions: servers") is None
    assert "16 windows/s is enough" in str(found)
    assert "models check" in str(found)
    with pytest.raises(KeyError):
        found.amount("captions: GPUs")


def test_gpus_by_what_is_given_or_the_preset_says() -> None:
    engine = {"kind": "vllm", "load": "m", "options": {"tensor-parallel-size": 4}}
    inside = preset(perception={"kind": "vlm", "model": "eyes", "engine": engine})
    known = Servers(8.0)
    assert plan(asked(pipeline=inside, captions=known), figures()).amount("captions: GPUs") == 8
    assert plan(asked(pipeline=inside, captions=known, gpus_a_replica=2), figures()).amount("captions: GPUs") == 4


def test_the_judge_is_asked_about_its_share() -> None:
    llm = {"base_url": "http://gpu:8001/v1", "model": "mind"}
    found = plan(asked(pipeline=preset(deduction={"llm": llm}), judge=Servers(1.0)), figures(judge_asked=0.25))
    assert found.amount("judge: windows asked") == pytest.approx(2)
    assert found.amount("judge: servers") == 4


def test_a_vision_model_costs_its_pictures() -> None:
    found = plan(asked(pipeline=with_vlm()), figures(show_ms=20, judge_ms=5))
    assert found.amount("asking servers, rules, verdicts") == pytest.approx(8 * 25e-3)


# ---- what is full first


def limits(found: Plan) -> dict[str, int]:
    return {limit.what: limit.cameras for limit in found.limits}


def test_what_is_full_first_comes_first() -> None:
    values = {"packet_ms": 5, "site_mb": 1000, "camera_mb": 100}
    found = plan(asked(pipeline=with_vlm(), captions=Servers(16.0)), figures(**values))
    # A core of two cores' half over 0.05 a camera; 3,000 MB over 100; half of 16 windows/s over 2.
    assert limits(found) == {"captions: servers": 4, "processor": 20, "memory": 30}
    assert [limit.cameras for limit in found.limits] == [4, 20, 30]
    two = with_vlm(base_url=["http://a:8000/v1", "http://b:8000/v1"])
    assert limits(plan(asked(pipeline=two, captions=Servers(16.0)), figures(**values)))["captions: servers"] == 8


def test_memory_holds_the_processes_that_so_many_cameras_are_watched_in() -> None:
    # Of 4,000 MB the site takes 1,000; twenty-four cameras take three processes, twenty-five four.
    values = {"site_mb": 1000, "camera_mb": 100, "process_mb": 160}
    assert [limits(plan(asked(number), figures(**values)))["memory"] for number in (4, 16)] == [24, 24]
    assert limits(plan(asked(pipeline=preset(processes=2)), figures(**values)))["memory"] == 26


def test_the_interpreters_lock_limits_where_the_number_of_processes_is_fixed() -> None:
    assert "interpreter's lock" not in limits(plan(asked(), figures(lock_ms_per_look=25)))
    fixed = asked(pipeline=preset(processes=0))
    assert limits(plan(fixed, figures(lock_ms_per_look=25)))["interpreter's lock"] == 10


# ---- in general


@pytest.fixture
def every() -> Figures:
    return figures(
        **{name: 3 for name, field in Figures.model_fields.items() if field.annotation is Figure}
        | {"utilisation": 0.7, "moving": 1, "standing_out": 1, "judge_asked": 0.5}
    )


@pytest.mark.parametrize(
    "more",
    [
        {"cameras": 5},
        {"main": Stream(1200, 600, 10, 1)},
        {"main": Stream(1000, 500, 20, 1)},
        {"main": Stream(1000, 500, 10, 10)},
        {"regions": 9},
    ],
)
def test_more_of_anything_needs_more(every: Figures, more: dict[str, Any]) -> None:
    pipeline = preset(inspection={})
    less = asked(pipeline=pipeline, regions=4)
    before = plan(less, every).amount(TOGETHER) or 0
    assert (plan(replace(less, **more), every).amount(TOGETHER) or 0) > before


def test_looking_more_often_needs_more(every: Figures) -> None:
    often = {"window_s": 0.5, "bursts_per_s": 4, "burst_frames": 1, "width_px": 500}
    before = plan(asked(), every).amount(TOGETHER) or 0
    assert (plan(asked(pipeline=preset(sampling=often)), every).amount(TOGETHER) or 0) > before


def test_each_row_says_where_it_is_from(every: Figures) -> None:
    found = plan(asked(12, with_vlm(), captions=Servers(2.0)), every)
    assert all(row.source for row in found.rows)
    assert all(
        "nothing.txt" in row.source for row in found.rows if row.basis == "measured" and "rows" not in row.source
    )
    assert {row.basis for row in found.rows} == {"measured", "assumed", "given", "counted"}
    assert found.as_dict()["rows"][0]["amount"] == 12


@pytest.mark.parametrize("text", ["big", "1280", "1280x", "x720", "0x0", "-1x5", "1280x720x3", "99999x9", "²x²"])
def test_a_size_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--resolution: .*(1280x720|16384x16384)"):
        parse_stream(text, 25, 2)
    assert parse_stream("1920X1080", 25, 2) == Stream(1920, 1080, 25, 2)
