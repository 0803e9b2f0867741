"""`run`, `replay`, `alerts tail`: watching, live or again, and what came of it."""

from __future__ import annotations

import glob
import shlex
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamproc.commands.output import JsonFlag, SiteArgument, emit_json, note, say
from streamproc.errors import ConfigError

if TYPE_CHECKING:
    from streamproc.config import KafkaSinkSettings
    from streamproc.replay import Judged

alerts_app = typer.Typer(no_args_is_help=True, help="Look at alerts.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command("run")(run)
    app.command("replay")(replay)
    alerts_app.command("tail")(tail)
    app.add_typer(alerts_app, name="alerts")


def run(site: SiteArgument) -> None:
    """Watch the site's cameras until SIGTERM or Ctrl-C; alerts go where the site file says."""
    from streamproc.running import run_site

    raise typer.Exit(run_site(site))


def replay(
    site: SiteArgument,
    camera: Annotated[str, typer.Option(help="The camera's id in the site file; its rules and zones are used.")],
    video: Annotated[
        Path, typer.Option(help="A recording, or a quoted pattern for several, one after the other: 'archive/*.mp4'.")
    ],
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the first frame was captured, e.g. 2026-11-21T08:00:00Z."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="A folder for pictures and clips; none are made if left out.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Print why each window raised an alert or none, in place of the alerts."),
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the six strongest moments to this picture (PNG), alarms or not."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="With --explain: a JSON line a window.")] = False,
) -> None:
    """Run a recording through a camera's pipeline as fast as it goes: alerts as JSON lines on standard output.

    The same recording, start and rules give the same alerts with the same ids. Of several each begins when the one
    before it ended.
    """
    from streamproc.backtest.sheet import Sheet
    from streamproc.footage import find_clips
    from streamproc.replay import load_backends
    from streamproc.replay import replay as play
    from streamproc.site import load_site

    began = reached = parse_start(start)
    moments = Sheet() if sheet else None

    def heed(judged: Judged) -> None:
        nonlocal reached
        reached = judged.at
        if explain:
            _explain(json, judged)
        if moments:
            moments.add(clip, (judged.at - began).total_seconds(), judged)

    def tell(alert: dict[str, Any]) -> None:
        if not explain:
            emit_json(alert, indent=None)

    clips = (video,) if video.exists() or not glob.has_magic(str(video)) else find_clips([str(video)], "--video")
    with load_backends(load_site(site)) if len(clips) > 1 else nullcontext(None) as backends:
        for clip in clips:
            began = reached
            summary = play(site, camera, clip, began, evidence, tell, heed, backends=backends)
            note(f"{clip.name}: {summary}" if len(clips) > 1 else summary)
    if moments and sheet:
        moments.write(sheet)


def _explain(json: bool, judged: Judged) -> None:
    from zoneinfo import ZoneInfo

    from streamproc.alerts.text import clock, explain, explained

    at, verdict, threshold = judged.at, judged.verdict, judged.threshold
    nothing = "not judged: nothing moves"
    if json:
        row = explained(verdict, threshold) if verdict else {"time": at.isoformat(), "reason": nothing}
        emit_json(row, indent=None)
    else:
        say(explain(verdict, threshold) if verdict else f"{clock(at, ZoneInfo('UTC'), tenths=True)}  {nothing}")


def parse_start(text: str | None) -> datetime:
    """What ``--start`` says, UTC; 1970 where it is left out.

    Raises:
        ConfigError: it is no time, or one without a time zone.
    """
    if text is None:
        return datetime(1970, 1, 1, tzinfo=UTC)
    try:
        value = datetime.fromisoformat(text)
        if value.tzinfo is None:
            raise ConfigError(f"--start: {text!r} has no time zone; add Z for UTC or an offset such as +01:00")
        return value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(f"--start: {text!r} is not a time; write e.g. 2026-11-21T08:00:00Z") from None


def tail(
    site: Annotated[Path | None, typer.Argument(metavar="[SITE]", help="A site file with a Kafka sink.")] = None,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A broker, without a site file.")] = None,
    topic: Annotated[
        str | None, typer.Option(help="The topic, without a site file; streamproc.alerts if left out.")
    ] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Start at the oldest alert.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait for more; otherwise stop at the newest.")] = True,
    json: JsonFlag = False,
) -> None:
    """Print alerts as they arrive on the topic."""
    from streamproc.alerts.tail import tail as read
    from streamproc.alerts.text import describe

    for alert in read(_kafka(site, bootstrap, topic), from_beginning=from_beginning, follow=follow):
        if json:
            emit_json(alert, indent=None)
        else:
            say(describe(alert))
            say()


def _kafka(site: Path | None, bootstrap: str | None, topic: str | None) -> KafkaSinkSettings:
    from streamproc.config import JsonlSinkSettings, KafkaSinkSettings
    from streamproc.site import load_site

    if site is None:
        servers = tuple((bootstrap or "").split(","))
        if not all(servers):
            raise ConfigError("alerts tail takes either a site file or --bootstrap HOST:PORT")
        named = {"alerts_topic": topic} if topic is not None else {}
        return KafkaSinkSettings(kind="kafka", bootstrap_servers=servers, **named)
    if bootstrap is not None or topic is not None:
        raise ConfigError("alerts tail takes --bootstrap and --topic in place of a site file, which names its own")
    sinks = load_site(site).settings.alerts.sinks
    for sink in sinks:
        if isinstance(sink, KafkaSinkSettings):
            return sink
    lines = [sink for sink in sinks if isinstance(sink, JsonlSinkSettings)]
    files = " ".join(shlex.quote(str(sink.path)) for sink in lines if sink.path is not None)
    where = f"in a file: tail -F {files}" if files else "on the standard output of `streamproc run`"
    raise ConfigError(f"{site}: alerts.sinks holds no kafka sink; its alerts are JSON lines {where}")
