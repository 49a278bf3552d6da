"""A channel's noise budget: above it, openings wait for the day's digest.

Critical ones never do, nor does anything about a message that stands in the channel already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from functions.alerts.notifying import saying
from functions.alerts.notifying.outcomes import noted
from functions.alerts.notifying.quiet import next_morning
from functions.alerts.records import Channel, Notification, Step
from hedgerow.app import App
from hedgerow.models import Connection
from hedgerow.ports import Add, Change, Swap, Where
from hedgerow.records import derived_id

WEEK = timedelta(days=7)
HOUR_OF_DAY = 9
MOST_IN_A_DIGEST = 500
_PAGE = 500


async def is_over(
    app: App, channel: Channel, lead: Notification, members: Sequence[Notification], now: datetime
) -> bool:
    """Has this channel had its week's messages? Replies and edits are no messages; an attempt under way goes on."""
    if channel.weekly_budget is None or lead.kind != "opened":
        return False
    if lead.attempts or any(one.severity == "critical" for one in (lead, *members)):
        return False
    sent, cursor = 0, None
    while True:
        page = await app.store.find(
            Notification,
            Where("channel_id", "==", channel.id),
            Where("created_at", ">=", now - WEEK),
            limit=_PAGE,
            cursor=cursor,
        )
        sent += sum(one.state == "sent" and one.kind in ("opened", "digest") for one in page.items)
        cursor = page.next_cursor
        if sent >= channel.weekly_budget:
            return True
        if cursor is None:
            return False


async def into_digest(
    app: App,
    channel: Channel,
    lead: Notification,
    members: Sequence[Notification],
    connection: Connection | None,
    now: datetime,
) -> list[Change]:
    """The changes that put a message off to the channel's next digest, at nine in the connection's morning.

    The incidents' timelines say so.
    """
    zone = connection.timezone if connection is not None else "UTC"
    due = next_morning(now, zone, HOUR_OF_DAY)
    id = derived_id("ntf", "digest", lead.channel_id, due.isoformat())
    folded = (lead, *members)
    names = tuple(one.id for one in folded)
    digest = await app.store.get(Notification, id)
    if digest is None:
        digest = Notification(
            id=id,
            tenant_id=lead.tenant_id,
            channel_id=lead.channel_id,
            subject_id=id,
            kind="digest",
            severity="info",
            created_at=now,
            due_at=due,
            members=names,
        )
        change: Change = Add(digest)
    else:
        # Swapped even when it is full: a digest that is being sent at this moment must refuse what it will not tell.
        change = Swap(digest.model_copy(update={"members": (*digest.members, *names)[:MOST_IN_A_DIGEST]}))
    fold = {"state": "folded", "due_at": None, "claimed_by": None}
    told = f"{channel.name} had its {channel.weekly_budget} messages of a week: told in the digest of"
    step = Step(at=now, kind="held", sentence=f"{told} {saying.at_words(due, zone)}.")
    held = await noted(app, {one.subject_id for one in folded if one.kind == "opened"}, step)
    return [change, *(Swap(one.model_copy(update=fold)) for one in folded), *held]
