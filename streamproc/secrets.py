"""Credentials: placeholders in settings, values only at the moment of connecting, and never in what is written.

``${NAME}`` stands for an environment variable, ``${file:/run/secrets/name}`` for a file's content without its last
newline. Settings keep the placeholders. ``resolve`` fills them in and remembers the values, so that ``redact`` finds
them again wherever text leaves the process.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from streamproc.errors import ConfigError

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/\s@'\"]*)@")
# Some cameras take the password as a part of the path or query: /user=admin_password=…_channel=1
_PARAMETER = re.compile(
    r"(?P<name>(?<![a-z])(?:password|passwd|passw|pass|pswd|pwd|pw|auth|api_?key|key|token|secret|sig)=)"
    r"(?P<value>[^&_;/\s'\"]+)",
    re.IGNORECASE,
)
_REMEDY = (
    "an address must not hold a password; put it in the environment and write "
    "rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@host/path, or use ${file:/run/secrets/name}"
)
_DUMMY = "x-placeholder-x"
_known: set[str] = set()
_lock = threading.Lock()


def check_placeholders(text: str) -> str:
    """Return ``text`` if each of its placeholders is well formed.

    Raises:
        ValueError: naming the placeholder and the two permitted forms.
    """
    for inner in _PLACEHOLDER.findall(text):
        if not (_NAME.fullmatch(inner) or (inner.startswith("file:/") and len(inner) > len("file:/"))):
            raise ValueError(f"${{{inner}}} is neither ${{NAME}} nor ${{file:/path}}")
    if text.count("${") != len(_PLACEHOLDER.findall(text)):
        raise ValueError("a ${ is never closed by }")
    return text


def check_secret(text: str) -> str:
    """Return ``text`` if it is one placeholder and nothing else.

    Raises:
        ValueError: with the remedy, and without the text.
    """
    check_placeholders(text)
    if not _PLACEHOLDER.fullmatch(text):
        raise ValueError(
            "a password or key must not stand in a file; put it in the environment and write ${NAME}, "
            "or use ${file:/run/secrets/name}"
        )
    return text


def check_address(text: str) -> str:
    """Return ``text`` if it holds no literal password.

    Raises:
        ValueError: with the remedy, and without the password.
    """
    check_placeholders(text)
    if "://" not in text:
        return text
    plain = _PLACEHOLDER.sub(_DUMMY, text)
    try:
        parts = urlsplit(plain)
    except ValueError:  # its message may quote the address
        raise ValueError("not a well-formed address; write scheme://host:port/path") from None
    userinfo, at, host = parts.netloc.rpartition("@")
    password = userinfo.partition(":")[2]
    if password.replace(_DUMMY, "") or any(found["value"].replace(_DUMMY, "") for found in _PARAMETER.finditer(plain)):
        raise ValueError(_REMEDY)
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else ""
    if port.replace(_DUMMY, "") and not port.isdecimal():
        # A / # or ? inside a password ends the host too early: the rest of it must not be echoed.
        raise ValueError(_REMEDY if not at and "@" in plain else "the port of an address must be a number")
    return text


def resolve(template: str, environ: Mapping[str, str] | None = None, *, secret: bool = True) -> str:
    """``template`` with its placeholders filled in; without ``secret``, for a user's name, ``redact`` leaves them.

    The values are given as they are, never percent-encoded: in front of an address's ``@`` they are encoded here.

    Raises:
        ConfigError: a variable is not set or a file cannot be read; names it, never its value.
    """
    env = os.environ if environ is None else environ
    user_end, userinfo_end = _userinfo(template)

    def fill(match: re.Match[str]) -> str:
        inner = match.group(1)
        if inner.startswith("file:"):
            path = Path(inner.removeprefix("file:"))
            try:
                value = path.read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"secret file {path} cannot be read: {type(error).__name__}") from None
        elif inner in env:
            value = env[inner]
        else:
            raise ConfigError(f"environment variable {inner} is not set; ${{{inner}}} needs it")
        if secret and match.end() > user_end:  # a user's name, "camera" or "admin", would blank ordinary words
            remember(value)
        return _quote(value) if match.end() <= userinfo_end else value

    resolved = _PLACEHOLDER.sub(fill, template)
    if "://" in resolved:  # an address that came whole from the environment brings its password along
        _, _, password = resolved.partition("://")[2].rpartition("@")[0].partition(":")
        remember(password)
        remember(unquote(password))
    return resolved


def _userinfo(template: str) -> tuple[int, int]:
    """Where an address's user name ends and where the ``@`` after its password stands; -1 where there is none."""
    masked = _PLACEHOLDER.sub(lambda found: "x" * len(found.group()), template)
    start = masked.find("://") + 3
    if start == 2:
        return -1, -1
    end = next((i for i in range(start, len(masked)) if masked[i] in "/?#"), len(masked))
    at = masked.rfind("@", start, end)
    return masked.find(":", start, max(at, start)), at


def _quote(value: str) -> str:
    return quote(value, safe="", errors="surrogateescape")


def remember(value: str) -> None:
    """Have ``redact`` remove ``value`` from now on; very short values would blank ordinary words and are left."""
    if len(value) >= 4:
        # Other people's messages quote it as an address, a Python literal or JSON would.
        forms = {value, _quote(value), _quote(value).replace("%20", "+")}
        forms |= {written[1:-1] for form in tuple(forms) for written in (repr(form), ascii(form))}
        forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
        with _lock:
            _known.update(forms)


def _without_user(found: re.Match[str]) -> str:
    placeholders = found["user"] and not _PLACEHOLDER.sub("", found["user"]).strip(":")
    return found.group() if placeholders else f"{found['scheme']}***@"


def redact(text: str) -> str:
    """``text`` without credentials: user info of addresses and every resolved secret become ``***``.

    User info that is nothing but placeholders stays: it is what a remedy tells people to write.
    """
    text = _PARAMETER.sub(r"\g<name>***", _USERINFO.sub(_without_user, text))
    with _lock:
        values = sorted(_known, key=len, reverse=True)
    for value in values:
        text = text.replace(value, "***")
    return text
