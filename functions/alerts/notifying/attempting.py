"""One attempt to tell one channel: the claim, what belongs with it, the words, the sending, what became of it.

A process that dies after its claim leaves a notification whose claim ends: a tick finds it
and sends again, under the same key, so that a service that knows doubled messages shows
one, and none is ever silent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.alerts.channels.places import ClosedError, Place, place_of
from functions.alerts.notifying import budgets, outcomes
from functions.alerts.notifying.composing import Composed, compose
from functions.alerts.notifying.gathering import Gathered, gather
from functions.alerts.notifying.outcomes import Claimed
from functions.alerts.records import Channel, Notification
from hedgerow import telemetry
from hedgerow.app import App
from hedgerow.channels import sending
from hedgerow.errors import OutboundError
from hedgerow.logs import log
from hedgerow.messages import NotificationDue
from hedgerow.models import Connection
from hedgerow.ports import Change, Swap, Where
from hedgerow.records import new_id

CLAIM = timedelta(seconds=90)
"""Several times what `sending.send` may take: who is still sending when it ends would be doubled."""
_FOLDED = {"state": "folded", "due_at": None, "claimed_by": None}


async def claim(app: App, notification: Notification, now: datetime) -> Claimed | None:
    """Take the message this notification belongs to; None when there is nothing to send now."""
    gathered = await _gathered(app, notification, now)
    if gathered is None:
        return None
    lead, members = gathered.lead, gathered.members
    folds: list[Change] = [Swap(one.model_copy(update=_FOLDED)) for one in members]
    if gathered.then == "drop":
        await app.store.commit(Swap(lead.model_copy(update=_FOLDED)), *folds)
        return None
    inside = tuple(dict.fromkeys((*lead.members, *(id for one in members for id in (one.id, *one.members)))))
    if gathered.then == "fold":
        if folds:
            await app.store.commit(Swap(lead.model_copy(update={"members": inside})), *folds)
        return None
    channel = await app.store.get(Channel, lead.channel_id) if lead.kind == "opened" else None
    if channel is not None and await budgets.is_over(app, channel, lead, members, now):
        connection = await app.store.get(Connection, lead.connection_id or "")
        await app.store.commit(*await budgets.into_digest(app, channel, lead, members, connection, now))
        return None
    mark = new_id("claim")
    taken = lead.model_copy(
        update={
            "state": "sending",
            "claimed_by": mark,
            "due_at": now + CLAIM,
            "attempts": lead.attempts + 1,
            "members": inside,
        }
    )
    committed = await app.store.commit(Swap(taken), *folds)
    return Claimed(committed.of(taken), mark)


async def _gathered(app: App, notification: Notification, now: datetime) -> Gathered | None:
    if notification.kind in ("digest", "told"):
        is_due = notification.due_at is not None and notification.due_at <= now
        return Gathered("send", notification) if is_due else None
    return await gather(app, notification, now)


async def attempt(app: App, claimed: Claimed) -> None:
    """Word it, send it, and write down what became of it."""
    composed: Composed | None = None
    place: Place | None = None
    try:
        place = await place_of(app, claimed.lead.channel_id)
        composed = await compose(app, claimed.lead, place, app.now())
        if composed is None:
            await outcomes.nothing_to_tell(app, claimed)
            return
        earlier = composed.thread.reference if composed.thread is not None else None
        reference = await sending.send(app, place.settings, composed.notice, earlier)
    except (ClosedError, OutboundError) as error:
        if place is None:
            # Nothing can be sent, but the incidents' timelines are to say so.
            composed = await compose(app, claimed.lead, None, app.now())
        telemetry.record(app, telemetry.NOTIFICATIONS, kind=claimed.lead.kind, outcome="failed")
        await _announce(app, await outcomes.failed(app, claimed, composed, place, error))
        return
    await outcomes.sent(app, claimed, composed, place, reference)
    log().info("notification.sent", kind=claimed.lead.kind)
    telemetry.record(app, telemetry.NOTIFICATIONS, kind=claimed.lead.kind, outcome="sent")
    await _announce(app, await _behind(app, claimed.lead))


async def _behind(app: App, lead: Notification) -> tuple[Notification, ...]:
    """Steps of the same incident that came while it was being sent, and found us at it."""
    if lead.connection_id is None:
        return ()
    page = await app.store.find(Notification, Where("subject_id", "==", lead.subject_id), limit=200)
    behind = (one for one in page.items if one.channel_id == lead.channel_id and one.state == "pending")
    return tuple(one for one in behind if one.due_at is not None and one.due_at <= app.now())


async def _announce(app: App, notifications: tuple[Notification, ...]) -> None:
    await app.queue.publish(*(NotificationDue(notification_id=one.id, attempt=one.attempts) for one in notifications))
