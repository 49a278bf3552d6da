"""What a run asks about: look-back, the slow re-check of the older month, heavy days, listings."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from functions.sync.windows import Ask, Span, ask_of, scheduled_window
from hedgerow.models import Connection, SyncProgress, SyncRun

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def connection(**progress: object) -> Connection:
    return Connection(
        id="con_1",
        tenant_id="ten_1",
        name="shop",
        host="https://us.posthog.com",
        project_id="1",
        secret_ref="con_1/1",
        state="connected",
        state_since=NOW,
        tier="pro",
        created_at=NOW,
        progress=SyncProgress.model_validate(progress),
    )


def run(kind: str, first: date, last: date) -> SyncRun:
    return SyncRun.model_validate(
        {
            "id": "run_1",
            "connection_id": "con_1",
            "tenant_id": "ten_1",
            "kind": kind,
            "state": "running",
            "from_day": first,
            "to_day": last,
            "created_at": NOW,
        }
    )


def day_of_asks(every: timedelta) -> list[Ask]:
    """A whole local day of scheduled runs, each leaving its progress to the next."""
    here = connection(last_success_day=date(2026, 11, 20), flags_at=NOW - timedelta(days=1))
    asks: list[Ask] = []
    now = datetime(2026, 11, 21, 0, 7, tzinfo=UTC)
    while now.date() == date(2026, 11, 21):
        window = scheduled_window(here, now)
        ask = ask_of(here, run("scheduled", window.first, window.last), now, every)
        asks.append(ask)
        update = {"recheck_day": now.date(), "rechecked": ask.rechecked, "last_success_day": now.date()}
        if ask.heavy:
            update["heavy_at"] = now
        if ask.list_flags:
            update["flags_at"] = now
        here = here.model_copy(update={"progress": here.progress.model_copy(update=update)})
        now += every
    return asks


def test_scheduled_window_looks_back_three_days_from_the_last_success() -> None:
    assert scheduled_window(connection(last_success_day=date(2026, 11, 21)), NOW) == Span(
        date(2026, 11, 18), date(2026, 11, 21)
    )
    assert scheduled_window(connection(last_success_day=date(2026, 11, 10)), NOW) == Span(
        date(2026, 11, 7), date(2026, 11, 21)
    )


def test_first_scheduled_window_is_thirty_days_and_a_long_sleep_is_bounded() -> None:
    assert scheduled_window(connection(), NOW).length == 30
    assert scheduled_window(connection(last_success_day=date(2025, 1, 1)), NOW).length == 90


def test_a_day_of_runs_re_checks_every_day_of_the_older_month_once() -> None:
    for every in (timedelta(hours=3), timedelta(minutes=30), timedelta(hours=24)):
        asks = day_of_asks(every)
        again = [day for ask in asks if ask.again for day in ask.again.days()]
        assert len(again) == len(set(again))
        assert set(again) | set(asks[0].window.days()) | set(asks[-1].window.days()) == set(
            Span(date(2026, 10, 23), date(2026, 11, 21)).days()
        )


def test_heavy_families_run_over_the_month_after_midnight_then_for_today_every_three_hours() -> None:
    heavies = [ask.heavy for ask in day_of_asks(timedelta(minutes=30))]
    asked = [heavy for heavy in heavies if heavy is not None]
    assert asked[0] == Span(date(2026, 10, 23), date(2026, 11, 21))
    assert set(asked[1:]) == {Span(date(2026, 11, 21), date(2026, 11, 21))}
    assert len(asked) == 8


def test_flags_are_listed_at_most_every_six_hours_and_only_for_today() -> None:
    assert sum(ask.list_flags for ask in day_of_asks(timedelta(minutes=30))) == 4
    past = ask_of(connection(), run("refresh", date(2026, 10, 1), date(2026, 10, 7)), NOW, None)
    assert not past.list_flags


def test_refresh_asks_every_family_for_its_whole_window() -> None:
    ask = ask_of(connection(), run("refresh", date(2026, 10, 1), date(2026, 10, 7)), NOW, None)
    assert ask.window == Span(date(2026, 10, 1), date(2026, 10, 7))
    assert ask.again is None


def test_trailing_metrics_are_asked_as_far_as_an_event_of_the_window_reaches() -> None:
    past = ask_of(connection(), run("refresh", date(2026, 10, 1), date(2026, 10, 7)), NOW, None)
    assert past.heavy == Span(date(2026, 10, 1), date(2026, 11, 5))
    recent = ask_of(connection(), run("refresh", date(2026, 11, 15), date(2026, 11, 21)), NOW, None)
    assert recent.heavy == recent.window


def test_an_instant_of_a_clock_that_was_ahead_counts_as_never() -> None:
    ahead = connection(
        flags_at=NOW + timedelta(days=200), heavy_at=NOW + timedelta(days=200), last_success_day=NOW.date()
    )
    ask = ask_of(ahead, run("scheduled", date(2026, 11, 18), date(2026, 11, 21)), NOW, timedelta(hours=3))
    assert ask.list_flags
    assert ask.heavy is not None


def test_months_of_an_ask_hold_every_day_it_may_write() -> None:
    ask = day_of_asks(timedelta(hours=3))[0]
    assert ask.months() == ["2026-10", "2026-11"]


YEARS = (2024, 2025, 2026, 2027, 2028)  # Two of them leap years.


def every_day() -> list[date]:
    return list(Span(date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31)).days())


def test_a_scheduled_run_reads_two_months_at_most_on_every_day_of_leap_years_and_others() -> None:
    for today in every_day():
        for slept in (timedelta(0), timedelta(days=1)):
            for first_of_day in (True, False):
                ask = scheduled(today, slept=slept, first_of_day=first_of_day)
                assert len(ask.months()) <= 2, today
                assert ask.months()[-1] == f"{today:%Y-%m}"


def test_only_the_first_of_march_of_a_short_february_leaves_out_a_day_and_that_was_asked_the_day_before() -> None:
    for today in every_day():
        seen = asked_on(today)
        thirty = set(Span(today - timedelta(days=29), today).days())
        left_out = thirty - seen
        is_short = (today.month, today.day) == (3, 1) and today.year % 4 != 0
        assert left_out == ({date(today.year, 1, 31)} if is_short else set()), today
        if is_short:
            assert left_out < asked_on(today - timedelta(days=1))


def test_each_day_is_asked_about_for_29_days_at_the_least_and_30_as_a_rule() -> None:
    times = Counter(day for today in every_day() for day in asked_on(today))
    for day in Span(date(2024, 1, 1), date(2028, 11, 30)).days():
        is_last_of_a_january = (day.month, day.day) == (1, 31) and day.year % 4 != 0
        assert times[day] == (29 if is_last_of_a_january else 30), day


def test_heavy_families_cover_the_same_days_after_each_midnight() -> None:
    cases = {
        date(2026, 3, 1): date(2026, 2, 1),
        date(2026, 3, 2): date(2026, 2, 1),
        date(2026, 3, 3): date(2026, 2, 2),
        date(2028, 3, 1): date(2028, 2, 1),
        date(2028, 2, 29): date(2028, 1, 31),
        date(2026, 2, 28): date(2026, 1, 30),
        date(2026, 1, 1): date(2025, 12, 3),
        date(2026, 12, 31): date(2026, 12, 2),
    }
    for today, first in cases.items():
        assert scheduled(today).heavy == Span(first, today)


def test_a_long_sleep_over_february_reads_every_month_it_missed() -> None:
    ask = scheduled(date(2026, 3, 1), slept=timedelta(days=45))
    assert ask.months() == ["2026-01", "2026-02", "2026-03"]


def test_hours_are_kept_by_utc_month_around_new_year_and_the_first_of_march() -> None:
    assert scheduled(date(2026, 1, 1)).utc_months() == ["2025-12", "2026-01"]
    assert scheduled(date(2026, 3, 1)).utc_months() == ["2026-01", "2026-02", "2026-03"]
    assert scheduled(date(2026, 3, 1), first_of_day=False).utc_months() == ["2026-02", "2026-03"]


def scheduled(today: date, *, slept: timedelta = timedelta(0), first_of_day: bool = True) -> Ask:
    """A scheduled run at noon; the last success was so long before. Not the first of its day: asked all until ten."""
    now = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    here = connection(last_success_day=today - slept)
    if not first_of_day:
        here = connection(last_success_day=today, heavy_at=now - timedelta(hours=2), recheck_day=today, rechecked=11)
    window = scheduled_window(here, now)
    return ask_of(here, run("scheduled", window.first, window.last), now, timedelta(minutes=30))


def asked_on(today: date) -> set[date]:
    """Every day that a day's scheduled runs ask about, four of them, each going on where the last one stopped."""
    here = connection(last_success_day=today)
    seen: set[date] = set()
    every = timedelta(hours=6)
    for hour in (0, 6, 12, 18):
        now = datetime(today.year, today.month, today.day, hour, 7, tzinfo=UTC)
        window = scheduled_window(here, now)
        ask = ask_of(here, run("scheduled", window.first, window.last), now, every)
        seen |= set(ask.light_days())
        progress = {"recheck_day": today, "rechecked": ask.rechecked, "last_success_day": today, "heavy_at": now}
        here = connection(**progress)
    return seen
