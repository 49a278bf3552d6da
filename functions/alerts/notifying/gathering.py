"""What belongs into one message: the earliest notification that waits leads, the others fold into it.

Steps of an incident to one channel never overtake each other: a later one waits for, or
joins, the earlier. Openings of one connection that wait for the same channel are one message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from functions.alerts.tick_records import Notification, Thread
from hedgerow.app import App
from hedgerow.ports import Where
from hedgerow.records import derived_id

MOST_INCIDENTS = 20
"""In one message; more of them are the next one."""
_MOST_FOUND = 1_000
_MOST_DUE = 300


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one attempt is about. `send`: now. `fold`: into what waits. `drop`: its opening was never told."""

    then: Literal["send", "fold", "drop"]
    lead: Notification
    members: tuple[Notification, ...] = ()
    """Notifications that fold into the lead now; `lead.members` names those that did before."""


def thread_id(incident_id: str, channel_id: str) -> str:
    """The id of the record that says where an incident's message is in a channel."""
    return derived_id("thr", incident_id, channel_id)


def is_held(notification: Notification, now: datetime) -> bool:
    """Somebody is sending it at this moment."""
    return notification.state == "sending" and notification.due_at is not None and now < notification.due_at


async def gather(app: App, notification: Notification, now: datetime) -> Gathered | None:
    """What to do about a notification that waits; None when another process is at this incident and channel."""
    steps = await _steps(app, notification)
    if any(is_held(one, now) for one in steps):
        return None
    waiting = [one for one in steps if one.state in ("pending", "sending")]
    if not waiting:
        return None
    lead, later = waiting[0], tuple(waiting[1:])
    thread = await app.store.get(Thread, thread_id(lead.subject_id, lead.channel_id))
    if lead.kind != "opened" and thread is None:
        return Gathered("drop", lead, later)
    if not _may_go(lead, waiting, now):
        return Gathered("fold", lead, later)
    return Gathered("send", lead, (*later, *await _beside(app, lead, thread, now)))


def _may_go(lead: Notification, waiting: Sequence[Notification], now: datetime) -> bool:
    """It is due; or it only waits for the end of quiet hours, and something critical cannot."""
    if lead.due_at is None or lead.due_at <= now:
        return True
    urgent = any(one.severity == "critical" and one.due_at is not None and one.due_at <= now for one in waiting)
    return lead.attempts == 0 and urgent


async def _steps(app: App, notification: Notification) -> list[Notification]:
    """Every notification of the same incident to the same channel, the earliest step first."""
    page = await app.store.find(Notification, Where("subject_id", "==", notification.subject_id), limit=_MOST_FOUND)
    same = (one for one in page.items if one.channel_id == notification.channel_id)
    return sorted(same, key=lambda one: (one.step, one.created_at))


async def _beside(app: App, lead: Notification, thread: Thread | None, now: datetime) -> tuple[Notification, ...]:
    """What is due to the same channel for other incidents that share the message, or will."""
    shared = thread.incident_ids if thread is not None else ()
    if lead.kind != "opened" and len(shared) < 2:
        return ()
    page = await app.store.find(
        Notification,
        Where("connection_id", "==", lead.connection_id),
        Where("due_at", "<=", now),
        limit=_MOST_DUE,
    )
    due = [one for one in page.items if _can_join(one, lead)]
    if lead.kind == "opened":
        shared = tuple(_some(one.subject_id for one in due if one.kind == "opened"))
    return tuple(one for one in due if one.subject_id in shared)


def _can_join(one: Notification, lead: Notification) -> bool:
    """One that was tried before may have arrived: it keeps a message, and a key, of its own."""
    return (
        one.state == "pending"
        and one.channel_id == lead.channel_id
        and one.subject_id != lead.subject_id
        and not one.attempts
        and one.kind in ("opened", "worse", "acknowledged", "snoozed", "resolved")
    )


def _some(subject_ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(subject_ids))[: MOST_INCIDENTS - 1]
