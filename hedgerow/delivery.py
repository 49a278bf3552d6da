"""What becomes of a delivery: after an attempt, after the merge guard's look, and by hand. Pure.

Every step keeps the events: a delivery is replaced by itself in another state, or by parts
that hold the same events. Whoever commits a step commits `moved` along with it, so that
`accepted = delivered + pending + held + dead` stays true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hedgerow.deliveries import (
    KEPT_DEAD,
    KEPT_DELIVERED,
    MOST_ATTEMPTS_KEPT,
    Attempt,
    Delivery,
    DeliveryState,
    TallyRow,
    WaitingDelivery,
)
from hedgerow.delivery_parts import Whole, cut
from hedgerow.models import Trouble
from hedgerow.posthog.ingestion import Outcome
from hedgerow.tallies import CountRow

FIRST_BACKOFF = 5.0
LONGEST_BACKOFF = 40.0
"""Seconds, of our own accord: an attempt and its backoff fit between two ticks, so the next tick always tries."""
LONGEST_WAIT = 60.0
"""Seconds, whatever PostHog's Retry-After says: no backoff outlasts an outage by more."""
LONGEST_NAME = 200
"""Characters of an event's name that counts keep."""
LONGEST_DETAIL = 400

Moves = Counter[tuple[str, int, DeliveryState]]
"""Events by name, shift and state, that came into a state (positive) or left it (negative)."""


@dataclass(frozen=True, slots=True)
class Split:
    """The delivery goes; these stand in its place, in the same commit."""

    parts: tuple[Whole, ...]


Step = Delivery | Split


def after_refusal(delivery: Delivery, outcome: Outcome, now: datetime, payload: bytes) -> Step:
    """The delivery after PostHog's word on it, `refused` or `too_large`; `payload` is all of it, chunks included."""
    tried, trouble = _tried(delivery, attempt_of(outcome, now)), _trouble(outcome)
    if delivery.count == 1:
        return dead(delivery.model_copy(update=tried), trouble, now)
    middle = delivery.count // 2
    halves = {f"{start}-{stop}": range(start, stop) for start, stop in ((0, middle), (middle, delivery.count))}
    parts = cut(delivery, payload, halves)
    if parts is None:
        return dead(delivery.model_copy(update=tried), _UNREADABLE, now)
    due_now: dict[str, object] = {**tried, "due_at": now, "trouble": trouble}
    return Split(tuple(_with(part, due_now) for part in parts.values()))


def after_whole(
    delivery: Delivery | WaitingDelivery, outcome: Outcome, attempt: Attempt, jitter: float
) -> dict[str, object]:
    """The fields that change when PostHog took it (`delivered`) or nobody answered for it (`failed`).

    `jitter` is between 0 and 1.
    """
    tried = _tried(delivery, attempt)
    if outcome.kind == "delivered":
        return {**tried, **_DELIVERED, "finished_at": attempt.at, "expires_at": attempt.at + KEPT_DELIVERED}
    due = attempt.at + timedelta(seconds=backoff(delivery.tries + 1, outcome.retry_after, jitter))
    return {**tried, "due_at": due, "trouble": _trouble(outcome)}


def attempt_of(outcome: Outcome, now: datetime) -> Attempt:
    """What is kept of an attempt."""
    return Attempt(at=now, status=outcome.status, code=outcome.code, detail=outcome.detail[:LONGEST_DETAIL])


def backoff(tries: int, retry_after: float | None, jitter: float) -> float:
    """Seconds until the next try: doubling, between half and all of it, and not before PostHog asked for it."""
    ours = min(FIRST_BACKOFF * float(1 << min(max(tries, 1) - 1, 10)), LONGEST_BACKOFF) * (0.5 + 0.5 * jitter)
    return min(max(ours, retry_after or 0.0), LONGEST_WAIT)


