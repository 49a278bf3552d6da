"""Slots and retention by tier."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import tiers
from hedgerow.models import Connection, Tier

RULES = tiers.load()
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def connection(tier: Tier, number: int = 1, **fields: object) -> Connection:
    known = {
        "id": f"con_{number}",
        "tenant_id": "ten_1",
        "name": "shop",
        "host": "https://us.posthog.com",
        "project_id": "1",
        "secret_ref": "con_1/1",
        "state": "connected",
        "state_since": NOW,
        "tier": tier,
        "created_at": NOW,
    }
    return Connection.model_validate({**known, **fields})


def test_tiers_are_what_the_product_promises() -> None:
    assert {tier: (rules.every, rules.kept_days) for tier, rules in RULES.items()} == {
        "starter": (None, 3),
        "basic": (None, 30),
        "pro": (timedelta(hours=3), None),
        "scale": (timedelta(minutes=30), None),
    }


@given(st.integers(0, 10_000), st.integers(0, 10_000_000), st.sampled_from(["pro", "scale"]))
def test_slots_follow_each_other_at_the_interval_and_never_lie_in_the_past(
    number: int, seconds: int, tier: Tier
) -> None:
    here, now = connection(tier, number), NOW + timedelta(seconds=seconds)
    every = RULES[tier].every
    due = tiers.next_due(here, RULES, now)
    assert due is not None
    assert every is not None
    assert now < due <= now + every
    assert tiers.next_due(here, RULES, due) == due + every


def test_connections_are_spread_over_the_interval() -> None:
    minutes = [
        due.minute + 60 * due.hour for n in range(600) if (due := tiers.next_due(connection("pro", n), RULES, NOW))
    ]
    per_fifteen = [sum(1 for minute in minutes if (minute - 600) // 15 == slot) for slot in range(12)]
    assert min(per_fifteen) > 20


def test_a_slower_schedule_is_kept_and_a_faster_one_is_not() -> None:
    slow = connection("scale", every=timedelta(hours=6))
    fast = connection("pro", every=timedelta(minutes=5))
    assert tiers.interval(slow, RULES) == timedelta(hours=6)
    assert tiers.interval(fast, RULES) == timedelta(hours=3)


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "paused"},
        {"state": "needs_attention"},
        {"state": "disconnecting"},
        {"state": "disconnected"},
        {"secret_ref": None},
        {"project_id": None},
        {"activity_tracking": False},
        {"tier": "starter"},
        {"tier": "basic"},
    ],
)
def test_nothing_is_scheduled_where_nothing_can_or_may_sync(fields: dict[str, object]) -> None:
    here = connection("pro").model_copy(update=fields)
    assert tiers.next_due(here, RULES, NOW) is None


def test_a_day_is_kept_until_that_many_days_after_it_ended() -> None:
    today = date(2026, 11, 21)
    assert tiers.oldest_kept("starter", RULES, today) == date(2026, 11, 18)
    assert tiers.oldest_kept("basic", RULES, today) == date(2026, 10, 22)
    assert tiers.oldest_kept("scale", RULES, today) is None
