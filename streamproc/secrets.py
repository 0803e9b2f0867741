"""Credentials: placeholders in settings, values only at the moment of connecting, and never in what is written.

``${NAME}`` stands for an environment variable, ``${file:/run/secrets/name}`` for a file's content without its last
newline. Settings keep the placeholders. ``resolve`` fills them in and remembers the values, so that ``redact`` finds
them again wherever text leaves the process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from streamproc.errors import ConfigError

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@'\"]*@")
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


def check_address(text: str) -> str:
    """Return ``text`` if it holds no literal password.

    Raises:
        ValueError: with the remedy, and without the password.
    """
    check_placeholders(text)
    if "://" not in text:
        return text
    userinfo = _PLACEHOLDER.sub("", urlsplit(_PLACEHOLDER.sub(_dummy, text)).netloc.rpartition("@")[0])
    password = userinfo.partition(":")[2]
    if password.replace(_DUMMY, ""):
        raise ValueError(
            "an address must not hold a password; put it in the environment and write "
            "rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@host/path, or use ${file:/run/secrets/name}"
        )
    return text


_DUMMY = "x-placeholder-x"


def _dummy(_: re.Match[str]) -> str:
    return _DUMMY


def resolve(template: str, environ: Mapping[str, str] | None = None) -> str:
    """``template`` with its placeholders filled in; inside an address they are percent-encoded.

    Raises:
        ConfigError: a variable is not set or a file cannot be read; names it, never its value.
    """
    env = os.environ if environ is None else environ
    in_address = "://" in template

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
        remember(value)
        return quote(unquote(value), safe="") if in_address and template.find("@", match.end()) >= 0 else value

    return _PLACEHOLDER.sub(fill, template)


def remember(value: str) -> None:
    """Have ``redact`` remove ``value`` from now on; very short values would blank ordinary words and are left."""
    if len(value) >= 4:
        with _lock:
            _known.update({value, quote(value, safe="")})


def redact(text: str) -> str:
    """``text`` without credentials: user info of addresses and every resolved secret become ``***``."""
    text = _USERINFO.sub(r"\g<scheme>***@", text)
    with _lock:
        values = sorted(_known, key=len, reverse=True)
    for value in values:
        text = text.replace(value, "***")
    return text
