"""What a file states against what the server has: the differences, in order of applying. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from functions.alerts.spec import RuleForm
    from hedgerow.cli.calls import Shown
    from hedgerow.cli.stated import StatedChannel

Sign = Literal["+", "~", "-"]
Thing = Literal["channel", "default channel", "connection", "rule", "catalog"]
JUDGED = ("series", "condition", "policy", "severity", "channels", "enabled")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing to add (+), change (~) or remove (-). `changes` are lines of `field: before → after`.

    `is_stray`: on the server and not in the file; it goes only where that was asked for.
    `id` is the thing's on the server; `owner` the connection it belongs to.
    """

    sign: Sign
    thing: Thing
    name: str
    changes: tuple[str, ...] = ()
    id: str = ""
    owner: str = ""
    is_stray: bool = False
    wanted: Mapping[str, Any] = field(default_factory=dict)

    def title(self, owner_name: str = "") -> str:
        """The line that names it."""
        of = f" of {owner_name}" if owner_name else ""
        note = ", not in the file" if self.is_stray else ""
        return f"{self.sign} {self.thing} {self.name}{of}{note}"


def channels(
    stated: Mapping[str, StatedChannel], there: Sequence[Shown], has_same_secret: Mapping[str, bool]
) -> list[Difference]:
    """Channels by name. `has_same_secret`: does the server hold what the file's reference leads to?"""
    held = {each["name"]: each for each in there}
    found = []
    for name, wanted in stated.items():
        one = held.get(name)
        if one is None:
            found.append(Difference("+", "channel", name))
            continue
        changes = []
        if not has_same_secret.get(name, True):
            changes.append("address: another one")
        if wanted.weekly_budget != one["weekly_budget"]:
            changes.append(_moved("weekly_budget", one["weekly_budget"], wanted.weekly_budget))
        if wanted.kind is not None and wanted.kind != one["kind"]:
            changes.append(_moved("kind", one["kind"], wanted.kind))
        if wanted.slack_channel != one["slack_channel"]:
            changes.append(_moved("slack_channel", one["slack_channel"], wanted.slack_channel))
        if one["disabled_at"]:
            changes.append("enabled: false → true")
        if changes:
            found.append(Difference("~", "channel", name, tuple(changes), one["id"]))
    strays = [one for name, one in held.items() if name not in stated]
    return found + [Difference("-", "channel", one["name"], (), one["id"], is_stray=True) for one in strays]


def rules(
    connection_id: str, stated: Sequence[RuleForm], there: Sequence[Shown], channel_names: Mapping[str, str]
) -> list[Difference]:
    """A connection's rules by name. `channel_names`: id to name, as the file speaks of them."""
    held = {each["name"]: each for each in there}
    found = []
    for form in stated:
        wanted = form.model_dump(mode="json")
        one = held.get(form.name)
        if one is None:
            found.append(Difference("+", "rule", form.name, owner=connection_id, wanted=wanted))
            continue
        before = {name: one[name] for name in JUDGED}
        before["channels"] = sorted(channel_names.get(each, each) for each in one["channels"])
        after = {name: wanted[name] for name in JUDGED}
        after["channels"] = sorted(channel_names.get(each, each) for each in wanted["channels"])
        changes = tuple(_changes(before, after))
        if changes:
            found.append(Difference("~", "rule", form.name, changes, one["id"], connection_id, wanted=wanted))
    names = {form.name for form in stated}
    return found + [
        Difference("-", "rule", one["name"], (), one["id"], connection_id, is_stray=True)
        for one in there
        # The rule every connection has from the start needs no line in a file.
        if one["name"] not in names and one["template"] != "health"
    ]


def connection(there: Shown, name: str, events: Sequence[str] | None) -> list[Difference]:
    """Its name and pinned events."""
    wanted: dict[str, Any] = {}
    changes = []
    if there["name"] != name:
        wanted["name"] = name
        changes.append(_moved("name", there["name"], name))
    if events is not None and sorted(events) != sorted(there["events"]):
        wanted["events"] = list(events)
        changes.append(_moved("events", there["events"], list(events)))
    return [Difference("~", "connection", name, tuple(changes), there["id"], wanted=wanted)] if changes else []


def tree(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Two JSON objects' differences, a line each."""
    return tuple(_changes(before, after))


def _changes(before: Any, after: Any, path: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            line
            for name in sorted({*before, *after})
            for line in _changes(before.get(name), after.get(name), f"{path}.{name}" if path else name)
        ]
    return [] if before == after else [_moved(path, before, after)]


def _moved(path: str, before: object, after: object) -> str:
    return f"{path}: {_shown(before)} → {_shown(after)}"


def _shown(value: object) -> str:
    text = "nothing" if value in (None, [], {}) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
