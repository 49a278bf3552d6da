"""What an attempt came to, in one commit: the notification, the thread, the incident's timeline, the channel.

Whoever lost its claim meanwhile records nothing: the one who has it does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.alerts.channels.places import Place, record_of, trouble_of
from functions.alerts.notifying import backing
from functions.alerts.notifying.closing import GONE, close, default_of
from functions.alerts.notifying.composing import Composed
from functions.alerts.notifying.gathering import thread_id
from functions.alerts.notifying.planning import notification_id, notifications_of
from functions.alerts.records import Incident, Notification, Step, Thread
from hedgerow.app import App
from hedgerow.channels.notice import Reference
from hedgerow.errors import ConflictError, HedgerowError, OutboundError
from hedgerow.logs import log
from hedgerow.ports import Add, Change, Swap

TRIES = 6
ROOM_IN_TIMELINE = 190
Build = Callable[[Notification], Coroutine[Any, Any, list[Change]]]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notification we may send, and the mark that says so."""

    lead: Notification
    mark: str


async def sent(app: App, claimed: Claimed, composed: Composed, place: Place, reference: Reference) -> None:
    """It is in the channel: where, for every incident it tells of."""
    now = app.now()

    async def build(lead: Notification) -> list[Change]:
        done = {"state": "sent", "sent_at": now, "due_at": None, "claimed_by": None, "trouble": None}
        changes: list[Change] = [Swap(lead.model_copy(update=done))]
        changes += await _threads(app, lead, composed, reference, now)
        opened = {one.subject_id for one in composed.openings}
        changes += await noted(app, opened, Step(at=now, kind="notified", sentence=f"Told in {place.name}."))
        return changes

    await _commit(app, claimed, build)


async def nothing_to_tell(app: App, claimed: Claimed) -> None:
    """What it was to tell of is gone, or mended."""

    async def build(lead: Notification) -> list[Change]:
        return [Swap(lead.model_copy(update={"state": "folded", "due_at": None, "claimed_by": None}))]

    await _commit(app, claimed, build)


async def failed(
    app: App, claimed: Claimed, composed: Composed | None, place: Place | None, error: HedgerowError
) -> tuple[Notification, ...]:
    """Later again, or never: then the timeline says so, another channel is told, and one that is gone is switched off.

    The answer is what is to be announced.
    """
    now, told = app.now(), list[Notification]()
    retry_after = error.retry_after if isinstance(error, OutboundError) else None

    async def build(lead: Notification) -> list[Change]:
        told.clear()
        again = backing.next_try(lead.attempts, retry_after, now) if error.transient else None
        fields: dict[str, object] = {"claimed_by": None, "trouble": trouble_of(error), "due_at": again}
        fields["state"] = "pending" if again is not None else "dead"
        changes: list[Change] = [Swap(lead.model_copy(update=fields))]
        if again is not None:
            return changes
        if error.code in GONE:
            changes += await close(app, place.record if place else await record_of(app, lead.channel_id), error, now)
        if composed is not None:
            changes += await _untold(app, lead, composed, place, error)
        told.extend(notifications_of(changes))
        return changes

    if not await _commit(app, claimed, build):
        return ()
    if backing.next_try(claimed.lead.attempts, retry_after, now) is None or not error.transient:
        log().warning("notification.failed", code=error.code, kind=claimed.lead.kind)
    return tuple(told)


async def _commit(app: App, claimed: Claimed, build: Build) -> bool:
    """Make the changes, deciding again while others change what they touch; False when the claim was lost."""
    for _ in range(TRIES):
        lead = await app.store.get(Notification, claimed.lead.id)
        if lead is None or lead.state != "sending" or lead.claimed_by != claimed.mark:
            return False
        try:
            await app.store.commit(*await build(lead))
        except ConflictError:
            continue
        return True
    raise ConflictError("The notification's outcome could not be recorded.")


async def _threads(
    app: App, lead: Notification, composed: Composed, reference: Reference, now: datetime
) -> list[Change]:
    ids = tuple(one.id for one in composed.incidents)
    changes: list[Change] = []
    for incident in composed.incidents:
        id = thread_id(incident.id, lead.channel_id)
        known = await app.store.get(Thread, id)
        kept = dict(reference) or (known.reference if known is not None else {})
        thread = Thread(
            id=id,
            version=known.version if known is not None else 0,
            connection_id=incident.connection_id,
            reference=kept,
            incident_ids=ids,
            told_at=known.told_at if known is not None else now,
        )
        if known is None:
            changes.append(Add(thread))
        elif thread != known:
            changes.append(Swap(thread))
    return changes


async def noted(
    app: App, incident_ids: set[str], step: Step, further: Mapping[str, tuple[str, ...]] | None = None
) -> list[Change]:
    """A line in each incident's timeline; `further` channels will be told of its end too."""
    changes: list[Change] = []
    for incident in await app.store.get_many(Incident, sorted(incident_ids)):
        if incident is None:
            continue
        fields: dict[str, object] = {}
        if len(incident.timeline) < ROOM_IN_TIMELINE:
            fields["timeline"] = (*incident.timeline, step)
        more = (further or {}).get(incident.id, ())
        if more:
            fields["channels"] = tuple(dict.fromkeys((*incident.channels, *more)))
        if fields:
            changes.append(Swap(incident.model_copy(update=fields)))
    return changes


async def _untold(
    app: App, lead: Notification, composed: Composed, place: Place | None, error: HedgerowError
) -> list[Change]:
    """Nobody read it there: the timeline says so; an opening goes to the tenant's default channel instead."""
    now = app.now()
    name = place.name if place is not None else "A channel"
    step = Step(at=now, kind="not_notified", sentence=f"{name} was not told: {error.detail}")
    default = await default_of(app, lead.tenant_id, but=lead.channel_id)
    open_ids = {one.id for one in composed.incidents if one.state == "open"}
    instead: list[Notification] = []
    if default is not None:
        instead = [_moved(one, default.id, now) for one in composed.openings if one.subject_id in open_ids]
    known = await app.store.get_many(Notification, [one.id for one in instead])
    new: Sequence[Notification] = [one for one, there in zip(instead, known, strict=True) if there is None]
    further = {one.subject_id: (one.channel_id,) for one in new}
    incident_ids = (
        {one.id for one in composed.incidents}
        if lead.kind != "opened"
        else {one.subject_id for one in composed.openings}
    )
    return [*(Add(one) for one in new), *await noted(app, incident_ids, step, further)]


def _moved(opening: Notification, channel_id: str, now: datetime) -> Notification:
    fresh = opening.model_copy(update={"version": 0, "members": (), "attempts": 0, "trouble": None, "claimed_by": None})
    return fresh.model_copy(
        update={
            "id": notification_id(opening.subject_id, opening.step, channel_id),
            "channel_id": channel_id,
            "state": "pending",
            "created_at": now,
            "due_at": now,
        }
    )
