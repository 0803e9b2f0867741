"""Malformed site files, pipelines and rule files: one line a fault, the right line, never a credential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from streamproc.config import PipelineSettings, SiteSettings
from streamproc.errors import ConfigError
from streamproc.rules.schema import RuleSetModel
from streamproc.yamlfile import check_model, load_model

PASSWORD = "s3cr3t-Pa55"

SITE = """\
schema_version: 1
site: {id: depot}
cameras:
  - id: gate
    main: rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@192.0.2.10/main
    transport: tcp
    timeout_s: 5
    timezone: Europe/Zurich
    zones:
      - {name: door, polygon: [[0, 0], [1, 0], [1, 1]]}
    schedule:
      - {days: [mon], hours: "22:00-06:00"}
alerts:
  sinks:
    - kind: kafka
      bootstrap_servers: [kafka:9092]
      security:
        security_protocol: SASL_SSL
        sasl_mechanism: PLAIN
        sasl_username: ${KAFKA_USER}
        sasl_password: ${KAFKA_PASSWORD}
    - kind: jsonl
observability:
  port: 9464
"""

PIPELINE = """\
schema_version: 1
name: mine
sampling:
  window_s: 1.0
perception:
  kind: vlm
  base_url: http://gpu:8000/v1
  model: some-vlm
  api_key: ${VLM_KEY}
deduction:
  alarm_score: 0.5
workers: 4
"""

RULES = """\
schema_version: 1
site: depot
camera: gate
version: 3
rules:
  - id: people-walk
    about: human
    says: normal
    text: People walk here.
    keywords: [walk]
    support: {k: 9, n: 10}
  - id: people-run
    about: human
    says: anomaly
    text: Someone runs.
    severity: warning
    when:
      hours: "22:00-06:00"
      days: [sat, sun]
    enabled: true
