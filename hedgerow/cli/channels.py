"""`hedgerow channels`: where people are told. A chat's webhook address is a secret: asked for, never an argument."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path, tenant_server
from hedgerow.cli.environment import environment
from hedgerow.cli.options import JsonOption, VerbByDefault
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown


class ListByDefault(VerbByDefault):
    """`channels` is `channels list`."""

    verb = "list"


channels = typer.Typer(
    cls=ListByDefault, help="Slack, Discord, Teams, Google Chat, webhooks. Without a verb, the list."
)
ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name or id.")]


@channels.command("list")
def list_channels(as_json: JsonOption = False) -> None:
    """Every channel, and whether it works."""
    server = tenant_server()
    items = server.pages("/v1/channels")
    if as_json:
        return screen.say_json({"items": items, "next_cursor": None})
    if not items:
        screen.say("No channel yet. → hedgerow channels add NAME")
        return None
    made = screen.table("channel", "kind", "where", "state", "id", fluid=("state",))
    for each in items:
        state = f"off: {each['trouble']['detail']}" if each["disabled_at"] else "on"
        screen.row(made, each["name"], each["kind"], each["shown"], state, each["id"])
    return screen.show(made)


@channels.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    slack_channel: Annotated[
        str | None, typer.Option(metavar="ID", help="With a Slack bot token: the room's id, such as C0123456789.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="slack, discord, teams, google_chat or webhook, where the address does not tell: a stand-in, a proxy.",
        ),
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Rules without channels of their own tell here.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a channel: its webhook address comes from HEDGEROW_CHANNEL_URL, standard input or a prompt.

    Slack, Discord, Teams and Google Chat are known by their address; any other https:// address
    gets signed JSON. For threads and edits in Slack give a bot token (xoxb-…) instead.
    """
    secret = _secret()
    wanted: Shown = {"name": name, **({"kind": kind} if kind else {})}
    if secret.startswith("xox"):
        if slack_channel is None:
            raise Stop(USAGE, "A bot token needs the room.", hint="For example: --slack-channel C0123456789")
        wanted |= {"kind": "slack", "token": secret, "slack_channel": slack_channel}
    else:
        wanted["url"] = secret
    server = tenant_server()
    made = server.post("/v1/channels", wanted)
    if default:
        server.put("/v1/tenants/mine/default-channel", {"channel": made["id"]})
    if as_json:
        return screen.say_json(made)
    screen.say(f"{made['name']} is {made['id']}: {made['kind']} at {made['shown']}.")
    if made.get("secret"):
        screen.say(f"It signs with {made['secret']} (shown this once).")
    screen.say(f"→ hedgerow channels test {made['name']!r}")
    return None


@channels.command("test")
def send_test(channel: ChannelArgument, as_json: JsonOption = False) -> None:
    """Send a test message now, and say what the service answered."""
    server = tenant_server()
    told = server.post(f"/v1/channels/{_id(server, channel)}/test")
    if as_json:
        screen.say_json(told)
    else:
        screen.say(told["detail"])
        if told.get("hint"):
            screen.say(f"→ {told['hint']}")
    if not told["ok"]:
        raise Stop(FAILED, "")


@channels.command("default")
def default(channel: ChannelArgument, as_json: JsonOption = False) -> None:
    """Make it the one where rules without channels of their own tell."""
    server = tenant_server()
    told = server.put("/v1/tenants/mine/default-channel", {"channel": _id(server, channel)})
    if as_json:
        return screen.say_json(told)
    screen.say("Rules without channels of their own tell there from now on.")
    return None


@channels.command("enable")
def enable(channel: ChannelArgument, as_json: JsonOption = False) -> None:
    """Switch a channel on again that its service had refused."""
    server = tenant_server()
    told = server.patch(f"/v1/channels/{_id(server, channel)}", {"enabled": True})
    if as_json:
        return screen.say_json(told)
    screen.say(f"{told['name']} is on.")
    return None


@channels.command("change")
def change(
    channel: ChannelArgument,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call it from now on.")] = None,
    address: Annotated[
        bool, typer.Option("--address", help="Give another address or bot token; it is asked for, as by `add`.")
    ] = False,
    weekly_budget: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="Messages a week before a digest; 0: no budget.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Another name, address or budget. A new address switches it on again."""
    wanted: Shown = {"name": name} if name else {}
    if weekly_budget is not None:
        wanted["weekly_budget"] = weekly_budget or None
    if address:
        secret = _secret()
        wanted["token" if secret.startswith("xox") else "url"] = secret
    if not wanted:
        raise Stop(USAGE, "Nothing was named to change.", hint="For example: hedgerow channels change team --address")
    server = tenant_server()
    told = server.patch(f"/v1/channels/{_id(server, channel)}", wanted)
    if as_json:
        return screen.say_json(told)
    screen.say(
        f"{told['name']} is {told['id']}: {told['kind']} at {told['shown']}, {'on' if told['enabled'] else 'off'}."
    )
    return None


@channels.command("remove")
def remove(channel: ChannelArgument) -> None:
    """Take a channel away, and destroy its address."""
    server = tenant_server()
    server.delete(f"/v1/channels/{_id(server, channel)}")
    screen.say("Removed.")


def _id(server: Server, channel: str) -> str:
    if channel.startswith("chn_"):
        return in_path(channel)
    named = [each for each in server.pages("/v1/channels") if each["name"] == channel]
    if not named:
        raise Stop(USAGE, f"There is no channel {channel!r}.", hint="`hedgerow channels` lists them.")
    return in_path(str(named[0]["id"]))


def _secret() -> str:
    """A webhook's address or a bot token: from the environment, standard input, or asked for."""
    found = environment().channel_url
    if not found and not sys.stdin.isatty():
        found = sys.stdin.readline(8_192).strip()
    if not found and sys.stdin.isatty():
        from getpass import getpass

        found = getpass("Webhook address, or Slack bot token: ", stream=sys.stderr).strip()
    if not found:
        raise Stop(
            USAGE,
            "No address was given.",
            hint="Set HEDGEROW_CHANNEL_URL, pipe it in, or type it when asked. It is a secret: who has it may post.",
        )
    return found
