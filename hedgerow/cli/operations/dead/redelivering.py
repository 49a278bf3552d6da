"""Publishing dead messages again, exactly as they were, or mended.

Begun by the store: the record says that it is being published, then it is published,
then the record says that it was. A death in between leaves `redelivering`: whoever
redelivers it again publishes the same message under the same key, which its target
knows how to take twice. Refuses what today's code could not read or would not keep whole,
and what somebody else took up or dropped in the meantime; the rest goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hedgerow import traces
from hedgerow.cli.operations.dead import letters
from hedgerow.dead_letters import DeadMessage, why
from hedgerow.errors import ConflictError, InvalidError
from hedgerow.messages import Message
from hedgerow.ports import Swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.app import App

AT_ONCE = 50
TAKEN = "Somebody else is redelivering or dropping it."
TAKEN_HINT = "Look at it again: hedgerow dead list."


@dataclass(frozen=True, slots=True)
class Redelivery:
    """One dead message and what became of it: `refused` is empty where it was published again."""

    id: str
    topic: str
    key: str
    refused: str = ""
    hint: str = ""


async def redeliver(app: App, ids: Sequence[str]) -> list[Redelivery]:
    """Publish these again, those that were published again before too. `MissingError` before anything is done."""
    return await _publish_again(app, [await letters.one(app.store, id) for id in dict.fromkeys(ids)])


async def redeliver_all(app: App, topic: str | None = None) -> list[Redelivery]:
    """Publish again whatever waits, of one topic or of all."""
    done: list[Redelivery] = []
    async for page in letters.waiting(app.store, topic):
        done += await _publish_again(app, page)
    return done


async def redeliver_mended(app: App, id: str, body: str) -> Redelivery:
    """Publish another body in place of one that cannot be read; `InvalidError` when it cannot be read either."""
    dead = await letters.one(app.store, id)
    (done,) = await _announce(app, [(dead, message_of(dead.topic, body))])
    return done


def message_of(topic: str, body: str) -> Message:
    """The message of a body, by today's class of its topic; `InvalidError` says why there is none."""
    # Hedgerow's own: a drill sends what is no message of a topic by a class of its own.
    kinds = {kind.topic: kind for kind in Message.__subclasses__() if kind.__module__ == Message.__module__}
    kind = kinds.get(topic)
    if kind is None:
        raise InvalidError(
            f"This release knows no topic {topic}.", hint="Redeliver with the release that published it, or drop it."
        )
    try:
        message = kind.model_validate_json(body)
    except ValidationError as error:
        raise InvalidError(
            f"It is no {kind.__name__}: {why(error)}.",
            hint="Mend it in a file and say --body FILE, or drop it.",
        ) from error
    unknown = sorted(json.loads(body).keys() - kind.model_fields.keys())
    if unknown:
        raise InvalidError(
            f"A {kind.__name__} of this release has no {', '.join(unknown)}: it would be lost.",
            hint="Redeliver with the release that published it, or mend it in a file and say --body FILE.",
        )
    return message


def refusal(dead: DeadMessage) -> InvalidError | None:
    """Why it could not be published again as it is; None when it could."""
    try:
        _whole(dead)
    except InvalidError as error:
        return error
    return None


async def _publish_again(app: App, found: Sequence[DeadMessage]) -> list[Redelivery]:
    done: list[Redelivery] = []
    for start in range(0, len(found), AT_ONCE):
        ready: list[tuple[DeadMessage, Message]] = []
        for dead in found[start : start + AT_ONCE]:
            try:
                ready.append((dead, _whole(dead)))
            except InvalidError as error:
                done.append(Redelivery(dead.id, dead.topic, dead.key, error.detail, error.hint))
        done += await _announce(app, ready)
    return done


def _whole(dead: DeadMessage) -> Message:
    message = message_of(dead.topic, dead.body)
    if not dead.is_whole and dead.code == "given_up":
        raise InvalidError(
            "Its body is not kept whole: it was too long, or held what looks like a key.",
            hint="Write the whole message into a file and say --body FILE, or drop it.",
        )
    return message


async def _announce(app: App, ready: Sequence[tuple[DeadMessage, Message]]) -> list[Redelivery]:
    """Commit, publish, commit. What somebody else changed since it was read is refused, alone."""
    if not ready:
        return []
    messages = {dead.id: message for dead, message in ready}
    begun = await _written(
        app, [dead.model_copy(update={"redelivering_at": app.now(), "redelivered_at": None}) for dead, _ in ready]
    )
    for id, dead in begun.items():
        with traces.going_on(dead.trace):
            await app.queue.publish(messages[id])
    # Whoever has taken one up again by now says of it that it was published.
    await _written(app, [dead.model_copy(update={"redelivered_at": app.now()}) for dead in begun.values()])
    return [
        Redelivery(dead.id, dead.topic, message.key, *(() if dead.id in begun else (TAKEN, TAKEN_HINT)))
        for dead, message in ready
    ]


async def _written(app: App, records: Sequence[DeadMessage]) -> dict[str, DeadMessage]:
    """Those that nobody else has written since they were read, with their new versions."""
    try:
        committed = await app.store.commit(*(Swap(dead) for dead in records))
    except ConflictError:
        if len(records) == 1:
            return {}
        alone = [await _written(app, [dead]) for dead in records]
        return {id: dead for written in alone for id, dead in written.items()}
    return {dead.id: committed.of(dead) for dead in records}
