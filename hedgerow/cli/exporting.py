"""Writing what the server has as `hedgerow.yaml`. A variable's name stands where each secret belongs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hedgerow.cli.calls import in_path

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
        document["channels"] = {each["name"]: _channel(each) for each in channels}
    if default:
        document["default_channel"] = default["name"]
    document["connections"] = {
        each["name"]: _connection(server, each, names)
        for each in server.pages("/v1/connections")
        if each["state"] not in {"disconnecting", "disconnected"}
    }
    return document


def text_of(document: Shown) -> str:
    """The document as YAML."""
    import yaml

    return SCHEMA + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)


def _channel(channel: Shown) -> Shown:
    variable = "HEDGEROW_CHANNEL_" + re.sub(r"[^A-Z0-9]+", "_", channel["name"].upper()).strip("_")
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
