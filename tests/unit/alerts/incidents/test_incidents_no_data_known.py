"""What a missing point means, and until when anything is known at all: late is not low."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import NoData, Threshold
from functions.alerts.conditions.series import HOUR, Series, Verdict
from functions.alerts.incidents import missing
from functions.alerts.records import AlertRule
from functions.alerts.spec import MetricSeries, Policy
from hedgerow.models import SyncProgress

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
START = int(BEGIN.timestamp())


def series_of(hours: int, until: float) -> Series:
    """Points for so many hours from midnight, looked at so many hours after it."""
    begins = [START + hour * HOUR for hour in range(hours)]
    return Series("events", HOUR, begins, [100.0] * hours, START + int(until * HOUR))


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def asked_at(hours: float) -> SyncProgress:
    return SyncProgress(last_success_at=at(hours))


@pytest.mark.parametrize(
    ("until", "asked", "newest", "fires"),
    [
        (12.1, 12.0, 11.9, True),  # Other events came, these did not.
        (12.1, 8.2, 8.1, False),  # No sync has asked since eight.
        (14.1, 14.0, 8.0, False),  # Nothing newer came of any event: ingestion is six hours late.
        (24.1, 24.0, 8.0, True),  # … and half a day later that is silence.
    ],
)
def test_no_data_is_judged_by_what_is_known(until: float, asked: float, newest: float, fires: bool) -> None:
    progress = SyncProgress(last_success_at=at(asked), newest_event_at=at(newest))
    condition = NoData(buckets=2)
    known = missing.as_known(condition, series_of(8, until), progress)
    assert (judging.judge(condition, known).state == "firing") is fires


def test_other_conditions_see_the_series_as_of_the_newest_sync() -> None:
    series = series_of(8, 12)
    assert missing.as_known(Threshold(below=1), series, asked_at(8)) == replace(series, until=START + 8 * HOUR)
    assert missing.as_known(Threshold(below=1), series, asked_at(13)) == series
    assert missing.as_known(Threshold(below=1), series, SyncProgress()) is series


@pytest.mark.parametrize(
    ("until", "asked", "bucket"), [(9.9, 9.9, None), (10.1, 9.9, None), (10.1, 10.0, 9), (12.5, 12.5, 11)]
)
def test_a_bucket_is_missing_once_it_ended_and_a_sync_asked(until: float, asked: float, bucket: int | None) -> None:
    found = missing.missing_bucket(series_of(9, until), asked_at(asked))
    assert found == (START + bucket * HOUR if bucket is not None else None)


@pytest.mark.parametrize(
    ("asked", "newest", "bucket"),
    [
        (14.0, 13.9, 12),  # Other events came, these did not.
        (14.0, 9.9, None),  # Nothing newer came of any event: ingestion is late.
        (14.0, 11.5, 10),
        (22.0, 9.9, 9),  # Half a day later what has not come by then is missing.
    ],
)
def test_what_may_be_late_is_not_missing(asked: float, newest: float, bucket: int | None) -> None:
    progress = SyncProgress(last_success_at=at(asked), newest_event_at=at(newest))
    found = missing.missing_bucket(series_of(9, asked), progress)
    assert found == (START + bucket * HOUR if bucket is not None else None)


def test_nothing_is_missing_from_what_never_was() -> None:
    assert missing.missing_bucket(series_of(0, 5), asked_at(5)) is None
    assert missing.missing_bucket(series_of(3, 9), SyncProgress()) is None


@pytest.mark.parametrize(
    ("points", "silent", "bucket"),
    [
        (4, (4, 5, 6, 7, 8), None),  # Too little happened since four: measured, and nothing is missing.
        (4, (4, 5), 8),  # … and here nothing was measured after six.
        (8, (3,), 8),  # Silent long before, then gone: the newest of both counts.
        (0, (5, 6, 7, 8), None),
        (0, (5,), 8),
    ],
)
def test_a_silent_bucket_is_not_missing(points: int, silent: tuple[int, ...], bucket: int | None) -> None:
    series = replace(series_of(points, 9.1), silent=tuple(START + hour * HOUR for hour in silent))
    found = missing.missing_bucket(series, asked_at(9.1))
    assert found == (START + bucket * HOUR if bucket is not None else None)


@pytest.mark.parametrize(("policy", "state"), [("keep", "errored"), ("firing", "firing"), ("not_firing", "not_firing")])
def test_the_policy_decides(policy: str, state: str) -> None:
    rule = AlertRule(
        id="rule_1",
        tenant_id="ten_1",
        connection_id="con_1",
        name="rule",
        series=MetricSeries(name="posthog_events", grain="hour"),
        condition=Threshold(below=1),
        policy=Policy.model_validate({"no_data": policy}),
        created_at=BEGIN,
        updated_at=BEGIN,
    )
    verdict = Verdict("errored", "said", "as it was judged")
    decided = missing.with_policy(verdict, rule, series_of(3, 9), asked_at(9))
    assert decided.state == state
    assert decided.recovered is (policy == "not_firing")
