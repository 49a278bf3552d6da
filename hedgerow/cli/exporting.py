"""Writing what the server has as `hedgerow.yaml`. A variable's name stands where each secret belongs."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from hedgerow.cli.calls import in_path
from hedgerow.cli.stops import FAILED, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown

SCHEMA = "# yaml-language-server: $schema=hedgerow.schema.json   (hedgerow schema > hedgerow.schema.json)\n"
NOT_STATED = ("version", "default", "updated_at")
RULE_FIELDS = ("name", "series", "condition", "policy", "severity", "channels", "enabled")


def export(server: Server) -> Shown:
    """The document."""
    channels = server.pages("/v1/channels")
    names = {each["id"]: each["name"] for each in channels}
    default = server.get("/v1/tenants/mine/default-channel")["channel"]
    document: Shown = {"version": 1}
    if channels:
        variables = _variables(channels)
        document["channels"] = {each["name"]: _channel(each, variables[each["id"]]) for each in channels}
    if default:
        document["default_channel"] = default["name"]
    document["connections"] = {}
    for each in server.pages("/v1/connections"):
        if each["state"] in {"disconnecting", "disconnected"}:
            continue
        if each["name"] in document["connections"]:
            raise Stop(
                FAILED,
                f"Two connections are named {each['name']!r}, and a file knows them by their names.",
                hint=f"Give one another name first: hedgerow connections rename {each['id']} NAME",
            )
        document["connections"][each["name"]] = _connection(server, each, names)
    return document


def text_of(document: Shown) -> str:
    """The document as YAML."""
    import yaml

    return SCHEMA + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)


def _variables(channels: list[Shown]) -> dict[str, str]:
    """A variable's name for each channel's secret, no two the same: one channel must never get another's address."""
    made = {each["id"]: re.sub(r"[^A-Z0-9]+", "_", each["name"].upper()).strip("_") for each in channels}
    counts = Counter(made.values())
    return {
        id: "HEDGEROW_CHANNEL_" + (name if name and counts[name] == 1 else f"{name}_{id[-6:].upper()}".strip("_"))
        for id, name in made.items()
    }


def _channel(channel: Shown, variable: str) -> Shown:
    secret = "token" if channel["slack_channel"] else "url"
    told: Shown = {"kind": channel["kind"], secret: {"env": variable}}
    for name in ("slack_channel", "weekly_budget"):
        if channel[name] is not None:
            told[name] = channel[name]
    return told


def _connection(server: Server, connection: Shown, names: dict[str, str]) -> Shown:
    told: Shown = {"id": connection["id"]}
    if connection["events"]:
        told["events"] = list(connection["events"])
    rules = server.get(f"/v1/connections/{in_path(connection['id'])}/rules")["items"]
    told["rules"] = [_rule(each, names) for each in rules if each["template"] != "health"]
    catalog = server.get(f"/v1/connections/{in_path(connection['id'])}/catalog")
    if not catalog["default"]:
        told["catalog"] = {name: part for name, part in catalog.items() if name not in NOT_STATED}
    return told


def _rule(rule: Shown, names: dict[str, str]) -> Shown:
    told = {name: _lean(rule[name]) for name in RULE_FIELDS}
    told["channels"] = [names.get(each, each) for each in rule["channels"]]
    if told["enabled"]:
        del told["enabled"]
    return {name: value for name, value in told.items() if value not in ([], {})}


def _lean(value: object) -> object:
    """Without what is not said."""
    if isinstance(value, dict):
        return {name: _lean(each) for name, each in value.items() if each is not None and each != []}
    return [_lean(each) for each in value] if isinstance(value, list) else value
