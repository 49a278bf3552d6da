"""`hedgerow dead`: messages that nobody could deliver: look at them, publish them again, drop them.

In process, with the operator's own rights: no server needs to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.in_process import DataOption, run
from hedgerow.cli.options import JsonOption, VerbByDefault, YesOption
from hedgerow.cli.questions import confirm
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.cli.calls import Shown
    from hedgerow.cli.operations.dead.redelivering import Redelivery
    from hedgerow.dead_letters import DeadMessage

BODY_BYTES = 10_000_000
"""Pub/Sub takes no larger message."""


class ListByDefault(VerbByDefault):
    """`dead` is `dead list`."""

    verb = "list"


dead = typer.Typer(cls=ListByDefault, help="Messages that nobody could deliver. Without a verb, the list.")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The dead message's id, dead_….")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Dead messages, dead_….")]
TopicOption = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Only this topic, such as sync-requested.")
]


@dead.command("list")
def list_dead(
    topic: TopicOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many, 1 to 1000.")] = 50,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """The newest ones: what each was, since when, and why it died."""
    from hedgerow.cli.operations.dead import letters

    found, more = run(data, lambda app: letters.newest(app.store, topic, limit))
    if as_json:
        return screen.say_json({"items": [_shown(each) for each in found], "more": more})
    if not found:
        return screen.say("No dead messages.")
    made = screen.table(
        "dead message",
        "topic",
        "key",
        "state",
        "code",
        "at (UTC)",
        "tries",
        "why",
        right=("tries",),
        fluid=("why", "key"),
    )
    for each in found:
        state = letters.state_of(each)
        tries = "" if each.attempts is None else each.attempts
        at = screen.instant(each.at.isoformat())
        style = None if state == "redelivered" else "red"
        screen.row(made, each.id, each.topic, each.key, state, each.code, at, tries, each.reason, style=style)
    screen.show(made)
    if more:
        screen.say(f"More than {limit}: say --limit or --topic.")
    return screen.say("→ hedgerow dead redeliver ID… once the cause is mended, or hedgerow dead drop ID…")


@dead.command("show")
def show_dead(id: IdArgument, as_json: JsonOption = False, data: DataOption = None) -> None:
    """One of them, whole: body, attributes, trace."""
    from hedgerow.cli.operations.dead import letters

    found = run(data, lambda app: letters.one(app.store, id))
    if as_json:
        return screen.say_json(_shown(found))
    screen.say(f"{found.id} is {letters.state_of(found)}: {found.reason}")
    made = screen.table("what", "it is", has_header=False, fluid=("it is",))
    for name, value in (
        ("code", found.code),
        ("topic", found.topic),
        ("subscription", found.subscription),
        ("key", found.key),
        ("tries", "not said by the queue" if found.attempts is None else str(found.attempts)),
        ("published (UTC)", _at(found.published_at)),
        ("died (UTC)", _at(found.at)),
        ("redelivered (UTC)", _at(found.redelivered_at)),
        ("trace", found.trace or ""),
        *sorted((name, value) for name, value in found.attributes.items() if name not in {"key", "traceparent"}),
    ):
        if value:
            screen.row(made, name, value)
    screen.show(made)
    screen.say(found.body)
    return None


@dead.command("redeliver")
def redeliver(
    ids: IdsArgument = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not redelivered yet.")] = False,
    topic: TopicOption = None,
    body: Annotated[
        Path | None, typer.Option("--body", metavar="FILE", help="Publish this JSON in place of the one dead message.")
    ] = None,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Publish them again, exactly as they were.

    A message is recognised by its key, so that one delivered twice changes nothing.
    """
    from hedgerow.cli.operations.dead import redelivering

    wanted = [*(ids or [])]
    if bool(wanted) == (every or topic is not None):
        raise Stop(USAGE, "Say which: ids, or --all, or --topic TOPIC.")
    if body is not None and len(wanted) != 1:
        raise Stop(USAGE, "--body mends one dead message: name its id.")
    if body is not None:
        text = _text(body)
        done = [run(data, lambda app: redelivering.redeliver_mended(app, wanted[0], text))]
    elif wanted:
        done = run(data, lambda app: redelivering.redeliver(app, wanted))
    else:
        done = run(data, lambda app: redelivering.redeliver_all(app, topic))
    _report(done, as_json=as_json)


@dead.command("drop")
def drop(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Dead messages, dead_….")],
    yes: YesOption = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Forget them: what they asked for is never done."""
    from hedgerow.cli.operations.dead import dropping

    if not yes:
        confirm(f"Drop {screen.counted(len(set(ids)), 'dead message')} for good?")
    done = run(data, lambda app: dropping.drop(app, ids))
    refused = [each for each in done if each.refused]
    if as_json:
        items = [{"id": each.id, "refused": each.refused} for each in done]
        screen.say_json({"dropped": len(done) - len(refused), "refused": len(refused), "items": items})
    else:
        screen.say(f"Dropped {screen.counted(len(done) - len(refused), 'dead message')}.")
        for each in refused:
            screen.warn(f"{each.id}: {each.refused}")
            screen.warn(f"→ {each.hint}")
    if refused:
        raise Stop(FAILED, f"{screen.counted(len(refused), 'dead message')} could not be dropped.")


def _report(done: list[Redelivery], *, as_json: bool) -> None:
    refused = [each for each in done if each.refused]
    if as_json:
        items = [{"id": each.id, "topic": each.topic, "key": each.key, "refused": each.refused} for each in done]
        screen.say_json({"redelivered": len(done) - len(refused), "refused": len(refused), "items": items})
    else:
        screen.say(f"Redelivered {screen.counted(len(done) - len(refused), 'message')}.")
        for each in refused:
            screen.warn(f"{each.id} ({each.topic}): {each.refused}")
            screen.warn(f"→ {each.hint}")
    if refused:
        raise Stop(FAILED, f"{screen.counted(len(refused), 'dead message')} could not be redelivered.")


def _shown(found: DeadMessage) -> Shown:
    from hedgerow.cli.operations.dead import letters

    return {**found.model_dump(mode="json"), "state": letters.state_of(found)}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            read = file.read(BODY_BYTES + 1)
        if len(read) > BODY_BYTES:
            raise Stop(USAGE, f"{path} is larger than a message may be (10 MB).")
        return read.decode()
    except OSError as error:
        raise Stop(USAGE, f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise Stop(USAGE, f"{path} is not UTF-8 text.") from None


def _at(at: datetime | None) -> str:
    return "" if at is None else screen.instant(at.isoformat())
