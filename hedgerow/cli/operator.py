"""What the operator of an installation does, with the admin key: ticks and tenants."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import admin_server, in_path, tier_in_path
from hedgerow.cli.following import until
from hedgerow.cli.options import JsonOption, YesOption
from hedgerow.cli.questions import confirm
from hedgerow.cli.receipts import show_receipt
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


class OnOff(StrEnum):
    """A switch."""

    ON = "on"
    OFF = "off"


tenants = typer.Typer()
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id, ten_….")]
TierOption = Annotated[str | None, typer.Option(metavar="TIER", help="starter, basic, pro or scale.")]


def tick(
    tier: Annotated[str, typer.Argument(metavar="TIER", help="starter, basic, pro or scale.")],
    as_json: JsonOption = False,
) -> None:
    """Publish the syncs of a tier that are due.

    Cloud Scheduler, and `hedgerow dev`, do this every five minutes.
    """
    ticked = admin_server().post(f"/v1/ticks/{tier_in_path(tier)}")
    if as_json:
        screen.say_json(ticked)
    else:
        screen.say(f"Tier {ticked['tier']}: {ticked['due']} connection(s) due and published.")


@tenants.callback(invoke_without_command=True)
def tenants_begin(context: typer.Context, as_json: JsonOption = False) -> None:
    """List tenants; manage them and their keys.

    The operator's, with HEDGEROW_ADMIN_KEY. Without a verb, the list.
    """
    if context.invoked_subcommand is None:
        list_tenants(as_json=as_json)
    elif as_json:
        raise Stop(USAGE, "--json belongs after the verb.", hint="For example: hedgerow tenants list --json")


@tenants.command("list")
def list_tenants(as_json: JsonOption = False) -> None:
    """Every tenant, newest first."""
    items = admin_server().pages("/v1/tenants")
    if as_json:
        return screen.say_json({"items": items, "next_cursor": None})
    made = screen.table("tenant", "name", "tier", "syncs", "since", fluid=("name",), spare=("since",))
    for each in items:
        syncs = "on" if each.get("activity_tracking", True) else "off"
        screen.row(made, each["id"], each["name"], each["tier"], syncs, screen.instant(each.get("created_at")))
    return screen.show(made)


@tenants.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the tenant.")],
    tier: Annotated[str, typer.Option(metavar="TIER", help="starter, basic, pro or scale.")] = "pro",
    as_json: JsonOption = False,
) -> None:
    """Make a tenant; its first key, role write, is printed once."""
    tenant = admin_server().post("/v1/tenants", {"name": name, "tier": tier})
    if as_json:
        return screen.say_json(tenant)
    screen.say(f"Tenant {tenant['name']} ({tenant['id']}) on tier {tenant['tier']}. Its key, shown this once:")
    return screen.say(f"HEDGEROW_API_KEY={tenant['api_key']}")


@tenants.command("show")
def show_tenant(tenant: TenantArgument, as_json: JsonOption = False) -> None:
    """One tenant."""
    _show(admin_server().get(f"/v1/tenants/{in_path(tenant, 'ten')}"), as_json=as_json)


@tenants.command("update")
def update_tenant(
    tenant: TenantArgument,
    tier: TierOption = None,
    activity_tracking: Annotated[
        OnOff | None, typer.Option(metavar="on|off", help="Off: no syncs, no queries.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change the tier; turn syncing off and on.

    Both take effect at once.
    """
    asked = {"tier": tier, "activity_tracking": None if activity_tracking is None else activity_tracking is OnOff.ON}
    wanted = {name: value for name, value in asked.items() if value is not None}
    if not wanted:
        raise Stop(USAGE, "Nothing to change.", hint="Say --tier TIER, or --activity-tracking on or off.")
    _show(admin_server().patch(f"/v1/tenants/{in_path(tenant, 'ten')}", wanted), as_json=as_json)


@tenants.command("keys")
def tenant_keys(tenant: TenantArgument, as_json: JsonOption = False) -> None:
    """A tenant's keys: label, role, last use. The keys themselves are kept hashed."""
    items = admin_server().pages(f"/v1/tenants/{in_path(tenant, 'ten')}/keys")
    if as_json:
        return screen.say_json({"items": items, "next_cursor": None})
    made = screen.table("key", "label", "role", "made", "last used", fluid=("label",), spare=("made",))
    for each in items:
        used = screen.instant(each.get("last_used_at")) or "never"
        screen.row(made, each["id"], each["label"], each["role"], screen.instant(each.get("created_at")), used)
    return screen.show(made)


@tenants.command("add-key")
def add_key(
    tenant: TenantArgument,
    label: Annotated[str, typer.Option(metavar="LABEL", help="What the key is for.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="read, write or capture.")] = "read",
    as_json: JsonOption = False,
) -> None:
    """Make another key; it is printed once."""
    key = admin_server().post(f"/v1/tenants/{in_path(tenant, 'ten')}/keys", {"label": label, "role": role})
    if as_json:
        return screen.say_json(key)
    screen.say(f"Key {key['id']} ({key['label']}, {key['role']}), shown this once:")
    return screen.say(f"HEDGEROW_API_KEY={key['api_key']}")


@tenants.command("revoke-key")
def revoke_key(
    tenant: TenantArgument, key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_….")]
) -> None:
    """Revoke a key at once."""
    admin_server().delete(f"/v1/tenants/{in_path(tenant, 'ten')}/keys/{in_path(key, 'key')}")
    screen.say(f"Key {key} is revoked.")


@tenants.command("delete")
def delete_tenant(tenant: TenantArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Disconnect and purge everything of a tenant.

    Its keys included; ends in one receipt.
    """
    if not yes:
        confirm(f"Disconnect and purge everything of {in_path(tenant, 'ten')}?")
    server = admin_server()
    ending = until(
        lambda: server.delete(f"/v1/tenants/{in_path(tenant, 'ten')}"), lambda answer: answer.get("state") == "deleted"
    )
    if as_json:
        return screen.say_json(ending)
    screen.say(f"Tenant {tenant} is {ending['state']}.")
    return show_receipt(ending)


def _show(tenant: Shown, *, as_json: bool) -> None:
    if as_json:
        return screen.say_json(tenant)
    syncs = "syncs" if tenant.get("activity_tracking", True) else "does not sync: activity tracking is off"
    return screen.say(f"Tenant {tenant['name']} ({tenant['id']}), tier {tenant['tier']}, {syncs}.")
