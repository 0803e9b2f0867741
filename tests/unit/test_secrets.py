"""Placeholders, and that a credential that was resolved once is found again wherever it is written."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc import secrets
from streamproc.errors import ConfigError

PASSWORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="*"), min_size=4, max_size=24)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", set())


@pytest.mark.parametrize("text", ["plain", "${NAME}", "a${A}b${_b1}", "${file:/run/secrets/x}", ""])
def test_well_formed_placeholders_pass(text: str) -> None:
    assert secrets.check_placeholders(text) == text


@pytest.mark.parametrize(
    "text", ["${}", "${1A}", "${a-b}", "${file:}", "${file:/}", "${file:rel}", "${NAME", "x${A}${"]
)
def test_ill_formed_placeholders_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$\{"):
        secrets.check_placeholders(text)


@pytest.mark.parametrize(
    "text",
    [
        "clip.mp4",
        "device:/dev/video0",
        "rtsp://10.0.0.2/stream",
        "rtsp://10.0.0.2:554/stream",
        "rtsp://[fe80::1]:554/stream",
        "rtsp://[fe80::1]/stream",
        "rtsp://viewer@10.0.0.2/stream",
        "rtsp://${USER}:${PASSWORD}@10.0.0.2/stream",
        "rtsp://admin:${file:/run/secrets/gate}@10.0.0.2:${PORT}/stream",
        "rtsp://10.0.0.2:554/user=admin_password=${PASSWORD}_channel=1",
        "rtsp://10.0.0.2:554/at@home",
        "${GATE_URL}",
    ],
)
def test_addresses_without_a_literal_password_pass(text: str) -> None:
    assert secrets.check_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:hunter2@10.0.0.2/stream",
        "rtsp://:hunter2@10.0.0.2/stream",
        "rtsp://${USER}:hunter2@10.0.0.2/stream",
        "rtsp://admin:hunter2${PASSWORD}@10.0.0.2/stream",
        "rtsp://admin:hun/ter2@10.0.0.2/stream",
        "rtsp://admin:hun#ter2@10.0.0.2/stream",
        "rtsp://10.0.0.2:554/user=admin_password=hunter2_channel=1",
        "http://10.0.0.2/video?user=admin&pwd=hunter2",
        "rtsp://10.0.0.2/x?user=admin&pass=hunter22",
        "rtsp://10.0.0.2/x?user=admin&pswd=hunter22",
        "http://10.0.0.2/x?auth=hunter22",
        "http://10.0.0.2/x?key=sk-hunter22",
        "rtsp://admin:hunter2@[10.0.0.2/stream",
    ],
)
def test_literal_passwords_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="address") as refused:
        secrets.check_address(text)
    assert "ter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@given(user=PASSWORDS, password=PASSWORDS)
def test_a_password_of_any_characters_arrives_as_it_is(user: str, password: str) -> None:
    address = secrets.resolve("rtsp://${U}:${P}@gate.local:554/main", {"U": user, "P": password})
    parts = urlsplit(address)
    assert (parts.hostname, parts.port, parts.path) == ("gate.local", 554, "/main")
    assert unquote(parts.username or "") == user
    assert unquote(parts.password or "") == password


def test_only_user_and_password_are_percent_encoded() -> None:
    env = {"P": "a/b c", "HOST": "10.0.0.2", "PATH_": "main/a b"}
    assert secrets.resolve("rtsp://u:${P}@${HOST}/${PATH_}@x", env) == "rtsp://u:a%2Fb%20c@10.0.0.2/main/a b@x"
    assert secrets.resolve("${P}", env) == "a/b c"


def test_a_secret_file_is_read_without_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "gate"
    file.write_text("correct horse\n", encoding="utf-8")
    assert secrets.resolve(f"${{file:{file}}}") == "correct horse"
    assert secrets.redact("said correct horse") == "said ***"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="environment variable NOWHERE is not set"):
        secrets.resolve("${NOWHERE}", {})
    with pytest.raises(ConfigError, match=r"secret file .*none cannot be read: FileNotFoundError"):
        secrets.resolve(f"${{file:{tmp_path / 'none'}}}", {})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UnicodeDecodeError"):
        secrets.resolve(f"${{file:{tmp_path / 'binary'}}}", {})


@given(password=PASSWORDS)
def test_every_way_others_write_a_resolved_password_is_redacted(password: str) -> None:
    address = secrets.resolve("rtsp://viewer:${P}@10.0.0.2/main", {"P": password})
    error = OSError(5, f"cannot open {address}")
    for text in (password, address, str(error), repr(error), json.dumps({"p": password}), ascii(password)):
        clean = secrets.redact(f"<<{text}>>")
        assert password not in clean
        assert "***" in clean


def test_an_address_that_came_whole_from_the_environment_gives_its_password_away_nowhere() -> None:
    secrets.resolve("${URL}", {"URL": "rtsp://admin:hunt%2Fer2@10.0.0.2/main"})
    assert secrets.redact("401 for admin, hunt/er2, hunt%2Fer2") == "401 for admin, ***, ***"


def test_a_users_name_does_not_blank_ordinary_words() -> None:
    secrets.resolve("rtsp://${U}:${P}@10.0.0.2/main", {"U": "camera", "P": "hunter2"})
    assert secrets.redact("camera gate: hunter2 refused at rtsp://camera:x@10.0.0.2") == (
        "camera gate: *** refused at rtsp://***@10.0.0.2"
    )


def test_very_short_values_are_left_outside_of_addresses() -> None:
    secrets.remember("on")
    secrets.remember("")
    assert secrets.redact("one camera rtsp://a:on@h/x") == "one camera rtsp://***@h/x"


def test_passwords_in_paths_and_queries_are_redacted_unresolved() -> None:
    assert secrets.redact("GET /cgi?user=a&password=hunter2&x=1") == "GET /cgi?user=a&password=***&x=1"
    assert secrets.redact("rtsp://h/user=admin_password=hunter2_channel=1") == (
        "rtsp://h/user=admin_password=***_channel=1"
    )


def test_the_longer_secret_is_removed_first() -> None:
    secrets.remember("hunter")
    secrets.remember("hunter2000")
    assert secrets.redact("hunter2000") == "***"
