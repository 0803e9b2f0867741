"""The deployment's files fit each other and the code. Docker is not needed, and its own parsers are not replaced."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from streamproc.observability.metrics import Metrics
from streamproc.site import load_site
from streamproc.types import ServerGauges, ServerReading

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRET = re.compile(r"/run/secrets/(\w+)")


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load((DEPLOY / name).read_text(encoding="utf-8"))
    return loaded


COMPOSE = read("compose.yaml")
RULES: list[dict[str, Any]] = [rule for group in read("alerts.rules.yml")["groups"] for rule in group["rules"]]


def lines_of_dockerfile() -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [line for line in joined.splitlines() if line.strip()]


def metric_labels() -> dict[str, set[str]]:
    """Every sample name that a scrape can give, with its labels."""
    metrics = Metrics(["gate"])
    metrics.lost("gate", "perception")
    metrics.model_server("perception", up=True)
    reading = ServerReading("http://gpu1:8000/v1", True, "", 0, 0, 0, 0, 0, ServerGauges(0, 0, 0, 0, 0, 0))
    metrics.model_servers("perception", lambda: [reading])
    metrics.alerts_pending("kafka", 1, 1.0)
    metrics.delivery_failed("kafka")
    metrics.dead_lettered("kafka")
    metrics.thread_restarted("worker-0")
    metrics.shard_up("shard-1", 4)
    metrics.disk("outbox", ROOT)
    return {
        sample.name: set(sample.labels)
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("streamproc_")
    }


def test_the_site_loads_and_suits_the_container() -> None:
    settings = load_site(DEPLOY / "site.yaml").settings
    state = next(v.split(":")[1] for v in COMPOSE["services"]["streamproc"]["volumes"] if v.startswith("state:"))
    assert settings.alerts.outbox.is_relative_to(state)
    assert settings.alerts.evidence.directory.is_relative_to(state)
    assert settings.observability.host == "0.0.0.0"  # noqa: S104 - published on loopback only, see below


def test_the_site_speaks_to_the_broker_that_compose_starts() -> None:
    (sink,) = read("site.yaml")["alerts"]["sinks"]
    listeners = COMPOSE["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for server in sink["bootstrap_servers"]:
        assert f"//{server}" in listeners


def test_every_secret_is_declared_handed_over_and_kept_out_of_git() -> None:
    used = set(SECRET.findall((DEPLOY / "site.yaml").read_text(encoding="utf-8")))
    assert used
    assert used == set(COMPOSE["secrets"])
    assert used == set(COMPOSE["services"]["streamproc"]["secrets"])
    for secret in COMPOSE["secrets"].values():
        assert Path(secret["file"]).parent == Path("secrets")
    assert (DEPLOY / "secrets" / ".gitignore").read_text().splitlines()[0] == "*"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_images_are_pinned_and_ports_stay_on_the_machine(name: str) -> None:
    service = COMPOSE["services"][name]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_what_is_mounted_is_there(name: str) -> None:
    for volume in COMPOSE["services"][name]["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (DEPLOY / source).exists()
        else:
            assert source in COMPOSE["volumes"]


def test_prometheus_asks_where_streamproc_answers() -> None:
    (job,) = read("prometheus.yml")["scrape_configs"]
    port = read("site.yaml")["observability"]["port"]
    assert job["static_configs"] == [{"targets": [f"streamproc:{port}"]}]
    (rules,) = read("prometheus.yml")["rule_files"]
    mounted = [volume.split(":")[1] for volume in COMPOSE["services"]["prometheus"]["volumes"]]
    assert rules in mounted


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_rule_asks_for_what_is_measured(rule: dict[str, Any]) -> None:
    expr = rule["expr"]
    without_matchers = re.sub(r"\{[^}]*\}", "", expr)
    names = set(re.findall(r"\bstreamproc_\w+", without_matchers))
    known = metric_labels()
    assert names <= set(known)
    assert names or "up{" in expr
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expr) for label in group.split(", ")}
    labels = set().union(*(known[name] for name in names)) if names else {"job"}
    assert grouped <= labels
    told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert told <= (grouped or labels)
    assert expr.count("(") == expr.count(")")
    assert set(rule["annotations"]) == {"summary", "look"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


def test_every_base_image_is_pinned_and_the_last_user_is_not_root() -> None:
    lines = lines_of_dockerfile()
    (base,) = [line.split("=", 1)[1] for line in lines if line.startswith("ARG BASE=")]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base)
    stages = {"${BASE}"}
    for line in lines:
        if line.startswith("FROM "):
            words = line.split()
            assert words[1] in stages
            stages.add(words[-1])
    assert [line for line in lines if line.startswith("USER ")] == ["USER streamproc"]
    last_stage = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER streamproc" in last_stage
    assert any(line.startswith("HEALTHCHECK") and ":9464/healthz" in line for line in last_stage)


def test_what_the_wheel_is_built_from_reaches_the_build() -> None:
    copied = {word for line in lines_of_dockerfile() if line.startswith("COPY ") for word in line.split()[1:-1]}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for source in {word for word in copied if not word.startswith(("--", "/"))}:
        assert f"!{source}" in ignored


def test_the_pinned_versions_are_ones_that_the_project_permits() -> None:
    pinned = {}
    for line in (DEPLOY / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            pinned[name.lower().replace("_", "-")] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in project["dependencies"]:
        requirement = Requirement(text)
        assert pinned[requirement.name.lower().replace("_", "-")] in requirement.specifier


def test_the_gpu_check_says_in_a_line_what_is_missing() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU; the check would measure it")
    ran = subprocess.run(
        [sys.executable, "-P", str(DEPLOY / "gpu-check")], capture_output=True, text=True, timeout=120, check=False
    )
    has_dali = importlib.util.find_spec("nvidia") is not None and importlib.util.find_spec("nvidia.dali") is not None
    assert ran.returncode == (3 if has_dali else 4), ran.stderr
    told = [line for line in ran.stderr.splitlines() if "gpu-check: " in line]
    assert len(told) == 1
    assert ("no GPU" if has_dali else "streamproc[dali]") in told[0]
    assert ran.stdout == ""
