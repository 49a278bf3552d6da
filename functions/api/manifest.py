"""The manifest read and checked: every target of this installation, or one line that says what is wrong with an entry.

It knows nothing of how a target is called, and imports nothing that a start would notice.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast, get_args

from hedgerow import cron
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from pathlib import Path

Trigger = Literal["http", "schedule", "topic"]
Callers = Literal["public", "api"]

NEEDED = frozenset({"source", "trigger", "memory", "cpu", "timeout", "concurrency"})
KNOWN = NEEDED | {"callers", "max_instances", "paths", "topic", "schedules", "rights"}
OPEN = frozenset({"api", "capture"})
"""Open to everybody at IAM; every other family is reached through `api`."""

LONGEST_SECONDS = {"http": 3600, "schedule": 1800, "topic": 600}
"""A function's own limit; the longest that Cloud Scheduler waits; the longest ack deadline of a subscription."""

_SOURCE = re.compile(r"functions/[a-z][a-z0-9_]*/main\.py")
_MEMORY = re.compile(r"[1-9][0-9]*(?:Mi|Gi)")
_CPU = re.compile(r"0\.[0-9]+|[1-8]")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TOPIC = re.compile(r"[a-z][a-z0-9-]*")
_PATH = re.compile(r"(?:[A-Z]+ )?/v1(?:/[A-Za-z0-9_.{}-]+)*")
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a schedule target is called (five-field cron, UTC), and with what."""

    cron: str
    body: dict[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """One function of the manifest."""

    name: str
    source: str
    trigger: Trigger
    topic: str | None
    schedules: tuple[Schedule, ...]
    paths: tuple[str, ...]
    callers: Callers | None
    """Who may call at IAM: None for what only Cloud Scheduler and Pub/Sub may."""


def read(path: Path) -> dict[str, Target]:
    """Every target by its name. `HedgerowError` with the entry and the remedy for the first that cannot be."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HedgerowError(
            f"There is no {path.name}.", code="bad_manifest", hint="Restore functions/manifest.json, or `make bundle`."
        ) from None
    except ValueError as error:
        _refuse(f"{path.name} is not JSON: {error}")
    except RecursionError:
        _refuse(f"{path.name} is nested too deeply")
    if not isinstance(written, dict) or not written:
        _refuse(f"{path.name} is not a JSON object of targets")
    read = {name: _target(name, entry) for name, entry in written.items()}
    _check_together(read)
    return read


def _target(name: str, entry: Any) -> Target:
    where = f"`{name}` in manifest.json"
    if not _NAME.fullmatch(name):
        _refuse(f"{where} is no name for a function", "Take a small letter, then small letters, digits and _.")
    if not isinstance(entry, dict):
        _refuse(f"{where} is not a JSON object")
    if missing := sorted(NEEDED - entry.keys()):
        _refuse(f"{where} lacks `{missing[0]}`")
    if unknown := sorted(entry.keys() - KNOWN):
        _refuse(f"{where} has `{unknown[0]}`, which is no key of an entry", f"Keys are {', '.join(sorted(KNOWN))}.")
    if not isinstance(entry["source"], str) or not _SOURCE.fullmatch(entry["source"]):
        _refuse(f"{where}: `source` is {entry['source']!r}", "Write functions/FAMILY/main.py.")
    if entry["trigger"] not in get_args(Trigger):
        _refuse(f"{where}: the trigger {entry['trigger']!r} is not known", "Triggers are http, schedule and topic.")
    trigger = cast("Trigger", entry["trigger"])
    _check_sizes(where, trigger, entry)
    _check_trigger(where, trigger, entry)
    _check_callers(where, name, trigger, entry)
    return Target(
        name=name,
        source=entry["source"],
        trigger=trigger,
        topic=entry.get("topic"),
        schedules=tuple(Schedule(each["cron"], each["body"]) for each in entry.get("schedules", ())),
        paths=tuple(entry.get("paths", ())),
        callers=entry.get("callers"),
    )


