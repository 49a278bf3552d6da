"""How much of a stored bucket had come: carried forward where a sync asked again and found it unmoved, and only there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from functions.alerts.series.completing import LOOKED_BACK, of_day, of_hour
from functions.sync.windows import LOOK_BACK_DAYS
from hedgerow.models import Connection, SyncProgress

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
ARRIVALS = (60.0, 600.0, 3_600.0, 21_600.0)
TODAY = date(2026, 11, 20)


def connection(**progress: object) -> Connection:
    facts = {"last_success_day": TODAY, "asked_at": NOW, "newest_event_at": NOW, "arrivals": ARRIVALS, **progress}
    return Connection(
        id="con_1",
        tenant_id="ten_1",
        name="Shop",
        host="https://us.posthog.com",
        state="connected",
        state_since=NOW,
        tier="pro",
        created_at=NOW,
        progress=SyncProgress.model_validate(facts),
    )


def day(age: int, after: timedelta, name: str = "posthog_events", **progress: object) -> float:
    """The completeness of the day so many days ago, written so long after its end."""
    of = TODAY - timedelta(days=age)
    end = datetime(of.year, of.month, of.day, tzinfo=UTC) + timedelta(days=1)
    return of_day(connection(**progress), name, of, end + after, "UTC")


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_it_looks_back_as_far_as_the_sync_does() -> None:
    assert timedelta(days=LOOK_BACK_DAYS) == LOOKED_BACK


def test_a_closed_day_was_asked_for_again_by_later_syncs() -> None:
    assert day(1, MINUTE) == 1
    assert day(3, MINUTE) == 1
    assert day(20, MINUTE) == 1
    assert day(1, MINUTE, asked_at=None) == 0.5
    assert day(1, 10 * MINUTE, asked_at=None) == 0.9


def test_a_day_written_before_it_closed_stays_open() -> None:
    assert day(0, -8 * HOUR) == 0
    assert day(9, -8 * HOUR) == 0


def test_ingestion_that_is_behind_keeps_a_day_open_whenever_it_was_written() -> None:
    assert day(1, HOUR, newest_event_at=NOW - timedelta(hours=16), asked_at=NOW - timedelta(hours=6)) == 0
    # No newer event for twelve hours: the silence is believed.
    assert day(1, HOUR, newest_event_at=NOW - timedelta(hours=40)) > 0


def test_metrics_over_many_days_are_asked_for_once_after_midnight() -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    assert day(1, MINUTE, "posthog_mau", heavy_at=midnight + MINUTE) == 0.5
    assert day(2, MINUTE, "posthog_mau", heavy_at=midnight + MINUTE) == 1
    assert day(1, MINUTE, "posthog_new_users", heavy_at=midnight + 9 * HOUR) == 0.5


def test_what_is_listed_is_not_late() -> None:
    assert day(1, MINUTE, "posthog_feature_flags", newest_event_at=None) == 1
    assert day(0, -HOUR, "posthog_feature_flags") == 0


def test_a_write_after_the_facts_is_judged_by_its_age_alone() -> None:
    asked, newest = NOW - timedelta(days=2), NOW - timedelta(days=3)
    behind = date(2026, 11, 18)
    assert day(1, 10 * MINUTE, last_success_day=behind, asked_at=asked, newest_event_at=newest) == 0.9


@pytest.mark.parametrize(
    ("begin", "asked", "share"),
    [
        (
            NOW - timedelta(minutes=90),
            NOW - timedelta(minutes=30),
            1.0 - 0.01,
        ),  # Ended at 15:00, asked then, and again.
        (NOW - timedelta(minutes=30), NOW, 0.0),
        (NOW - timedelta(days=2), NOW - timedelta(days=1, hours=23), 1.0),
    ],
)
def test_hours_follow_the_same_rule(begin: datetime, asked: datetime, share: float) -> None:
    assert of_hour(connection(), int(begin.timestamp()), asked) == pytest.approx(share, abs=0.06)
