"""From a claimed notification to its notice: reads what it tells of as it stands now, so that a late message is never stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.alerts.channels.places import Place, name_of
from functions.alerts.notifying import digests, saying, wording
from functions.alerts.notifying.addressing import addresses_of
from functions.alerts.notifying.gathering import thread_id
from functions.alerts.notifying.wording import Told
from functions.alerts.records import AlertRule, Channel, Incident, Notification, Thread, Webhook
from hedgerow.app import App
from hedgerow.channels.notice import Notice
from hedgerow.models import Connection


@dataclass(frozen=True, slots=True)
class Composed:
    """A notice, the incidents it tells of, and where their message is already."""

    notice: Notice
    incidents: tuple[Incident, ...] = ()
    openings: tuple[Notification, ...] = ()
    thread: Thread | None = None


async def compose(app: App, lead: Notification, place: Place | None, now: datetime) -> Composed | None:
    """The message of a notification and of those folded into it; None when there is nothing left to tell.

    Without a place it is for nobody, and says which incidents it would have told of.
    """
    if lead.kind == "digest":
        return await _digest(app, lead, place, now)
    if lead.kind == "told":
        notice = await _closed_channel(app, lead, now)
        return Composed(notice) if notice is not None else None
    parts = [lead, *await _members(app, lead)]
    thread = await app.store.get(Thread, thread_id(lead.subject_id, lead.channel_id))
    shared = thread.incident_ids if thread is not None else ()
    found = await app.store.get_many(Incident, list(dict.fromkeys((*shared, *(part.subject_id for part in parts)))))
    incidents = tuple(one for one in found if one is not None)
    if not incidents or all(one.id != lead.subject_id for one in incidents):
        return None
    connection = await app.store.get(Connection, incidents[0].connection_id)
    told = [Told(one, await addresses_of(app, one, place.name if place is not None else "", now)) for one in incidents]
    if len(told) == 1:
        notice = wording.incident_notice(lead, told[0], connection, was_told=thread is not None, now=now)
    else:
        notice = wording.group_notice(lead, told, connection, now=now)
    return Composed(notice, incidents, tuple(part for part in parts if part.kind == "opened"), thread)


async def _members(app: App, lead: Notification) -> Sequence[Notification]:
    found = await app.store.get_many(Notification, lead.members) if lead.members else []
    return [one for one in found if one is not None]


async def _digest(app: App, lead: Notification, place: Place | None, now: datetime) -> Composed | None:
    subjects = list(dict.fromkeys(one.subject_id for one in await _members(app, lead)))
    incidents = [one for one in await app.store.get_many(Incident, subjects) if one is not None]
    if not incidents or place is None or not isinstance(place.record, Channel):
        return None
    found = await app.store.get_many(AlertRule, list(dict.fromkeys(one.rule_id for one in incidents)))
    rules = {rule.id: rule for rule in found if rule is not None}
    return Composed(digests.digest_notice(lead, place.record, digests.ranked(incidents, rules), now=now))


async def _closed_channel(app: App, lead: Notification, now: datetime) -> Notice | None:
    """That another channel, or a webhook, is off and why; None when it was mended or deleted meanwhile."""
    kind: type[Channel | Webhook] = Webhook if lead.subject_id.startswith("whk_") else Channel
    closed = await app.store.get(kind, lead.subject_id)
    if closed is None or closed.disabled_at is None or closed.trouble is None:
        return None
    what = "webhook" if isinstance(closed, Webhook) else "channel"
    return Notice(
        key=lead.id,
        mood="told",
        severity="warning",
        title=f"The {what} {name_of(closed)} was switched off: {closed.trouble.detail}",
        at=now,
        facts=(
            ("Since", saying.at_words(closed.disabled_at, "UTC")),
            ("What to do", closed.trouble.hint or f"Give the {what} a working address, then switch it on again."),
        ),
        kind=f"{what}.disabled",
        body={"id": closed.id, "code": closed.trouble.code},
    )
