"""The outbox's state machine: whatever PostHog answers, every event is in exactly one delivery, and it ends."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import deliveries
from hedgerow.deliveries import (
    MOST_ATTEMPTS_KEPT,
    MOST_PAYLOAD_BYTES,
    Delivery,
    Parcel,
    TallyRow,
    compressed,
    packed_batch,
    packed_uuids,
)
from hedgerow.delivery import (
    Split,
    Step,
    after_refusal,
    after_whole,
    attempt_of,
    backoff,
    looked_at,
    moved,
    refused,
    replayed,
)
from hedgerow.delivery_parts import Whole, unpacked
from hedgerow.models import Trouble
from hedgerow.posthog.ingestion import Outcome

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
DELIVERED = Outcome("delivered", "delivered", status=200)
FAILED = Outcome("failed", "posthog_failed", "no", status=503)
REFUSED = Outcome("refused", "posthog_refused", "no", status=400)
TOO_LARGE = Outcome("too_large", "posthog_too_large", "no", status=413)
TROUBLE = Trouble(code="merge_held", detail="two persons", hint="look")


def event_of(number: int, name: str = "paid", hours: int = 0, filling: str = "") -> dict[str, object]:
    return {
        "uuid": str(UUID(int=number + 1)),
        "event": name,
        "distinct_id": f"u{number}",
        "timestamp": (NOW + timedelta(hours=hours)).isoformat(),
        "properties": {"filling": filling},
    }


def pending(events: list[dict[str, object]], *, historical: bool = False, tally: Counter[tuple[str, int]]) -> Whole:
    """A pending delivery of these events, in three parcels at most."""
    batch = packed_batch("phc_x", orjson.dumps(events)[1:-1], historical=historical)
    third = -(-len(events) // 3)
    counts = [min(third, len(events) - begin) for begin in range(0, len(events), third)]
    delivery = Delivery(
        id="dlv_1",
        version=7,
        tenant_id="ten_1",
        connection_id="con_1",
        historical=historical,
        state="pending",
        accepted_at=NOW,
        hour=deliveries.hour_of(NOW),
        due_at=NOW,
        shard=0,
        count=len(events),
        size=len(batch),
        payload=compressed(batch),
        uuids=packed_uuids([str(event["uuid"]) for event in events]),
        tally=tuple(TallyRow(name=name, shift=shift, count=number) for (name, shift), number in tally.items()),
        parcels=tuple(Parcel(received_at=NOW, count=count, sdk=f"sdk/{at}") for at, count in enumerate(counts)),
    )
    return Whole(delivery)


def plain(number: int) -> Whole:
    return pending([event_of(at) for at in range(number)], tally=Counter({("paid", 0): number}))


def payload_of(whole: Whole) -> bytes:
    return whole.delivery.payload + b"".join(chunk.payload for chunk in whole.chunks)


def events_of(whole: Whole) -> list[dict[str, object]]:
    return unpacked(payload_of(whole))[1]


def tried(whole: Whole, outcome: Outcome, jitter: float = 0.5) -> Step:
    if outcome.kind in {"delivered", "failed"}:
        return whole.delivery.model_copy(update=after_whole(whole.delivery, outcome, attempt_of(outcome, NOW), jitter))
    return after_refusal(whole.delivery, outcome, NOW, payload_of(whole))


def parts_of(step: Step) -> tuple[Whole, ...]:
    assert isinstance(step, Split)
    return step.parts


def one(step: Step) -> Delivery:
    assert isinstance(step, Delivery)
    return step


events = st.lists(st.tuples(st.sampled_from(["paid", "cart", "…"]), st.integers(-2, 2)), min_size=1, max_size=12)


@given(events, st.randoms(use_true_random=False), st.booleans())
def test_any_outcomes_keep_every_event_once(kinds: list[tuple[str, int]], random: object, historical: bool) -> None:
    choose = random.choice  # type: ignore[attr-defined]
    named = [event_of(at, name, hours) for at, (name, hours) in enumerate(kinds)]
    # The tally may have lost sight of some names: its bound counts them together.
    tally = Counter(choose([kind, kind, ("…", 0)]) for kind in kinds)
    waiting, ended, steps = [pending(named, historical=historical, tally=tally)], [], 0
    while waiting:
        steps += 1
        assert steps < 500
        whole = waiting.pop()
        outcome = choose([DELIVERED, FAILED, REFUSED, TOO_LARGE, REFUSED])
        step = tried(whole, outcome)
        if isinstance(step, Split):
            assert_exact(whole, step)
            waiting += step.parts
        elif step.state == "pending":
            waiting.append(Whole(step, whole.chunks))
        else:
            ended.append(step)
    assert sum(len(each.uuids) // 16 for each in ended) == len(kinds)
    assert Counter(each.uuids[at : at + 16] for each in ended for at in range(0, len(each.uuids), 16)) == Counter(
        UUID(str(event["uuid"])).bytes for event in named
    )
    dealt: Counter[tuple[str, int]] = Counter()
    for each in ended:
        for row in each.tally:
            dealt[row.name, row.shift] += row.count
    assert dealt == tally
    assert all(each.historical == historical for each in ended)


def assert_exact(whole: Whole, split: Split) -> None:
    before = whole.delivery
    assert [event for part in split.parts for event in events_of(part)] == events_of(whole)
    assert b"".join(part.delivery.uuids for part in split.parts) == before.uuids
    for part in split.parts:
        one = part.delivery
        assert one.count == len(events_of(part)) == sum(row.count for row in one.tally)
        assert one.count == sum(parcel.count for parcel in one.parcels)
        assert (one.hour, one.accepted_at, one.split_from) == (before.hour, before.accepted_at, before.id)
        assert one.due_at == NOW
    sdks: Counter[str] = Counter()
    for part in split.parts:
        for parcel in part.delivery.parcels:
            sdks[parcel.sdk] += parcel.count
    assert sdks == Counter({parcel.sdk: parcel.count for parcel in before.parcels})


def test_a_poison_ends_alone_and_dead_with_the_reason() -> None:
    waiting, dead, delivered, asked = [plain(1_000)], [], 0, 0
    while waiting:
        whole = waiting.pop()
        asked += 1
        poisoned = any(event["distinct_id"] == "u617" for event in events_of(whole))
        step = tried(whole, REFUSED if poisoned else DELIVERED)
        if isinstance(step, Split):
            waiting += step.parts
        elif step.state == "dead":
            dead.append(step)
        else:
            delivered += step.count
    assert (len(dead), dead[0].count, delivered) == (1, 1, 999)
    assert dead[0].trouble is not None
    assert (dead[0].trouble.code, dead[0].expires_at) == ("posthog_refused", NOW + timedelta(days=30))
    assert (dead[0].due_at, dead[0].tries) == (None, 11)
    assert asked < 25


def test_a_repeated_split_makes_the_same_deliveries() -> None:
    whole = plain(9)
    ids = [[part.delivery.id for part in parts_of(tried(whole, REFUSED, jitter))] for jitter in (0.1, 0.9)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_a_part_larger_than_a_document_goes_on_in_chunks() -> None:
    import secrets

    big = [event_of(at, filling=secrets.token_hex(MOST_PAYLOAD_BYTES)) for at in range(2)]
    parts = parts_of(tried(pending(big, tally=Counter({("paid", 0): 2})), TOO_LARGE))
    assert all(part.delivery.chunks == len(part.chunks) > 0 for part in parts)
    assert all(len(chunk.payload) <= MOST_PAYLOAD_BYTES for part in parts for chunk in part.chunks)
    assert [event for part in parts for event in events_of(part)] == big


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e6), st.floats(0, 1))
def test_no_backoff_is_longer_than_a_minute(tries: int, retry_after: float | None, jitter: float) -> None:
    seconds = backoff(tries, retry_after, jitter)
    assert 0 < seconds <= 60
    assert seconds >= min(retry_after or 0, 60)


def test_backoff_grows_and_without_a_word_of_posthogs_ends_before_the_next_tick() -> None:
    waits = [backoff(tries, None, 1.0) for tries in range(1, 8)]
    assert all(shorter <= longer for shorter, longer in pairwise(waits))
    assert (waits[0], waits[-1]) == (5.0, 40.0)
    assert backoff(1, None, 0.0) == 2.5


def test_delivered_keeps_its_story_for_seven_days_without_the_payload() -> None:
    done = one(tried(plain(3), DELIVERED))
    assert (done.state, done.payload, done.chunks, done.due_at) == ("delivered", b"", 0, None)
    assert (done.finished_at, done.expires_at) == (NOW, NOW + timedelta(days=7))
    assert [attempt.status for attempt in done.attempts] == [200]


def test_twenty_attempts_are_kept() -> None:
    whole = plain(1)
    for _ in range(30):
        whole = Whole(one(tried(whole, FAILED)))
    assert (whole.delivery.tries, len(whole.delivery.attempts)) == (30, MOST_ATTEMPTS_KEPT)


def test_what_cannot_be_read_dies_whole_and_says_so() -> None:
    whole = plain(4)
    broken = whole.delivery.model_copy(update={"payload": b"\x1f\x8bgarbage"})
    dead = one(after_refusal(broken, REFUSED, NOW, broken.payload))
    assert (dead.state, dead.trouble and dead.trouble.code) == ("dead", "payload_unreadable")


def test_the_guard_holds_each_event_alone_and_lets_the_rest_go() -> None:
    whole = plain(5)
    merges = whole.delivery.model_copy(update={"lane": "merges"})
    parts = parts_of(looked_at(merges, [None, TROUBLE, None, TROUBLE, None], NOW, payload_of(whole)))
    assert [(part.delivery.state, part.delivery.lane, part.delivery.count) for part in parts] == [
        ("held", "merges", 1),
        ("held", "merges", 1),
        ("pending", "events", 3),
    ]
    assert sorted(str(event["distinct_id"]) for part in parts for event in events_of(part)) == [
        f"u{at}" for at in range(5)
    ]
    assert sum(row.count for part in parts for row in part.delivery.tally) == 5
    held = parts[0].delivery
    assert (held.trouble, held.due_at, held.expires_at) == (TROUBLE, None, NOW + timedelta(days=30))


def test_released_is_due_now_and_not_looked_at_again() -> None:
    merges = plain(1).delivery.model_copy(update={"lane": "merges"})
    held = one(looked_at(merges, [TROUBLE], NOW, merges.payload))
    again = replayed(held, NOW)
    assert (again.state, again.lane, again.due_at, again.expires_at) == ("pending", "events", NOW, None)
    gone = refused(held, NOW, TROUBLE)
    assert (gone.state, gone.expires_at, gone.due_at) == ("dead", NOW + timedelta(days=30), None)


@pytest.mark.parametrize(("state", "to"), [("pending", "delivered"), ("held", "dead"), ("dead", "pending")])
def test_a_move_takes_from_one_state_what_it_gives_to_the_other(state: str, to: str) -> None:
    held = plain(3).delivery.model_copy(update={"state": state})
    rows = moved(held, to)  # type: ignore[arg-type]
    assert [(row.name, getattr(row, state), getattr(row, to), row.accepted) for row in rows] == [("paid", -3, 3, 0)]
    assert moved(held, state) == ()  # type: ignore[arg-type]
