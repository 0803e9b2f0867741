"""The contact sheet: one HTML file that needs nothing beside it, pictures included.

What comes from rules, captions and file names is escaped wherever it is put in: ``fill`` escapes all but what is
``Html`` already.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from string import Template

from streamproc.backtest.outcome import Backtest, Moment, Outcome, frames
from streamproc.figures import duration


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Backtest of $title</title>
<style>
:root { color-scheme: light dark; --line: #8884; --quiet: #666; --critical: #ed4040; --error: #f37035;
  --warning: #fab005; --info: #4d9aff; }
@media (prefers-color-scheme: dark) { :root { --quiet: #aaa; } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem; max-width: 90rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.quiet, figcaption small { color: var(--quiet); }
table { border-collapse: collapse; margin: .5rem 2rem .5rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.side { display: flex; flex-wrap: wrap; align-items: flex-start; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 6px;
  overflow: hidden; }
figure img { width: 100%; display: block; } figcaption { padding: .6rem .8rem; }
.critical { --accent: var(--critical); } .error { --accent: var(--error); } .warning { --accent: var(--warning); }
.info { --accent: var(--info); }
</style>
</head>
<body>
<main>
<h1>Backtest of $title</h1>
$body
</main>
</body>
</html>
"""
_OUTCOME = """\
<section>
<h2>$rules <span class="quiet">version $version, $sha</span></h2>
<p><strong>$alerts</strong> in $footage of footage. $rate</p>
$measures
<div class="side">$tables</div>
$notes
</section>
"""
_TABLE = """\
<table><tr><th scope="col">$title</th><th scope="col" class="number">Alerts</th></tr>$rows</table>
"""
_MOMENT = """\
<figure class="$severity">$picture<figcaption><strong>$names</strong> $mark<br>$reason<br>
<small>$place$at &middot; $severity &middot; score $score</small></figcaption></figure>
"""


def fill(template: str, **fields: object) -> Html:
    """``template`` with its ``$fields``, escaped unless they are ``Html``."""
    return Html(Template(template).substitute({name: _escaped(value) for name, value in fields.items()}))


def page(backtest: Backtest) -> str:
    """The whole file."""
    outcome, against = backtest.outcome, backtest.against
    parts = [_outcome(outcome)]
    if against is None:
        parts.append(_sheet("What would have been raised", outcome.moments))
    else:
        both = tuple(moment for moment in outcome.moments if moment not in backtest.only_here)
        parts.append(_outcome(against))
        parts.append(_sheet(f"Raised by {_name(outcome)} alone", backtest.only_here))
        parts.append(_sheet(f"Raised by {_name(against)} alone", backtest.only_there))
        parts.append(_sheet("Raised by both", both))
    return fill(_PAGE, title=outcome.rules, body=_joined(parts))


def _name(outcome: Outcome) -> str:
    return f"{outcome.rules} (version {outcome.version})"


def _outcome(outcome: Outcome) -> Html:
    return fill(
        _OUTCOME,
        rules=outcome.rules,
        version=outcome.version,
        sha=outcome.sha256,
        alerts=f"{len(outcome.moments)} alert{'' if len(outcome.moments) == 1 else 's'}",
        footage=duration(outcome.footage_s),
        rate=f"False alarms: {outcome.rate_said}." if outcome.rate_said else "",
        measures=fill("<p>$said.</p>", said=frames(outcome.measures)) if outcome.measures else "",
        tables=_joined([_table("Rule", outcome.by_rule()), _table("Hour", outcome.by_hour())]),
        notes=_joined([fill('<p class="quiet">Note: $note.</p>', note=note) for note in outcome.notes]),
    )


def _table(title: str, counts: Mapping[str, int]) -> Html:
    if not counts:
        return Html("")
    rows = [
        fill('<tr><td>$name</td><td class="number">$count</td></tr>', name=name, count=count)
        for name, count in counts.items()
    ]
    return fill(_TABLE, title=title, rows=_joined(rows))


def _sheet(title: str, moments: Sequence[Moment]) -> Html:
    figures = fill('<div class="sheet">$figures</div>', figures=_joined([_moment(moment) for moment in moments]))
    if not moments:
        figures = Html('<p class="quiet">No alert.</p>')
    elif any(moment.picture is not None and moment.at is None for moment in moments):
        figures = Html(
            f'<p class="quiet">When they were taken is not known: times in pictures count from 1970.</p>{figures}'
        )
    return fill("<section><h2>$title: $count</h2>$figures</section>", title=title, count=len(moments), figures=figures)


def _moment(moment: Moment) -> Html:
    picture = Html("")
    if moment.picture is not None:
        data = b64encode(moment.picture).decode("ascii")
        picture = fill(
            '<img loading="lazy" alt="$alt" src="data:image/jpeg;base64,$data">',
            alt=f"{moment.place}: {moment.caption or moment.reason}",
            data=data,
        )
    return fill(
        _MOMENT,
        severity=moment.severity,
        picture=picture,
        names=", ".join(moment.names),
        mark="" if moment.false is None else "(false alarm)" if moment.false else "(right)",
        reason=moment.reason,
        place=moment.place,
        at=f", {moment.at:%Y-%m-%d %H:%M:%S}" if moment.at else "",
        score=f"{moment.score:.2f}",
    )


def _joined(parts: Sequence[Html]) -> Html:
    return Html("\n".join(parts))


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))
