"""`init`, `probe`, `check`: from nothing to a site file that holds."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import Annotated, Literal

import typer

from streamproc.commands.output import MISTAKE, JsonFlag, SiteArgument, emit_json, faults_as_dicts, say
from streamproc.errors import ConfigError

_BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?")

TransportOption = Annotated[Literal["tcp", "udp"], typer.Option(help="How RTSP carries the video.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command("init")(init)
    app.command("probe")(probe)
    app.command("check")(check)


def init(
    path: Annotated[Path, typer.Argument(help="Where to write the file.")] = Path("configs/site.yaml"),
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=ADDRESS", help="A camera, e.g. 'gate=rtsp://${GATE_USER}:${GATE_PASSWORD}@10.0.0.5/1'."
        ),
    ] = None,
    site: Annotated[str, typer.Option(help="Short id of the site: lower-case letters, digits, - and _.")] = "site",
    kafka: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="A Kafka broker; JSON lines in a file if left out.")
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Preset: embedded (CPU) or gpu-vllm, or a YAML file.")] = "embedded",
    transport: TransportOption = "tcp",
    timezone: Annotated[str, typer.Option(help="The cameras' time zone, e.g. Europe/Zurich.")] = "UTC",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a commented site file from flags."""
    from streamproc.config import SiteSettings
    from streamproc.scaffold import Scaffold
    from streamproc.schemas import write_beside

    cameras = [
        _camera(text) for text in camera or ["camera=rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@192.0.2.10/stream1"]
    ]
    scaffold = Scaffold(
        site=site,
        cameras=tuple(cameras),
        pipeline=pipeline,
        transport=transport,
        timezone=timezone,
        kafka=tuple(_broker(text) for text in kafka or ()),
    )
    scaffold.write(path, force=force)
    write_beside(path, SiteSettings)
    first = cameras[0]
    say(f"wrote {path}")
    say(f"next: streamproc probe {quote(first[1])}")
    say(f"      streamproc induce {quote(str(path))} --camera {first[0]} --clips 'normal/*.mp4'")


def _broker(text: str) -> str:
    found = _BROKER.fullmatch(text)
    if found is None:
        raise ConfigError("--kafka takes HOST:PORT, e.g. --kafka kafka-1:9092")
    if found["port"] is None:
        say(f"--kafka {text} names no port: {text}:9092 is taken")
        return f"{text}:9092"
    return text


def _camera(text: str) -> tuple[str, str]:
    camera_id, equals, address = text.partition("=")
    if not (equals and camera_id and address):
        raise ConfigError("--camera takes ID=ADDRESS, e.g. --camera 'gate=rtsp://10.0.0.5/stream1'")
    return camera_id, address


def probe(
    address: Annotated[
        str,
        typer.Argument(
            help="rtsp://…, a file, a folder of pictures or device:/dev/video0; credentials as ${NAME}.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where to write a test frame.")] = Path("probe.jpg"),
    transport: TransportOption = "tcp",
    seconds: Annotated[float, typer.Option(help="How long to look.", min=1, max=60)] = 6.0,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which to give up.", min=1, max=60)
    ] = 5.0,
    json: JsonFlag = False,
) -> None:
    """Look at a camera: codec, size, frames a second, keyframe interval, and a test frame on disk."""
    from pydantic import ValidationError

    from streamproc.config import CameraSettings
    from streamproc.probe import probe as look

    try:
        camera = CameraSettings.model_validate(
            {"id": "probe", "main": address, "transport": transport, "timeout_s": timeout, "realtime": False}
        )
    except ValidationError as error:
        raise ConfigError("; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())) from None
    report = look(camera, out=out, seconds=seconds)
    if json:
        emit_json(report)
    else:
        say(str(report))


def check(site: SiteArgument, json: JsonFlag = False) -> None:
    """Check a site file, its pipeline, rule sets and calibrations, and say what it would run on."""
    from streamproc.checking import check_site

    try:
        report = check_site(site)
    except ConfigError as error:
        if not json:
            raise
        emit_json({"ok": False, "faults": faults_as_dicts(error)})
        raise typer.Exit(MISTAKE) from None
    if json:
        emit_json({"ok": True, **report.as_dict()})
    else:
        say(str(report))
