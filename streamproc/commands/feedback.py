"""`feedback`: what operators say of alerts, right or false; `rules recalibrate` takes it in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamproc.commands.output import JsonFlag, SiteArgument, coloured, emit_json, note, say
from streamproc.secrets import redact

if TYPE_CHECKING:
    from streamproc.feedback.records import Says

AlertArgument = Annotated[
    str, typer.Argument(metavar="ALERT", help="The alert's id, or a message's, as `alerts tail` prints it.")
]
NoteOption = Annotated[str, typer.Option(help="Anything to remember.", show_default=False)]
AlertsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Look for it in this file of JSON lines alone, e.g. what `replay` printed."),
]

feedback_app = typer.Typer(no_args_is_help=True, help="Say of alerts whether they were right.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    for name, command in (("right", right), ("false", false), ("withdraw", withdraw), ("list", listed)):
        feedback_app.command(name)(command)
    app.add_typer(feedback_app, name="feedback")


def right(site: SiteArgument, alert: AlertArgument, note: NoteOption = "", alerts: AlertsOption = None) -> None:
    """Say that an alert was right: no recalibration gives it up. Replaces what was said of it before."""
    _say(site, alert, "right", None, note, alerts)


def false(
    site: SiteArgument,
    alert: AlertArgument,
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="The cited rule that was wrong, if not all; one that a person wrote is blamed only so."
        ),
    ] = None,
    note: NoteOption = "",
    alerts: AlertsOption = None,
) -> None:
    """Say that an alert was a false alarm. Replaces what was said of it before.

    Nothing changes until `rules recalibrate`, or the next `induce`, takes it in.
    """
    _say(site, alert, "false", rule, note, alerts)


def withdraw(
    site: SiteArgument,
    alert: AlertArgument,
) -> None:
    """Take back what was said of an alert."""
    from streamproc.errors import ConfigError
    from streamproc.feedback.known import alert_id_of
    from streamproc.feedback.records import load_feedback
    from streamproc.feedback.records import withdraw as take_back
    from streamproc.site import load_site

    alert_id = alert_id_of(alert)
    for camera in load_site(site).settings.cameras:
        if camera.rules is not None and alert_id in load_feedback(camera.rules):
            take_back(camera.rules, alert_id)
            say(f"{alert_id}: taken back; `streamproc rules recalibrate {camera.rules}` undoes what came of it")
            return
    raise ConfigError(f"nothing was said of alert {alert_id}")


def listed(
    site: SiteArgument,
    camera: Annotated[str | None, typer.Option(help="Of this camera alone.")] = None,
    json: JsonFlag = False,
) -> None:
    """List what was said of alerts, camera by camera, in the order in which they began."""
    from streamproc.feedback.records import load_feedback
    from streamproc.site import load_site

    loaded = load_site(site)
    cameras = loaded.settings.cameras if camera is None else (loaded.camera(camera),)
    known = [one for each in cameras if each.rules is not None for one in load_feedback(each.rules).values()]
    if json:
        emit_json([one.model_dump(mode="json") for one in known])
        return
    for one in known:
        rule = f", rule {one.rule} was wrong" if one.rule else ""
        line = f"{one.alert_id}  {one.start:%Y-%m-%d %H:%M:%S} UTC  {one.camera}  {one.says}{rule}: {one.reason}"
        say(coloured(line + (f" ({one.note})" if one.note else ""), "" if one.says == "right" else "yellow"))
    say(f"{len(known)} alert(s), {sum(one.says == 'false' for one in known)} of them false")


def _say(site: Path, alert: str, says: Says, rule: str | None, remark: str, alerts: Path | None) -> None:
    from streamproc.camera_rules import rules_path
    from streamproc.errors import ConfigError
    from streamproc.feedback.known import alert_id_of, messages_of
    from streamproc.feedback.recalibrating import recalibrate
    from streamproc.feedback.records import put, recorded
    from streamproc.site import load_site

    loaded = load_site(site)
    messages = messages_of(alert_id_of(alert), loaded.settings.alerts, alerts)
    rules = rules_path(loaded, loaded.camera(messages[0].data.camera.id))
    feedback = recorded(messages, says, rule, redact(" ".join(remark.split())), datetime.now(UTC))
    before = put(rules, feedback)
    changed = f" (it was {before.says})" if before is not None and before.says != says else ""
    say(f"{feedback.alert_id}: {says}{changed}; take it in with `streamproc rules recalibrate {rules}`")
    try:
        notes = recalibrate(rules, loaded.pipeline.deduction, dry_run=True).notes
    except ConfigError as error:
        notes = (f"what recalibrating would change cannot be told: {error}",)
    for one in notes:
        note(f"as recalibrating takes it: {one}")
