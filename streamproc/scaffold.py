"""Writes a first, commented site file from flags."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from streamproc.errors import ConfigError
from streamproc.site import load_site

_HEADER = """\
# yaml-language-server: $schema=site.schema.json
# A streamproc site: its cameras, the pipeline they run on, where alerts go.
# Next: streamproc probe ADDRESS · streamproc induce {path} --camera ID --clips 'normal/*.mp4' · streamproc check {path}
schema_version: 1

site:
  id: {site}
  name: {site_name}

# A preset that comes with streamproc (embedded: CPU only; gpu-vllm: model servers), or your own file's path.
pipeline: {pipeline}

cameras:
"""

_CAMERA = """\
  - id: {id}
    # Credentials stay out of this file: rtsp://${{NAME}}:${{PASSWORD}}@host/path takes them from the environment,
    # ${{file:/run/secrets/name}} from a file.
    # A video file is a camera too: its path; `realtime: false` plays it as fast as it goes.
    main: {address}
    # sub: rtsp://…            # a smaller stream to analyse, where the camera has one
    transport: {transport}
    timezone: {timezone}
    # Written by `streamproc induce`; edit it as you like, a running pipeline takes edits within 2 s.
    rules: {rules}
    # zones:                   # names for places; corners are [x, y] in 0..1 from the top left
    #   - {{name: gate, polygon: [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]]}}
    # privacy_masks:           # blacked out before any model, picture or clip
    #   - {{name: window, polygon: [[0.7, 0.0], [1.0, 0.0], [1.0, 0.3], [0.7, 0.3]]}}
    # schedule:                # watched always if left out
    #   - {{days: [mon, tue, wed, thu, fri], hours: "18:00-07:00"}}
"""

_ALERTS_KAFKA = """\
    - kind: kafka
      bootstrap_servers: {servers}
      alerts_topic: streamproc.alerts
      health_topic: streamproc.health
      # security: {{security_protocol: SASL_SSL, sasl_mechanism: SCRAM-SHA-512,
      #            sasl_username: "${{KAFKA_USER}}", sasl_password: "${{KAFKA_PASSWORD}}"}}
"""

_ALERTS_JSONL = """\
    - kind: jsonl              # one alert a line; a Kafka sink can stand beside it
      path: {path}
"""

_FOOTER = """\
  outbox: {base}var/outbox.sqlite3
  evidence:
    directory: {base}var/evidence
    retention_days: 30
    max_gb: 10

observability:
  log_format: console
  port: 9464                   # /metrics, /healthz, /readyz
"""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What `streamproc init` was asked for."""

    site: str
    cameras: tuple[tuple[str, str], ...]
    """(id, address) of each."""
    pipeline: str = "embedded"
    transport: str = "tcp"
    timezone: str = "UTC"
    kafka: tuple[str, ...] = ()
    """Brokers to start from; JSON lines in ``var/alerts.jsonl`` if empty."""

    def text(self, path: Path) -> str:
        """The file's text."""
        parts = [
            _HEADER.format(
                path=path,
                site=_quoted(self.site),
                site_name=_quoted(self.site),
                pipeline=_quoted(self.pipeline),
            )
        ]
        parts += [
            _CAMERA.format(
                id=_quoted(camera_id),
                address=_quoted(address),
                transport=_quoted(self.transport),
                timezone=_quoted(self.timezone),
                rules=_quoted(f"{_base(path)}rules/{camera_id}.yaml"),
            )
            for camera_id, address in self.cameras
        ]
        parts.append("\nalerts:\n  sinks:\n")
        if self.kafka:
            parts.append(_ALERTS_KAFKA.format(servers="[" + ", ".join(map(_quoted, self.kafka)) + "]"))
        else:
            parts.append(_ALERTS_JSONL.format(path=_quoted(f"{_base(path)}var/alerts.jsonl")))
        parts.append(_FOOTER.format(base=_base(path)))
        return "".join(parts)

    def write(self, path: Path, *, force: bool = False) -> None:
        """Write the file, checked by the loader before it takes its place.

        Raises:
            ConfigError: the file is there already and ``force`` is false, it cannot be written, or a flag's value is
                not permitted.
        """
        if path.exists() and not force:
            raise ConfigError(f"{path} is there already; choose another path or pass --force to replace it")
        draft = path.with_name(f".{path.name}.draft")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.write_text(self.text(path), encoding="utf-8")
                load_site(draft)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        except ConfigError as error:
            # The draft's lines mean nothing to somebody who gave flags.
            told = [f"{f.field}: {f.message}" if f.field else f.message for f in error.faults if f.path == str(draft)]
            raise ConfigError("\n".join(told)) if told else error from None
        except UnicodeError:
            raise ConfigError("a flag's value is not text in UTF-8") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _quoted(text: str) -> str:
    # A JSON string is a YAML scalar, whatever it holds.
    return json.dumps(text, ensure_ascii=False)


def _base(path: Path) -> str:
    # In the usual layout the file lies in configs/, beside rules/ and var/.
    return "../" if path.absolute().parent.name == "configs" else ""