"""


class Bad(NamedTuple):
    old: str
    """What is replaced in the good file …"""
    new: str
    """… and by what."""
    line: int
    field: str
    words: str
    """What the message says, among other things."""


BAD_SITES = [
    Bad(
        "schema_version: 1",
        "schema_version: 2",
        1,
        "schema_version",
        "2 is not a version that is read here; permitted: 1",
    ),
    Bad("schema_version: 1", "schema_version: true", 1, "schema_version", "true is not a number"),
    Bad("{id: depot}", "{id: Depot One}", 2, "site.id", "lower-case letters"),
    Bad("{id: depot}", "", 2, "site", "nothing is not a block of fields"),
    Bad("  - id: gate\n", "  - name: Gate\n", 4, "cameras.0.id", "missing; Short id"),
    Bad("main: rtsp", "mian: rtsp", 5, "cameras.0.mian", "did you mean main?"),
    Bad("${CAMERA_PASSWORD}", PASSWORD, 5, "cameras.0.main", "must not hold a password"),
    Bad("${CAMERA_PASSWORD}", f"${{{PASSWORD} x}}", 5, "cameras.0.main", "neither ${NAME} nor ${file:/path}"),
    Bad("${CAMERA_PASSWORD}@", "${CAMERA_PASSWORD@", 5, "cameras.0.main", "${"),
    Bad("    main: rtsp", f"    password: {PASSWORD}\n    main: rtsp", 5, "cameras.0.password", "unknown field"),
    Bad("    main: rtsp", f"    id: rtsp://u:{PASSWORD}@h\n    main: rtsp", 5, "", "id is given twice"),
    Bad("id: gate", f'id: "rtsp://u:{PASSWORD}@h"', 4, "cameras.0.id", "the value does not fit"),
    Bad("    main: ", f"    main: [x, {PASSWORD}]\n    sub: ", 5, "cameras.0.main", "a list is not text"),
    Bad("transport: tcp", "transport: tpc", 6, "cameras.0.transport", "permitted: tcp, udp; did you mean tcp?"),
    Bad("timeout_s: 5", "timeout_s: 500", 7, "cameras.0.timeout_s", "permitted: above 0 and at most 60"),
    Bad("timeout_s: 5", "timeout_s: five", 7, "cameras.0.timeout_s", "'five' is not a number"),
    Bad("timeout_s: 5", "timeout_s: .nan", 7, "", "not a finite number"),
    Bad("Europe/Zurich", "Europe/Zürich", 8, "cameras.0.timezone", "tz database"),
    Bad("[1, 0], [1, 1]", "[1, 0]", 10, "cameras.0.zones.0.polygon", "2 given, at least 3"),
    Bad("[1, 1]]", "[1, -1]]", 10, "cameras.0.zones.0.polygon.2.1", "at least 0 and at most 1"),
    Bad("[1, 1]]", "[640, 480]]", 10, "cameras.0.zones.0.polygon", "640 is not a fraction: corners are [x, y] in 0..1"),
    Bad("[1, 1]]", "[0, 1], [1, 1]]", 10, "cameras.0.zones.0.polygon", "after corner 2 crosses that after corner 4"),
    Bad("[1, 1]]", "[1, 1, 1]]", 10, "cameras.0.zones.0.polygon.2", "3 given, at most 2"),
    Bad("days: [mon]", "days: [Mon]", 12, "cameras.0.schedule.0.days.0", "did you mean mon?"),
    Bad("22:00-06:00", "22-6", 12, "cameras.0.schedule.0.hours", "HH:MM-HH:MM"),
    Bad(
        "- kind: kafka", "- kind: kafak", 15, "alerts.sinks.0.kind", "'kafak' is not permitted; permitted: kafka, jsonl"
    ),
    Bad("    - kind: jsonl", "    - path: x", 22, "alerts.sinks.1", "kind is missing; permitted: kafka, jsonl"),
    Bad("[kafka:9092]", "kafka:9092", 16, "alerts.sinks.0.bootstrap_servers", "is not a list"),
    Bad("[kafka:9092]", f"u:{PASSWORD}@kafka:9092", 16, "alerts.sinks.0.bootstrap_servers", "the value is not a list"),
    Bad("${KAFKA_PASSWORD}", f"[{PASSWORD}]", 21, "alerts.sinks.0.security.sasl_password", "a list is not text"),
    Bad("${KAFKA_PASSWORD}", PASSWORD, 21, "alerts.sinks.0.security.sasl_password", "must not stand in a file"),
    Bad("${KAFKA_PASSWORD}", "123456", 21, "alerts.sinks.0.security.sasl_password", "put it in quotes"),
    Bad("${KAFKA_PASSWORD}", f"!{PASSWORD} x", 21, "", "tags"),
    Bad("${KAFKA_PASSWORD}", f"*{PASSWORD}", 21, "", "alias"),
    Bad("${KAFKA_PASSWORD}", f"'{PASSWORD}", 21, "", "never closed"),
    Bad("        sasl_mechanism: PLAIN\n", "", 17, "alerts.sinks.0.security", "SASL needs sasl_mechanism"),
    Bad("port: 9464", "port: 94640", 24, "observability.port", "at most 65535"),
    Bad("port: 9464", "port: 94.5", 24, "observability.port", "whole number"),
    Bad("port: 9464", "prot: 9464", 24, "observability.prot", "did you mean port?"),
    Bad("  port: 9464", "\tport: 9464", 24, "", "a tab"),
    Bad("observability:", "cameras:", 23, "", "cameras is given twice, first in line 3"),
    Bad("observability:\n", f"observability:{PASSWORD}\n", 24, "", "':'"),
]

BAD_PIPELINES = [
    Bad("schema_version: 1\n", "", 1, "schema_version", "missing"),
    Bad("name: mine", "name: Mine!", 2, "name", "does not fit; permitted: lower-case letters"),
    Bad("window_s: 1.0", "window_s: 0", 4, "sampling.window_s", "above 0 and at most 60"),
    Bad("window_s: 1.0", "windows_s: 1", 4, "sampling.windows_s", "did you mean window_s?"),
    Bad("kind: vlm", "kind: clip", 6, "perception.kind", "permitted: scene, vlm"),
    Bad("http://gpu:8000/v1", f"http://u:{PASSWORD}@gpu:8000/v1", 7, "perception.base_url", "must not hold a password"),
    Bad("http://gpu:8000/v1", "[http://a:1/v1, http://a:1/v1]", 7, "perception.base_url", "stands there twice"),
    Bad("http://gpu:8000/v1", f"[http://a:1/v1, http://u:{PASSWORD}@b:1/v1]", 7, "perception.base_url.1", "password"),
    Bad("http://gpu:8000/v1", "[]", 7, "perception.base_url", "missing; the address of the API"),
    Bad("http://gpu:8000/v1", "7", 7, "perception.base_url", "7 is not a list"),
    Bad("  base_url: http://gpu:8000/v1\n", "", 5, "perception.base_url", "or engine for a model in this process"),
    Bad("base_url:", "engine: {kind: vllm, load: m}\n  base_url:", 8, "perception.base_url", "given beside engine"),
    Bad(
        "base_url: http://gpu:8000/v1",
        "engine: {kind: sglang, load: m}",
        7,
        "perception.engine.kind",
        "permitted: vllm",
    ),
    Bad(
        "base_url: http://gpu:8000/v1",
        "engine: {kind: vllm}",
        7,
        "perception.engine.load",
        "missing; The model's folder",
    ),
    Bad("  model: some-vlm\n", "", 5, "perception.model", "missing"),
    Bad("${VLM_KEY}", f"{PASSWORD}-${{VLM_KEY}}", 9, "perception.api_key", "must not stand in a file"),
    Bad("api_key: ${VLM_KEY}", f"apikey: {PASSWORD}", 9, "perception.apikey", "did you mean api_key?"),
    Bad("alarm_score: 0.5", "alarm_score: 50%", 11, "deduction.alarm_score", "'50%' is not a number"),
    Bad("workers: 4", "workers: 0", 12, "workers", "at least 1 and at most 256"),
    Bad("workers: 4", "workers: yes", 12, "workers", "'yes' is not a whole number"),
]

BAD_RULES = [
    Bad("version: 3", "version: 0", 4, "version", "at least 1"),
    Bad("version: 3", "version: three", 4, "version", "whole number"),
    Bad("rules:\n", "rules: none\nx:\n", 5, "rules", "is not a list"),
    Bad("id: people-run", "id: people-walk", 12, "rules.1.id", "people-walk is used twice"),
    Bad("about: human\n    says: normal", "about: people\n    says: normal", 7, "rules.0.about", "human, environment"),
    Bad("says: normal", "says: abnormal", 8, "rules.0.says", "permitted: normal, anomaly; did you mean anomaly?"),
    Bad("says: normal", "says: Normal", 8, "rules.0.says", "did you mean normal?"),
    Bad("says: normal", "says: anomalous", 8, "rules.0.says", "did you mean anomaly?"),
    Bad("    text: People walk here.\n", "", 6, "rules.0.text", "missing"),
    Bad("text: People walk here.", "text:", 9, "rules.0.text", "nothing is not text"),
    Bad("text: People walk here.", "text: |\n      a b\n      c d", 9, "rules.0.text", "one line"),
    Bad("keywords: [walk]", "keywords: walk", 10, "rules.0.keywords", "'walk' is not a list"),
    Bad("keywords: [walk]", "keywords: [1]", 10, "rules.0.keywords.0", "put it in quotes"),
    Bad("keywords: [walk]", "keyword: [walk]", 10, "rules.0.keyword", "did you mean keywords?"),
    Bad("{k: 9, n: 10}", "{k: 11, n: 10}", 11, "rules.0.support.k", "more than n"),
    Bad("{k: 9, n: 10}", "{k: 0, n: 0}", 11, "rules.0.support.n", "at least 1"),
    Bad("severity: warning", "severity: high", 16, "rules.1.severity", "critical, error, warning, info"),
    Bad('hours: "22:00-06:00"', 'hours: "22:00"', 18, "rules.1.when.hours", "HH:MM-HH:MM"),
    Bad("days: [sat, sun]", "days: [weekend]", 19, "rules.1.when.days.0", "mon, tue"),
    Bad("enabled: true", "enabled: maybe", 20, "rules.1.enabled", "true or false"),
    Bad("  - id: people-run", "   - id: people-run", 12, "", "indentation"),
]

CASES = [
    pytest.param(model, good, bad, id=f"{model.__name__}-{index}-{bad.field or 'text'}")
    for model, good, all_bad in (
        (SiteSettings, SITE, BAD_SITES),
        (PipelineSettings, PIPELINE, BAD_PIPELINES),
        (RuleSetModel, RULES, BAD_RULES),
    )
    for index, bad in enumerate(all_bad)
]


@pytest.mark.parametrize(("model", "text"), [(SiteSettings, SITE), (PipelineSettings, PIPELINE), (RuleSetModel, RULES)])
def test_the_good_files_load(model: type[BaseModel], text: str) -> None:
    assert check_model(text.encode(), model, "x.yaml")[0]


@pytest.mark.parametrize(("model", "good", "bad"), CASES)
def test_a_bad_file_is_told_in_one_line(model: type[BaseModel], good: str, bad: Bad, tmp_path: Path) -> None:
    assert bad.old in good
    path = tmp_path / "file.yaml"
    path.write_text(good.replace(bad.old, bad.new, 1))
    with pytest.raises(ConfigError) as caught:
        load_model(path, model)
    told = str(caught.value)
    assert PASSWORD not in told + repr(caught.value)
    fault = next(fault for fault in caught.value.faults if bad.words in fault.message and fault.field == bad.field)
    assert fault.line == bad.line
    prefix = f"{path}:{bad.line}:"
    assert [line for line in told.splitlines() if line.startswith(prefix) and bad.words in line]
    assert len(caught.value.faults) == len(told.splitlines()) <= 3


@pytest.mark.parametrize("field", ["sasl_password", "sasl_username"])
@pytest.mark.parametrize("value", ["90210777", "9.0210777", "true"])
def test_a_credential_that_is_no_text_is_not_repeated(field: str, value: str) -> None:
    placeholder = {"sasl_password": "${KAFKA_PASSWORD}", "sasl_username": "${KAFKA_USER}"}[field]
    with pytest.raises(ConfigError) as caught:
        check_model(SITE.replace(placeholder, value).encode(), SiteSettings, "x.yaml")
    (fault,) = caught.value.faults
    assert fault.message == "the value is not text; put it in quotes"


def test_all_faults_of_a_file_come_at_once_in_its_order() -> None:
    text = SITE.replace("id: depot", "id: D").replace("timeout_s: 5", "timeout_s: 0").replace("9464", "x")
    with pytest.raises(ConfigError) as caught:
        check_model(text.encode(), SiteSettings, "x.yaml")
    assert [fault.line for fault in caught.value.faults] == [2, 7, 24]


def test_a_field_of_a_union_is_found_under_its_own_name() -> None:
    text = SITE.replace("bootstrap_servers: [kafka:9092]", "bootstrap_servers: []")
    with pytest.raises(ConfigError, match=r"x.yaml:16:\d+: alerts.sinks.0.bootstrap_servers: 0 given") as caught:
        check_model(text.encode(), SiteSettings, "x.yaml")
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"# nothing but a comment\n", "empty"),
        (b"- a\n", "must hold fields"),
        (b"just text", "must hold fields"),
        (b"a: \xff", "UTF-8"),
        (b"#" * 1_000_001, "larger"),
    ],
)
def test_files_that_are_none(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_model(path, SiteSettings)
    assert str(caught.value).startswith(str(path))


def test_a_directory_and_an_unusable_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a directory, not a file"):
        load_model(tmp_path, SiteSettings)
    with pytest.raises(ConfigError, match="not a usable path"):
        load_model(Path("a\0b"), SiteSettings)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_is_settings_or_a_config_error(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    with pytest.raises(ConfigError):
        check_model(data, SiteSettings, "x.yaml")


_values = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "x", "", "rtsp://h/p", "${A}", "vlm", "kafka", f"rtsp://u:{PASSWORD}@h"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["id", "kind", "main", "polygon", "name", "sinks", "security"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.sampled_from([SITE, PIPELINE, RULES]), st.integers(0, 30), _values, st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_in_any_place_is_settings_or_a_config_error(
    good: str, at: int, value: object, keeps_rest: bool
) -> None:
    lines = good.splitlines()
    at %= len(lines)
    name, colon, _ = lines[at].partition(": ")
    lines[at] = f"{name}{colon}{json.dumps(value)}"
    text = "\n".join(lines if keeps_rest else lines[: at + 1])
    models: dict[str, type[BaseModel]] = {SITE: SiteSettings, PIPELINE: PipelineSettings, RULES: RuleSetModel}
    told = _told(text, models[good])
    assert PASSWORD not in "".join(told)
    assert all("\n" not in line for line in told)


def _told(text: str, model: type[BaseModel]) -> list[str]:
    try:
        check_model(text.encode(), model, "x.yaml")
    except ConfigError as error:
        return [str(fault) for fault in error.faults]
    return []
