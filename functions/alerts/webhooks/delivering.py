"""Delivers a webhook's queue in order, one process at a time: claim the webhook, send, record, let go.

An endpoint that fails is left alone for a while with everything behind the entry it failed
on; an entry that keeps failing is passed by, so that one body nobody takes does not hold
up the rest. The claim is the webhook's, so a crash sends at most one entry again, under the same id.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.alerts.channels.places import ClosedError, Place, opened, trouble_of
from functions.alerts.notifying.backing import next_try
from functions.alerts.notifying.closing import GONE, close
from functions.alerts.notifying.planning import notifications_of
from functions.alerts.records import Notification, Webhook
from hedgerow import traces
from hedgerow.activity import Activity
from hedgerow.app import App
from hedgerow.channels import sending
from hedgerow.channels.notice import Notice
from hedgerow.errors import ConflictError, HedgerowError, OutboundError
from hedgerow.logs import bound, log
from hedgerow.messages import NotificationDue
from hedgerow.models import Trouble
from hedgerow.ports import Change, Swap, Where
from hedgerow.records import new_id

CLAIM = timedelta(seconds=120)
TURN_SECONDS = 40.0
AT_ONCE = 50
HELD_FOR = 5
"""Attempts an entry holds up those behind it: a quarter of an hour, then it is passed by."""
MOST_FAILURES = 5
"""In one turn."""
_TRIES = 6


@dataclass(frozen=True, slots=True)
class Turn:
    """How far a turn came: when to go on, None when nothing is left; and what went wrong first."""

    again_at: datetime | None
    trouble: Trouble | None = None


async def deliver(app: App, webhook_id: str) -> None:
    """Deliver what waits in this webhook's queue, unless somebody is at it or its endpoint needs time."""
    webhook = await app.store.get(Webhook, webhook_id)
    now = app.now()
    if webhook is None or webhook.due_at is None or now < webhook.due_at:
        return
    mark = new_id("claim")
    claimed = webhook.model_copy(update={"claimed_by": mark, "due_at": now + CLAIM})
    try:
        claimed = (await app.store.commit(Swap(claimed))).of(claimed)
    except ConflictError:
        return  # Another process took it, or an entry came: a tick finds what is due.
    turn = await _turn(app, claimed)
    await _let_go(app, claimed, mark, turn)


async def _turn(app: App, webhook: Webhook) -> Turn:
    if webhook.disabled_at is not None:
        return Turn(None)
    ends = time.monotonic() + TURN_SECONDS
    try:
        place = await opened(app, webhook)
    except ClosedError as error:
        await _close(app, webhook, error)
        return Turn(app.now())
    page = await app.store.find(
        Notification,
        Where("channel_id", "==", webhook.id),
        Where("state", "==", "pending"),
        limit=AT_ONCE,
    )
    again_at: datetime | None = None
    first: Trouble | None = None
    failures = 0
    for entry in page.items:
        if time.monotonic() > ends:
            return Turn(again_at or app.now(), first)
        failure = await _send(app, place, entry)
        if failure is None:
            continue
        due = await _failed(app, entry, failure)
        if failure.code in GONE:
            await _close(app, webhook, failure)
            return Turn(app.now())
        failures += 1
        again_at, first = again_at or due, first or trouble_of(failure)
        if due is not None and (entry.attempts + 1 < HELD_FOR or failures == MOST_FAILURES):
            return Turn(again_at, first)
    more = page.next_cursor is not None
    return Turn(again_at or (app.now() if more else None), first)


async def _send(app: App, place: Place, entry: Notification) -> HedgerowError | None:
    """Send one entry and note that it arrived; the error when it did not."""
    activity = await app.store.get(Activity, entry.subject_id)
    if activity is not None:
        with traces.going_on(entry.traceparent), bound(tenant_id=entry.tenant_id, subject_id=entry.subject_id):
            try:
                await sending.send(app, place.settings, notice_of(activity), None)
            except OutboundError as error:
                return error
            log().info("notification.sent", kind=entry.kind, activity=activity.kind)
    done = {"state": "sent" if activity is not None else "folded", "sent_at": app.now(), "trouble": None}
    await _record(app, Swap(entry.model_copy(update={**done, "attempts": entry.attempts + 1})))
    return None


def notice_of(activity: Activity) -> Notice:
    """An activity as a webhook is told of it; its id is the message's, however often it is sent."""
    return Notice(
        key=activity.id,
        mood="told",
        severity="info",
        title=activity.kind,
        at=activity.at,
        kind=activity.kind,
        body={
            "id": activity.id,
            "tenant_id": activity.tenant_id,
            "connection_id": activity.connection_id,
            **activity.fields,
        },
    )


async def _failed(app: App, entry: Notification, error: HedgerowError) -> datetime | None:
    """Note the failure; when to try again, None when the entry is dead. A refusal may be a bug being mended: tried again too."""
    retry_after = error.retry_after if isinstance(error, OutboundError) else None
    due = None if error.code in GONE else next_try(entry.attempts + 1, retry_after, app.now())
    fields = {
        "state": "dead" if due is None else "pending",
        "attempts": entry.attempts + 1,
        "trouble": trouble_of(error),
    }
    await _record(app, Swap(entry.model_copy(update=fields)))
    return due


async def _record(app: App, change: Change) -> None:
    try:
        await app.store.commit(change)
    except ConflictError:
        return  # Our claim had ended: whoever took the webhook over records it.


async def _close(app: App, webhook: Webhook, error: HedgerowError) -> None:
    """Switch it off and tell the tenant's channels. What waits stays: switched on again, it goes on."""
    try:
        changes = await close(app, webhook, error, app.now())
        await app.store.commit(*changes)
    except ConflictError:
        return  # Somebody changes it at this moment: the next turn sees.
    told = notifications_of(changes)
    await app.queue.publish(*(NotificationDue(notification_id=one.id) for one in told))


async def _let_go(app: App, claimed: Webhook, mark: str, turn: Turn) -> None:
    """End the claim. An entry that came meanwhile makes it due at once."""
    for _ in range(_TRIES):
        current = await app.store.get(Webhook, claimed.id)
        if current is None or current.claimed_by != mark:
            return
        due, trouble = turn.again_at, turn.trouble
        if due is None and current.queued != claimed.queued:
            due = app.now()
        if current.disabled_at is not None:
            due, trouble = None, current.trouble
        free = current.model_copy(update={"claimed_by": None, "due_at": due, "trouble": trouble})
        try:
            free = (await app.store.commit(Swap(free))).of(free)
        except ConflictError:
            continue
        if due is not None and due <= app.now():
            await app.queue.publish(NotificationDue(notification_id=free.id, attempt=free.queued))
        return
