"""What merging an answer into the months does: only what moved is written, and past days that move are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from functions.sync import storing
from functions.sync.answers import Facts
from functions.sync.windows import Ask, Span
from hedgerow.months import Month, Point, Write

DAY = date(2026, 11, 19)
TODAY = date(2026, 11, 21)
WINDOW = Span(date(2026, 11, 18), TODAY)
EARLY = Write("run_early", datetime(2026, 11, 19, 12, tzinfo=UTC), "UTC", "qry")
CLOSED = Write("run_closed", datetime(2026, 11, 20, 0, 5, tzinfo=UTC), "UTC", "qry")
NOW = Write("run_now", datetime(2026, 11, 21, 12, tzinfo=UTC), "UTC", "qry")


def by(write: Write) -> Callable[[str, date], Write]:
    return lambda name, day: write


def month(name: str, day: date, value: float, write: Write) -> dict[str, Month]:
    held = Month("2026-11")
    held.put(name, day, Point(value, write))
    return {"2026-11": held}


def ask(**fields: object) -> Ask:
    known = {
        "zone": "UTC",
        "window": WINDOW,
        "again": None,
        "heavy": None,
        "ranked": WINDOW,
        "list_flags": False,
        "rechecked": 0,
    }
    return Ask(**{**known, **fields})  # type: ignore[arg-type]


def test_an_unmoved_complete_point_is_not_written_again() -> None:
    stored = storing.merge(month("posthog_dau", DAY, 5, CLOSED), {("posthog_dau", DAY): 5}, by(NOW))
    assert (stored.months, stored.points, dict(stored.changes)) == (set(), 0, {})


def test_a_point_that_becomes_complete_is_written_but_did_not_move() -> None:
    held = month("posthog_dau", DAY, 5, EARLY)
    stored = storing.merge(held, {("posthog_dau", DAY): 5}, by(NOW))
    assert (stored.months, stored.points, stored.days_changed) == ({"2026-11"}, 0, ())
    assert held["2026-11"].point("posthog_dau", DAY) == Point(5, NOW)


def test_a_complete_day_that_moves_is_told_with_old_and_new() -> None:
    stored = storing.merge(month("posthog_dau", DAY, 5, CLOSED), {("posthog_dau", DAY): 6}, by(NOW))
    assert stored.days_changed == (DAY,)
    assert [(c.metric, c.day, c.old, c.new) for c in stored.changes["2026-11"]] == [("posthog_dau", DAY, 5, 6)]


def test_an_incomplete_day_moves_without_being_a_change() -> None:
    stored = storing.merge(month("posthog_dau", DAY, 5, EARLY), {("posthog_dau", DAY): 6}, by(NOW))
    assert (stored.points, stored.days_changed) == (1, ())


def test_a_point_of_another_zone_is_rewritten_even_if_its_value_stayed() -> None:
    elsewhere = Write("run_tz", datetime(2026, 11, 21, 12, tzinfo=UTC), "Asia/Tokyo", "qry")
    stored = storing.merge(month("posthog_dau", DAY, 5, CLOSED), {("posthog_dau", DAY): 5}, by(elsewhere))
    assert stored.months == {"2026-11"}
    assert stored.days_changed == ()


def test_days_without_events_are_zero_for_everything_measured_there() -> None:
    facts = Facts(values={("event:a", DAY): 3, ("flag:f:on", DAY): 1}, events={"a": 3, "b": 1}, flags={"f": 1})
    points = storing.wanted(ask(), facts, {}, pinned=("signed up",))
    assert points["event:a", DAY] == 3
    assert {
        points[name, day] for name in ("event:b", "event:signed up", "posthog_events") for day in WINDOW.days()
    } == {0}
    assert points["event:a", TODAY] == 0
    assert points["flag:f:on", TODAY] == 0
    assert ("posthog_wau", DAY) not in points


def test_heavy_metrics_are_measured_on_heavy_days_only() -> None:
    points = storing.wanted(ask(heavy=Span(TODAY, TODAY)), Facts(), {}, pinned=())
    assert ("posthog_wau", TODAY) in points
    assert ("posthog_new_users", DAY) not in points


def test_an_event_that_fell_out_is_healed_where_it_has_points_and_nowhere_else() -> None:
    held = month("event:old", DAY, 4, CLOSED)
    points = storing.wanted(ask(), Facts(values={("event:old", DAY): 5, ("event:old", TODAY): 2}), held, pinned=())
    assert points["event:old", DAY] == 5
    assert ("event:old", TODAY) not in points


def test_names_with_points_in_the_asked_days_are_asked_again() -> None:
    held = month("event:old", DAY, 4, CLOSED)
    held["2026-11"].put("event:older", date(2026, 11, 2), Point(1, CLOSED))
    assert storing.tracked(held, [WINDOW], "event:") == ("old",)


def test_the_key_of_a_flag_series_ends_at_the_first_colon() -> None:
    assert storing.flag_keys(["a:b:c", "plain:on"]) == ("a", "plain")


def test_flags_have_a_gap_before_the_first_listing_and_yesterday_is_confirmed_after_it() -> None:
    assert storing.flags_points(None, TODAY, {}) == {}
    assert storing.flags_points(7, TODAY, {}) == {("posthog_feature_flags", TODAY): 7}
    held = month("posthog_feature_flags", date(2026, 11, 20), 6, CLOSED)
    assert storing.flags_points(None, TODAY, held) == {("posthog_feature_flags", date(2026, 11, 20)): 6}


def test_trailing_days_behind_the_window_are_measured_again_where_they_are_held() -> None:
    behind = Span(date(2026, 11, 10), TODAY)
    held = month("posthog_wau", date(2026, 11, 20), 3, CLOSED)
    narrow = ask(window=Span(date(2026, 11, 10), date(2026, 11, 10)), heavy=behind)
    days = {day for name, day in storing.wanted(narrow, Facts(), held, pinned=()) if name == "posthog_mau"}
    assert days == {date(2026, 11, 10), date(2026, 11, 20)}
