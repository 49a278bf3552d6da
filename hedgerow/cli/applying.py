"""Planning what a file asks for, and carrying it out: channels first, because rules name them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from functions.alerts.rules import forms
from functions.alerts.spec import RuleForm
from functions.capture.catalogue import catalog_shape
from hedgerow.cli import differing, stated
from hedgerow.cli.calls import in_path
from hedgerow.cli.catalog_files import read_catalog
from hedgerow.cli.differing import Difference
from hedgerow.cli.stops import FAILED, Stop
from hedgerow.errors import RefusedError

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown
    from hedgerow.cli.stated import Stated, StatedChannel, StatedConnection


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order; what is on the server beside it; connections' names by id; the file's own statement."""

    doing: tuple[Difference, ...]
    strays: tuple[Difference, ...]
    names: dict[str, str]
    stated: Stated
    folder: Path
    remarks: tuple[str, ...] = ()


def plan(server: Server, file: Path, *, prune: bool) -> Plan:
    """How the server differs from the file."""
    wanted = stated.read(file)
    there = server.pages("/v1/channels") if wanted.channels or wanted.connections else []
    names = {each["id"]: each["name"] for each in there}
    secrets = _secrets(wanted, there, file.parent)
    found = differing.channels(wanted.channels, there, _same_secrets(server, secrets, there))
    if not wanted.channels:
        found = []
    found += _default_channel(server, wanted)
    connections = {}
    every = [each for each in server.pages("/v1/connections") if each["state"] not in {"disconnecting", "disconnected"}]
    for name, one in wanted.connections.items():
        connection = _connection(every, name, one)
        connections[connection["id"]] = name
        found += differing.connection(connection, name, one.events)
        if one.rules is not None:
            held = server.get(f"/v1/connections/{in_path(connection['id'])}/rules")["items"]
            found += differing.rules(connection["id"], _forms(name, one), held, names)
        if one.catalog is not None:
            found += _catalog(server, connection, name, one, file.parent)
    doing = tuple(each for each in found if prune or not each.is_stray)
    strays = tuple(each for each in found if each.is_stray and not prune)
    left = tuple(
        f"{stated.place_of(one.url or one.token)} is not set: the address of channel {name} stays as it is."
        for name, one in wanted.channels.items()
        if secrets[name] is None
    )
    return Plan(doing, strays, connections, wanted, file.parent, left)


def carry_out(server: Server, made: Plan) -> Iterator[str]:
    """Do it, a line for each thing done. Stops at the first refusal; applied again, it goes on from there."""
    for each in sorted(made.doing, key=_order):
        match each.thing:
            case "channel":
                _apply_channel(server, made, each)
            case "default channel":
                server.put("/v1/tenants/mine/default-channel", {"channel": each.name})
            case "connection":
                server.patch(f"/v1/connections/{in_path(each.id)}", dict(each.wanted))
            case "rule":
                _apply_rule(server, each)
            case "catalog":
                server.put(f"/v1/connections/{in_path(each.id)}/catalog", dict(each.wanted))
        yield f"{each.title(made.names.get(each.owner, ''))}: done"


def _order(each: Difference) -> tuple[bool, int]:
    # What rules name must be there before them, and may only go after them.
    things = ("channel", "default channel", "connection", "catalog", "rule")
    place = things.index(each.thing)
    return (each.sign == "-", -place if each.sign == "-" else place)


def _apply_channel(server: Server, made: Plan, each: Difference) -> None:
    if each.sign == "-":
        server.delete(f"/v1/channels/{in_path(each.id)}")
        return
    wanted = made.stated.channels[each.name]
    given = (_secret_fields(wanted, made.folder) or {}) | {"weekly_budget": wanted.weekly_budget}
    if wanted.kind is not None and "url" in given:
        given["kind"] = wanted.kind
    if wanted.slack_channel is not None:
        given["slack_channel"] = wanted.slack_channel
    if each.sign == "+":
        beside = {"name": each.name, "kind": wanted.kind, "slack_channel": wanted.slack_channel}
        body = {name: value for name, value in (beside | given).items() if value is not None}
        server.post("/v1/channels", body)
        return
    server.patch(f"/v1/channels/{in_path(each.id)}", given | {"enabled": True})