def _check_sizes(where: str, trigger: Trigger, entry: dict[str, Any]) -> None:
    for key, most in (("timeout", LONGEST_SECONDS[trigger]), ("concurrency", 1000), ("max_instances", 1000)):
        value = entry.get(key, 1)
        if type(value) is not int or not 1 <= value <= most:
            _refuse(f"{where}: `{key}` is {value!r}", f"For trigger {trigger}, a whole number from 1 to {most}.")
    for key, form, example in (("memory", _MEMORY, '"512Mi"'), ("cpu", _CPU, '"1"')):
        if not isinstance(entry[key], str) or not form.fullmatch(entry[key]):
            _refuse(f"{where}: `{key}` is {entry[key]!r}", f"Write it as {example}, in quotes.")
    if entry["concurrency"] > 1 and float(entry["cpu"]) < 1:
        _refuse(
            f"{where}: below one CPU a function takes one request at a time", 'Write "cpu": "1", or "concurrency": 1.'
        )


def _check_trigger(where: str, trigger: Trigger, entry: dict[str, Any]) -> None:
    """Each trigger has its own key, and none another's."""
    own = {"http": "paths", "schedule": "schedules", "topic": "topic"}
    if foreign := [key for each, key in own.items() if each != trigger and key in entry]:
        _refuse(f"{where}: `{foreign[0]}` does not belong to trigger {trigger}")
    if wrong := [key for key in ("paths", "schedules") if not isinstance(entry.get(key, []), list)]:
        _refuse(f"{where}: `{wrong[0]}` is not a list")
    if trigger == "topic" and not _TOPIC.fullmatch(str(entry.get("topic", ""))):
        _refuse(f"{where} has no `topic`", 'Name the message\'s topic, such as "topic": "run-ended".')
    if trigger == "schedule" and not entry.get("schedules"):
        _refuse(f"{where} has no `schedules`", 'For example "schedules": [{"cron": "*/5 * * * *", "body": {}}].')
    for schedule in entry.get("schedules", ()):
        _check_schedule(where, schedule)
    for path in entry.get("paths", ()):
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            _refuse(f"{where}: the path {path!r} is none", "Write /v1/… or DELETE /v1/…, with {names} for ids.")


def _check_schedule(where: str, schedule: Any) -> None:
    if not isinstance(schedule, dict) or schedule.keys() != {"cron", "body"}:
        _refuse(f"{where}: a schedule is not an object of `cron` and `body`")
    if not isinstance(schedule["body"], dict) or not all(isinstance(each, str) for each in schedule["body"].values()):
        _refuse(f"{where}: a schedule's `body` is not an object of strings")
    try:
        cron.matches(str(schedule["cron"]), _SOME_DAY)
    except ValueError as error:
        _refuse(f"{where}: {str(error).rstrip('.')}", "")


def _check_callers(where: str, name: str, trigger: Trigger, entry: dict[str, Any]) -> None:
    callers = entry.get("callers")
    should = None if trigger != "http" else "public" if name in OPEN else "api"
    if callers != should:
        _refuse(
            f"{where}: `callers` is {callers!r}",
            'Write "public" for api and capture, "api" for every other http target, and none for the rest.',
        )


def _check_together(targets: dict[str, Target]) -> None:
    """A topic has one subscriber, a path one family."""
    taken: dict[str, str] = {}
    for target in targets.values():
        for each in (*target.paths, *([target.topic] if target.topic else [])):
            if each in taken:
                _refuse(f"`{each}` belongs to both `{taken[each]}` and `{target.name}` in manifest.json")
            taken[each] = target.name


def _refuse(what: str, hint: str = "Mend the entry in functions/manifest.json.") -> NoReturn:
    raise HedgerowError(f"{what}.", code="bad_manifest", hint=hint)
