"""The signed pages as HTML: an incident with one thing to do, or why there is nothing. Pure; every text is escaped.

Without scripts and without anything from elsewhere, so that the strictest policy lets it through.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from zoneinfo import ZoneInfo

from functions.alerts.notifying.saying import who
from functions.alerts.pages.links import Purpose
from functions.alerts.records import AlertRule, Incident, Step

SNOOZES: Mapping[str, str] = {
    "1h": "1 hour",
    "4h": "4 hours",
    "1d": "1 day",
    "morning": "Until tomorrow, 9:00",
}
QUESTIONS: Mapping[Purpose, tuple[str, str]] = {
    "acknowledge": ("Acknowledge", "Tells the others that you look after it."),
    "snooze": ("Snooze", "Nothing more is said of it until then."),
    "useful": ("It was useful", "Keeps this rule from being the first to go quiet."),
    "useless": ("It was noise", "A rule that mostly makes noise is told last, and named for deletion."),
}
MOST_STEPS = 30
STYLE = """
:root{--ground:#f4f4f2;--card:#fff;--ink:#1d1c1d;--soft:#5c5b5c;--line:#deded9;--do:#0b5c9e;--on:#fff;--bad:#b3123d;--well:#1a6e33}
@media(prefers-color-scheme:dark){:root{--ground:#141416;--card:#1f2023;--ink:#ececee;--soft:#b0b1b6;--line:#3a3b40;
--do:#8cc7f5;--on:#10212e;--bad:#ff8499;--well:#6fd08c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:38rem;margin:0 auto;padding:1.25rem 1rem 3rem;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.1rem 1.25rem}
h1{font-size:1.3rem;line-height:1.3;margin:.5rem 0 .25rem}
h2{font-size:1rem;margin:1.5rem 0 .4rem}
p{margin:.3rem 0}.soft{color:var(--soft)}
.state{font-weight:700}.open{color:var(--bad)}.resolved{color:var(--well)}
img{display:block;width:100%;height:auto;margin:1rem 0;border-radius:.5rem;border:1px solid var(--line)}
.outcome{border-inline-start:4px solid var(--well);padding:.4rem .8rem;margin:1rem 0;font-weight:600}
.refused{border-color:var(--bad)}
form{margin:1.1rem 0 .2rem}
fieldset{border:0;padding:0;margin:0 0 .8rem}legend{font-weight:600;padding:0;margin-bottom:.3rem}
label{display:block;padding:.45rem 0}
input{width:1.15rem;height:1.15rem;margin:0 .5rem 0 0;vertical-align:-.2rem;accent-color:var(--do)}
button{font:inherit;font-weight:700;width:100%;min-height:3rem;border:0;border-radius:.5rem;background:var(--do);color:var(--on);cursor:pointer}
button:focus-visible,input:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
ol{list-style:none;margin:0;padding:0}
li{border-top:1px solid var(--line);padding:.5rem 0}
dl{margin:0}dt{font-weight:600}dd{margin:0 0 .4rem;font:13px/1.5 ui-monospace,monospace}
li time{color:var(--soft);font-size:.875rem;display:block}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a POST has done, or why it has not."""

    words: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident and what its link is for. `chart` is a path on this host, "" for none; `rule` None when it is gone."""

    incident: Incident
    purpose: Purpose
    zone: str
    chart: str = ""
    rule: AlertRule | None = None


def page(shown: Shown, outcome: Outcome | None) -> str:
    """The page of an incident, with its one button while there is something to do."""
    incident = shown.incident
    where = " · ".join(part for part in (incident.connection_name, incident.rule_name, incident.value) if part)
    parts = [
        f'<p class="state {incident.state}">{_state(incident, shown.zone)}</p>',
        f"<h1>{escape(incident.sentence)}</h1>",
        f'<p class="soft">{escape(where)}</p>',
        f'<p class="soft">Since {_instant(incident.since, shown.zone)}</p>',
        _outcome(outcome),
        _form(shown, outcome),
        _chart(shown),
        f"<h2>What happened</h2><ol>{''.join(_step(step, shown.zone) for step in _steps(incident))}</ol>",
        _rule(shown.rule),
    ]
    return _whole(incident.rule_name, "".join(parts))


def refusal(detail: str, hint: str) -> str:
    """The page of a link that opens nothing: what is wrong, and what to do."""
    return _whole(detail, f"<h1>{escape(detail)}</h1><p>{escape(hint)}</p>")


@cache
def policy() -> str:
    """The Content-Security-Policy of these pages: their own style, pictures and forms of this host, nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def _whole(title: str, inside: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        f"<title>{escape(title[:120])} · Hedgerow</title><style>{STYLE}</style></head>"
        f'<body><main><div class="card">{inside}</div></main></body></html>'
    )


def _state(incident: Incident, zone: str) -> str:
    if incident.state == "resolved":
        at = _instant(incident.resolved_at, zone) if incident.resolved_at else ""
        return f"Resolved {at}"
    said = [f"Open, {incident.severity}"]
    if incident.acknowledged_at is not None:
        said.append(f"acknowledged by {who(incident.acknowledged_by)}")
    if incident.snoozed_until is not None:
        said.append(f"snoozed until {_plain(incident.snoozed_until, zone)}")
    return escape(", ".join(said))


def _outcome(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    kind = "outcome refused" if outcome.is_refused else "outcome"
    return f'<p class="{kind}" role="status">{escape(outcome.words)}</p>'


def _form(shown: Shown, outcome: Outcome | None) -> str:
    """One button. None for a link that only shows, after it was pressed, or when nothing is left to do."""
    question = QUESTIONS.get(shown.purpose)
    if question is None or (outcome is not None and not outcome.is_refused):
        return ""
    if shown.incident.state == "resolved" and shown.purpose in ("acknowledge", "snooze"):
        return '<p class="outcome">It is resolved: nothing is left to do.</p>' if outcome is None else ""
    if shown.purpose == "acknowledge" and shown.incident.acknowledged_at is not None:
        taken = _plain(shown.incident.acknowledged_at, shown.zone)
        by = who(shown.incident.acknowledged_by)
        return f'<p class="outcome">{escape(f"Acknowledged by {by}, {taken}: nothing is left to do.")}</p>'
    label, meaning = question
    choices = ""
    if shown.purpose == "snooze":
        radios = "".join(
            f'<label><input type="radio" name="for" value="{value}"{" checked" if value == "1h" else ""}>{words}</label>'
            for value, words in SNOOZES.items()
        )
        choices = f"<fieldset><legend>For how long?</legend>{radios}</fieldset>"
    return f'<form method="post">{choices}<button>{label}</button></form><p class="soft">{meaning}</p>'


def _rule(rule: AlertRule | None) -> str:
    """What is judged and how, as it would be written in a file."""
    if rule is None:
        return '<h2 id="rule">The rule</h2><p class="soft">It was removed.</p>'
    told = rule.model_dump(mode="json", include={"series", "condition", "policy"}, exclude_none=True)
    lines = "".join(
        f"<dt>{name}</dt><dd>{escape(json.dumps(part, ensure_ascii=False))}</dd>" for name, part in told.items()
    )
    return f'<h2 id="rule">The rule: {escape(rule.name)}</h2><dl class="soft">{lines}</dl>'


def _chart(shown: Shown) -> str:
    if not shown.chart:
        return ""
    path = escape(shown.chart, quote=True)
    dark = f'<source media="(prefers-color-scheme: dark)" srcset="{path}?theme=dark">'
    return f'<picture>{dark}<img src="{path}" width="800" height="450" alt="Chart: {escape(shown.incident.sentence)}"></picture>'


def _steps(incident: Incident) -> list[Step]:
    """Newest first; what was sent to whom is of no use to who looks after it."""
    told = [step for step in incident.timeline if step.kind not in ("notified", "not_notified")]
    return list(reversed(told[-MOST_STEPS:]))


def _step(step: Step, zone: str) -> str:
    by = f' <span class="soft">({escape(who(step.by))})</span>' if step.by else ""
    return f"<li>{_instant(step.at, zone)}{escape(step.sentence)}{by}</li>"


def _instant(at: datetime, zone: str) -> str:
    return f'<time datetime="{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}">{escape(_plain(at, zone))}</time>'


def _plain(at: datetime, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {zone}"