def _apply_rule(server: Server, each: Difference) -> None:
    rules = f"/v1/connections/{in_path(each.owner)}/rules"
    if each.sign == "-":
        server.delete(f"{rules}/{in_path(each.id)}")
    elif each.sign == "+":
        server.post(rules, dict(each.wanted))
    else:
        server.put(f"{rules}/{in_path(each.id)}", dict(each.wanted))


def _secret_fields(wanted: StatedChannel, folder: Path, *, may_lack: bool = True) -> Shown | None:
    """What the channel's reference leads to; None where it may lead nowhere and does."""
    name, reference = ("url", wanted.url) if wanted.url is not None else ("token", wanted.token)
    if reference is None or (may_lack and not stated.is_there(reference, folder)):
        return None
    return {name: stated.secret(reference, folder)}


def _secrets(wanted: Stated, there: list[Shown], folder: Path) -> dict[str, Shown | None]:
    """Every channel's secret. A new channel's must be there before anything is done; another's address may stay."""
    held = {each["name"] for each in there}
    return {name: _secret_fields(one, folder, may_lack=name in held) for name, one in wanted.channels.items()}


def _same_secrets(server: Server, secrets: Mapping[str, Shown | None], there: list[Shown]) -> dict[str, bool]:
    """Asks the server, which alone may know, whether it holds what the file's references lead to."""
    held = {each["name"]: each["id"] for each in there}
    return {
        name: bool(server.post(f"/v1/channels/{in_path(held[name])}/same", secret)["same"])
        for name, secret in secrets.items()
        if name in held and secret is not None
    }


def _default_channel(server: Server, wanted: Stated) -> list[Difference]:
    if wanted.default_channel is None:
        return []
    now = server.get("/v1/tenants/mine/default-channel")["channel"]
    before = now["name"] if now else None
    if before == wanted.default_channel:
        return []
    sign: differing.Sign = "~" if before else "+"
    return [
        Difference(sign, "default channel", wanted.default_channel, (f"{before or 'none'} → it",) if before else ())
    ]


def _connection(every: list[Shown], name: str, one: StatedConnection) -> Shown:
    found = [each for each in every if (each["id"] == one.id if one.id else each["name"] == name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Stop(FAILED, f"There are {len(found)} connections named {name!r}.", hint="Say which by its `id`.")
    told = f"with the id {one.id}" if one.id else f"named {name!r}"
    raise Stop(
        FAILED,
        f"There is no connection {told}.",
        hint="Connect it first: hedgerow connect. A file holds no keys, so it cannot.",
    )


def _forms(name: str, one: StatedConnection) -> list[RuleForm]:
    """The rules as forms, templates carried out."""
    made = []
    for number, each in enumerate(one.rules or (), start=1):
        try:
            made.append(each if isinstance(each, RuleForm) else forms.read(each.model_dump(exclude_unset=True))[0])
        except RefusedError as refusal:
            raise Stop(FAILED, f"connections.{name}.rules.{number}: {refusal.detail}", hint=refusal.hint) from None
    doubled = {form.name for form in made if sum(other.name == form.name for other in made) > 1}
    if doubled:
        raise Stop(FAILED, f"connections.{name}.rules: two are named {min(doubled)!r}.", hint="Give each its `name`.")
    return made


def _catalog(server: Server, connection: Shown, name: str, one: StatedConnection, folder: Path) -> list[Difference]:
    there = server.get(f"/v1/connections/{in_path(connection['id'])}/catalog")
    if isinstance(one.catalog, str):
        wanted = catalog_shape.document_of(read_catalog(folder / one.catalog))
    else:
        wanted = json.loads(one.catalog.model_dump_json()) if one.catalog else {}
    told = ("version", *catalog_shape.TOLD)
    before = _by_event({key: value for key, value in _normal(there).items() if key not in told})
    after = _by_event({key: value for key, value in _normal(wanted).items() if key not in told})
    changes = differing.tree(before, after)
    if not changes:
        return []
    body = {key: value for key, value in wanted.items() if key not in told} | {"version": there["version"]}
    return [Difference("~", "catalog", name, changes, connection["id"], wanted=body)]


def _normal(document: Shown) -> Shown:
    """A catalogue with every field it may have, so that what is left out equals what it is otherwise."""
    told = {key: value for key, value in document.items() if key not in catalog_shape.TOLD}
    normal: Shown = catalog_shape.read(told).model_dump(mode="json")
    return normal


def _by_event(document: Shown) -> Shown:
    return {**document, "events": {each["name"]: each for each in document.get("events", [])}}