def looked_at(delivery: Delivery, troubles: Sequence[Trouble | None], now: datetime, payload: bytes) -> Step:
    """After the merge guard: each event with a trouble stands alone, held; the rest is due now as any other event."""
    held: dict[str, object] = {"state": "held", "due_at": None, "expires_at": now + KEPT_DEAD}
    if delivery.count == 1:
        return delivery.model_copy(update={**held, "trouble": troubles[0]})
    alone = {f"held {at}": (at,) for at, trouble in enumerate(troubles) if trouble is not None}
    rest = [at for at, trouble in enumerate(troubles) if trouble is None]
    parts = cut(delivery, payload, {**alone, **({"rest": rest} if rest else {})})
    if parts is None:
        return dead(delivery, _UNREADABLE, now)
    passed: dict[str, object] = {"lane": "events", "due_at": now}
    whys = [trouble for trouble in troubles if trouble is not None]
    stopped = [_with(parts[key], {**held, "trouble": why}) for key, why in zip(alone, whys, strict=True)]
    return Split((*stopped, *([_with(parts["rest"], passed)] if rest else [])))


def dead(delivery: Delivery, trouble: Trouble, now: datetime) -> Delivery:
    """It will not be sent again unless somebody asks; kept for thirty days."""
    return delivery.model_copy(
        update={
            "state": "dead",
            "due_at": None,
            "finished_at": now,
            "expires_at": now + KEPT_DEAD,
            "trouble": trouble,
        }
    )


def replayed(delivery: Delivery, now: datetime) -> Delivery:
    """A dead or held delivery, released by hand: due now. The merge guard has had its say."""
    return delivery.model_copy(
        update={
            "state": "pending",
            "lane": "events" if delivery.lane == "merges" else delivery.lane,
            "due_at": now,
            "expires_at": None,
            "finished_at": None,
            "trouble": None,
        }
    )


def refused(delivery: Delivery, now: datetime, trouble: Trouble) -> Delivery:
    """A held delivery, refused by hand."""
    return dead(delivery, trouble, now)


def moved(delivery: Delivery, to_state: DeliveryState) -> tuple[CountRow, ...]:
    """What a delivery's way from its state to another one adds to the counts of its hour of acceptance."""
    moves: Moves = Counter()
    move(moves, delivery.tally, delivery.state, to_state)
    return rows_of(moves)


def move(moves: Moves, tally: Iterable[TallyRow], from_state: DeliveryState, to_state: DeliveryState) -> None:
    """Enter the way of these events, of one delivery or of many, from a state to another."""
    if from_state == to_state:
        return
    sums: dict[tuple[str, int], int] = {}
    for row in tally:
        key = (row.name, row.shift)
        sums[key] = sums.get(key, 0) + row.count
    for (name, shift), number in sums.items():
        short = name[:LONGEST_NAME]
        moves[short, shift, from_state] -= number
        moves[short, shift, to_state] += number


def rows_of(moves: Moves) -> tuple[CountRow, ...]:
    """Moves as rows of a count."""
    rows: dict[tuple[str, int], dict[str, int]] = {}
    for (name, shift, state), number in moves.items():
        if number:
            rows.setdefault((name, shift), {})[state] = number
    return tuple(
        CountRow.model_validate({"name": name, "shift": shift, **states}) for (name, shift), states in rows.items()
    )


_DELIVERED: dict[str, object] = {
    "state": "delivered",
    "payload": b"",
    "chunks": 0,
    "due_at": None,
    "trouble": None,
}
_UNREADABLE = Trouble(
    code="payload_unreadable",
    detail="What was kept of these events cannot be read any more.",
    hint="Send the events again.",
)


def _trouble(outcome: Outcome) -> Trouble:
    hint = {
        "failed": "It is tried again by itself, every minute at least.",
        "refused": "Mend what sends it, or release it again once PostHog would take it.",
        "too_large": "Send less in one event: PostHog takes about 1 MB.",
        "delivered": "",
    }[outcome.kind]
    return Trouble(code=outcome.code, detail=outcome.detail[:LONGEST_DETAIL], hint=hint)


def _tried(delivery: Delivery | WaitingDelivery, attempt: Attempt) -> dict[str, object]:
    return {"tries": delivery.tries + 1, "attempts": (*delivery.attempts, attempt)[-MOST_ATTEMPTS_KEPT:]}


def _with(part: Whole, update: dict[str, object]) -> Whole:
    return Whole(part.delivery.model_copy(update=update), part.chunks)
