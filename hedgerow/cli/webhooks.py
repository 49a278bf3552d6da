"""`hedgerow webhooks` and `hedgerow activity`: what happened, told to the product around Hedgerow and read by people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path, tenant_server
from hedgerow.cli.options import JsonOption, VerbByDefault
from hedgerow.cli.stops import FAILED, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown

NEWEST = 50


class ListByDefault(VerbByDefault):
    """`webhooks` is `webhooks list`."""

    verb = "list"


webhooks = typer.Typer(
    cls=ListByDefault,
    help="Tell another program what happens.\n\nSigned by Standard Webhooks. Without a verb, the list.",
)
WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id, whk_….")]


@webhooks.command("list")
def list_webhooks(as_json: JsonOption = False) -> None:
    """Every webhook, and whether it works."""
    items = tenant_server().get("/v1/webhooks")["items"]
    if as_json:
        return screen.say_json({"items": items, "next_cursor": None})
    if not items:
        screen.say("No webhook yet. → hedgerow webhooks add https://…")
        return None
    made = screen.table("webhook", "where", "kinds", "state", fluid=("kinds", "state"))
    for each in items:
        state = f"off: {each['trouble']['detail']}" if each["disabled_at"] else "on"
        screen.row(made, each["id"], each["shown"], ", ".join(each["kinds"]) or "all", state)
    return screen.show(made)


@webhooks.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to post, https://….")],
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Such as incident.opened; repeat it. Without it, all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a webhook; its signing secret is shown once."""
    made = tenant_server().post("/v1/webhooks", {"url": url, "kinds": kind or []})
    if as_json:
        return screen.say_json(made)
    return _say_secret(made)


@webhooks.command("rotate")
def rotate(webhook: WebhookArgument, as_json: JsonOption = False) -> None:
    """A new signing secret; the old one signs beside it for a day."""
    made = tenant_server().post(f"/v1/webhooks/{in_path(webhook, 'whk')}/rotate")
    if as_json:
        return screen.say_json(made)
    return _say_secret(made)


@webhooks.command("test")
def send_test(webhook: WebhookArgument, as_json: JsonOption = False) -> None:
    """Post a test now, and say what was answered."""
    told = tenant_server().post(f"/v1/webhooks/{in_path(webhook, 'whk')}/test")
    if as_json:
        screen.say_json(told)
    else:
        screen.say(" → ".join(part for part in (told["detail"], told.get("hint")) if part))
    if not told["ok"]:
        raise Stop(FAILED, "")


@webhooks.command("replay")
def replay(
    webhook: WebhookArgument,
    since: Annotated[str, typer.Option(metavar="INSTANT", help="Everything from there on, ISO 8601.")],
    as_json: JsonOption = False,
) -> None:
    """Post again what happened since, under the same ids: who has seen one knows it."""
    told = tenant_server().post(f"/v1/webhooks/{in_path(webhook, 'whk')}/replay", {"since": since})
    screen.say_json(told) if as_json else screen.say("On its way again.")


@webhooks.command("remove")
def remove(webhook: WebhookArgument) -> None:
    """Take a webhook away."""
    tenant_server().delete(f"/v1/webhooks/{in_path(webhook, 'whk')}")
    screen.say("Removed.")


def activity(
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only these, such as run.failed.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What happened lately.

    To connections, runs, numbers and incidents: the newest 50 of the last 90 days, oldest first.
    """
    items = _everything(tenant_server(), kind)[-NEWEST:]
    if as_json:
        return screen.say_json({"items": items, "next_cursor": None})
    if not items:
        screen.say("Nothing yet. An entry shows ten seconds after it happened.")
        return None
    made = screen.table("when (UTC)", "what", "of", "", fluid=("",))
    for each in items:
        told = ", ".join(f"{name} {_short(value)}" for name, value in each["data"].items() if value is not None)
        screen.row(made, screen.instant(each["at"]), each["type"], each["connection_id"], told)
    return screen.show(made)


def _everything(server: Server, kind: str | None) -> list[Shown]:
    items: list[Shown] = []
    cursor: str | None = None
    while True:
        page = server.get("/v1/activity", kind=kind, limit=1000, cursor=cursor)
        items += page["items"]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            return items


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _say_secret(made: Shown) -> None:
    screen.say(f"{made['id']} posts to {made['shown']}.")
    screen.say(f"It signs with {made['secret']} (shown this once).")
    screen.say(f"→ hedgerow webhooks test {made['id']}")
