"""HogQL as PostHog means it: zones, limits, nulls, types, scopes; and what is refused instead of guessed."""

from typing import Any

import pytest

from local.posthog.hogql import OFFSET_REFUSED
from tests.unit.local_posthog.conftest import Caller


def at(timestamp: str, event: str = "a", distinct_id: str = "u", **properties: Any) -> dict[str, Any]:
    return {"event": event, "distinct_id": distinct_id, "timestamp": timestamp, "properties": properties}


async def test_columns_and_literals_are_in_the_projects_zone(caller: Caller) -> None:
    caller.posthog.change_project(timezone="Europe/Berlin")
    await caller.capture(at("2025-05-01T21:59:00Z"), at("2025-05-01T22:01:00Z"))
    rows = await caller.rows("select toDate(timestamp), toHour(timestamp), timestamp from events order by timestamp")
    assert rows == [
        ["2025-05-01", 23, "2025-05-01T23:59:00+02:00"],
        ["2025-05-02", 0, "2025-05-02T00:01:00+02:00"],
    ]
    later = "select count() from events where timestamp >= "
    assert await caller.rows(later + "'2025-05-02 00:00:00'") == [[1]]
    assert await caller.rows(later + "toDateTime('2025-05-02 00:00:00')") == [[1]]
    assert await caller.rows(later + "toDateTime({day})", day="2025-05-02") == [[1]]
    assert await caller.rows("select timeZoneOf(now()), toString(toDateTime(0))") == [
        ["Europe/Berlin", "1970-01-01 01:00:00"]
    ]


async def test_without_conversion_columns_are_utc_and_zones_are_named(caller: Caller) -> None:
    caller.posthog.change_project(timezone="Europe/Berlin")
    await caller.capture(at("2025-05-01T22:01:00Z"))
    query = "select toDate(timestamp), toDate(toTimeZone(timestamp, {zone})), timestamp from events"
    rows = await caller.rows(query, converts_zone=False, zone="Europe/Berlin")
    assert rows == [["2025-05-01", "2025-05-02", "2025-05-01T22:01:00Z"]]


@pytest.mark.parametrize(
    ("zone", "first_utc", "hours"),
    [
        ("Europe/Berlin", "2025-03-29T23:30:00Z", 23),
        ("Europe/Berlin", "2025-10-25T22:30:00Z", 25),
        ("Australia/Lord_Howe", "2025-04-05T13:30:00Z", 24),
        ("Asia/Kathmandu", "2025-06-09T18:45:00Z", 24),
    ],
)
async def test_days_with_a_clock_change_hold_all_their_hours(
    caller: Caller, zone: str, first_utc: str, hours: int
) -> None:
    from datetime import datetime, timedelta

    caller.posthog.change_project(timezone=zone)
    first = datetime.fromisoformat(first_utc)
    caller.posthog.clock.move_to(first + timedelta(days=3))
    await caller.capture(*(at((first + timedelta(hours=n)).isoformat()) for n in range(-2, 28)))
    for query, converts in (
        ("select toDate(timestamp) as day, count() from events group by day order by day", True),
        (
            "select toDate(toTimeZone(timestamp, {zone})) as day, count() from events group by day order by day",
            False,
        ),
    ):
        rows = await caller.rows(query, converts_zone=converts, zone=zone)
        assert rows[1][1] == hours
        assert sum(count for _, count in rows) == 30


async def test_the_repeated_hour_keeps_its_two_offsets(caller: Caller) -> None:
    caller.posthog.change_project(timezone="Europe/Berlin")
    caller.posthog.clock.move_to(caller.posthog.clock.now().replace(month=11))
    await caller.capture(at("2025-10-26T00:30:00Z"), at("2025-10-26T01:30:00Z"))
    rows = await caller.rows("select timestamp, [timestamp], tuple(1, timestamp) from events order by timestamp")
    summer, winter = "2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"
    assert rows == [[summer, [summer], [1, summer]], [winter, [winter], [1, winter]]]


async def test_default_limit_page_and_cap(caller: Caller) -> None:
    answer = (await caller.ask("select number from numbers(200)")).json()
    assert (len(answer["results"]), answer["hasMore"], answer["limit"], answer["offset"]) == (100, True, 100, 0)
    answer = (await caller.ask("select number from numbers(100)")).json()
    assert (len(answer["results"]), answer["hasMore"]) == (100, False)
    answer = (await caller.ask("select number from numbers(200) limit 150")).json()
    assert len(answer["results"]) == 150
    assert not {"hasMore", "limit", "offset"} & set(answer)
    assert len(await caller.rows("select number from numbers(60000) limit 60000")) == 50_000


async def test_limits_bind_to_the_arms_of_a_union(caller: Caller) -> None:
    # The arms answer in whatever order they are done.
    assert sorted(await caller.rows("select 1 union all select 2 limit 1")) == [[1], [2]]
    arms = "select number from numbers(150) union all select number from numbers(150)"
    assert len(await caller.rows(arms)) == 200
    assert len(await caller.rows(f"select * from ({arms}) limit 1000")) == 300
    assert len(await caller.rows(f"select number from ({arms} limit 5) limit 1000")) == 155


@pytest.mark.parametrize(
    "query",
    [
        "select 1 limit 5 offset 2",
        "select 1 limit 2, 5",
        "select event from (select event from events limit 1 offset 1)",
        "select event from events limit 1 offset 1 by event",
        "with a as (select 1 limit 1 offset 1) select * from a",
    ],
)
async def test_offset_is_refused_anywhere(caller: Caller, query: str) -> None:
    assert await caller.refusal(query) == {
        "type": "validation_error",
        "code": "hogql_query_error",
        "detail": OFFSET_REFUSED,
        "attr": None,
    }


async def test_comparisons_treat_null_as_a_value(caller: Caller) -> None:
    await caller.capture(
        at("2025-05-01T00:00:00Z", "has", p="x", q="x"),
        at("2025-05-01T00:00:00Z", "other", p="y"),
        at("2025-05-01T00:00:00Z", "none"),
    )

    async def those(condition: str) -> list[str]:
        found = await caller.rows(f"select event from events where {condition} order by event")
        return [event for (event,) in found]

    assert await those("properties.p = 'x'") == ["has"]
    assert await those("properties.p != 'x'") == ["none", "other"]
    assert await those("properties.p not like 'x%'") == ["none", "other"]
    assert await those("properties.p = properties.q") == ["has", "none"]
    assert await those("properties.p != properties.q") == ["other"]
    assert await those("properties.p = null") == ["none"]
    assert await those("properties.p is not null") == ["has", "other"]
    assert await those("not (properties.p > 'x')") == ["has", "none"]
    assert await caller.rows("select null = null, 1 = null, 1 != null, null != null") == [[1, 0, 1, 0]]


async def test_property_types_come_from_what_was_first_seen(caller: Caller) -> None:
    await caller.capture(
        at(
            "2025-05-01T00:00:00Z",
            n=1.5,
            flag=True,
            when="2025-05-01T10:00:00Z",
            text="abc",
            nested={"a": {"b": 7}},
            nothing=None,
            empty="",
        ),
        at("2025-05-01T00:00:01Z", n="not a number", text=5),
    )
    rows = await caller.rows(
        "select properties.n, properties.flag, properties.when, properties.text, properties.nested.a.b, "
        "properties.nothing, properties.empty, properties['text'] from events order by timestamp"
    )
    assert rows == [
        [1.5, True, "2025-05-01T10:00:00Z", "abc", "7", None, "", "abc"],
        [None, None, None, "5", None, None, None, "5"],
    ]
    assert await caller.rows("select count() from events where properties.n > 1") == [[1]]
    refused = await caller.refusal("select count() from events where properties.text > 1")
    assert refused["code"] == "no_common_type"
    through = "select properties.n from (select properties from events where event = 'a' order by timestamp limit 1)"
    assert await caller.rows(through) == [[1.5]]


async def test_conversions_are_null_safe(caller: Caller) -> None:
    [row] = await caller.rows(
        "select toInt('x'), toInt('7'), toFloat('1.5'), toFloat(null), toDate('nope'), toDate('2025-05-01'), "
        "toDateTime('nope'), toUUID('x'), toString(5), toBool('true')"
    )
    assert row == [None, 7, 1.5, None, None, "2025-05-01", None, None, "5", True]


async def test_clock_functions_follow_the_local_clock(caller: Caller) -> None:
    rows = await caller.rows("select now(), today(), yesterday(), toDate(now() - interval 7 day)")
    assert rows == [["2025-06-15T12:00:00Z", "2025-06-15", "2025-06-14", "2025-06-08"]]


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        ("select foo(1)", "hogql_query_error", "Unsupported function call 'foo(...)'."),
        ("select file('/etc/passwd')", "hogql_query_error", "Unsupported function call 'file(...)'."),
        ("select getSetting('readonly')", "hogql_query_error", "Unsupported function call 'getSetting(...)'."),
        ("select joinGet('a', 'b', 1)", "hogql_query_error", "Unsupported function call 'joinGet(...)'."),
        ("select sleep(3)", "hogql_query_error", "Unsupported function call 'sleep(...)'."),
        ("select x from events", "hogql_query_error", "Unable to resolve field: x"),
        ("select 1 from foo", "hogql_query_error", "Unknown table `foo`."),
        ("select * from system.tables", "hogql_query_error", "Unknown table `system.tables`."),
        ("select * from url('http://x')", "hogql_query_error", "Unknown table `url`."),
        ("select {x}", "hogql_query_error", "Unresolved placeholder: {x}"),
        ("selec 1", "hogql_syntax_error", ""),
        ("select 1 from events sample 0.1", "hogql_query_error", "SAMPLE is not supported"),
        ("select person_id in cohort 5 from events", "hogql_query_error", "Comparison 'in cohort'"),
        ("select event as a, event as a from events", "hogql_query_error", "Cannot redefine an alias"),
        ("select event from events e join events e on 1 = 1", "hogql_query_error", "Already have joined"),
        (
            "select event from events a join events b on a.uuid = b.uuid",
            "hogql_query_error",
            "Ambiguous query. Found multiple sources for field: event",
        ),
        ("select event, count() from events", "not_an_aggregate", ""),
        ("select sum(count()) from events", "illegal_aggregation", ""),
        ("select toHour('x')", "illegal_type_of_argument", ""),
        ("select length(1, 2)", "number_of_arguments_doesnt_match", ""),
    ],
)
async def test_refusals(caller: Caller, query: str, code: str, detail: str) -> None:
    refused = await caller.refusal(query)
    assert (refused["type"], refused["code"], refused["attr"]) == ("validation_error", code, None)
    assert refused["detail"].startswith(detail)


async def test_settings_and_second_statements_are_no_way_in(caller: Caller) -> None:
    for query in ("select 1 settings readonly = 0", "select 1; drop table events", "insert into events values (1)"):
        assert (await caller.refusal(query))["code"] == "hogql_syntax_error"
    hostile = "'); DROP TABLE events; --\\"
    assert await caller.rows("select {x} as `a``b`", x=hostile) == [[hostile]]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("with a as (select 1 as x), 5 as y select x + y from a", [[6]]),
        ("with a as (select 1 as x), b as (select x + 1 as x from a) select a.x, b.x from a cross join b", [[1, 2]]),
        ("select x from (select 1 as x) where x in (select 1 union all select 2)", [[1]]),
        ("select n, s from (select 1 as n) array join ['a', 'b'] as s", [[1, "a"], [1, "b"]]),
        ("select arrayJoin([1, 2]) as x", [[1], [2]]),
        ("select p.1, p.2 from (select arrayJoin([tuple('a', 1), tuple('b', 2)]) as p)", [["a", 1], ["b", 2]]),
        ("select arrayMap(x -> x * 2, [1, 2]), arrayFilter((x, i) -> i > 1, [5, 6], [1, 2])", [[[2, 4], [6]]]),
        ("select number, sum(number) over (order by number) from numbers(3)", [[0, 0], [1, 1], [2, 3]]),
        ("select lagInFrame(number, 1, 9) over (order by number) from numbers(2)", [[9], [0]]),
        (
            ("select number, max(number) over w as m from numbers(3) window w as (order by number "
            "rows between current row and unbounded following)"),
            [[0, 2], [1, 2], [2, 2]],
        ),
        ("select number % 2 as k, count() as c from numbers(5) group by k having c > 2", [[0, 3]]),
        ("select number from numbers(6) order by number limit 1 by number % 2 limit 5", [[0], [1]]),
        ("select a.number, b.number from numbers(2) a left join numbers(1) b on a.number = b.number order by 1", None),
        ("select 1 union distinct select 1", [[1]]),
        ("select number from numbers(3) intersect select 2", [[2]]),
        ("select case when 1 > 2 then 'a' when 2 > 1 then 'b' else 'c' end, 1 > 2 ? 'x' : 'y'", [["b", "y"]]),
        ("select 5 between 1 and 10, 5 not between 1 and 10, -5 + 3, 7 % 4, 'a' || 'b'", [[1, 0, -2, 3, "ab"]]),
        ("select concat('a', 1, null), coalesce(null, 'x'), null ?? 'y', 'abc' =~ 'B', 'abc' =~* 'B'", None),
        ("select count(distinct number % 3), countIf(number > 2), uniq(number) from numbers(5)", [[3, 2, 5]]),
        ("select sum(number) filter (where number > 2) from numbers(5)", [[7]]),
        ("select quantile(0.5)(number), quantiles(0.5, 1)(number) from numbers(5)", [[2.0, [2.0, 4.0]]]),
        ("select dateDiff('day', toDate('2025-03-29'), toDate('2025-03-31')), toUnixTimestamp(toDate('1970-01-02'))",
         [[2, 86400]]),
        ("select addDays(toDate('2025-02-28'), offset) as d from (select 1) array join range(2) as offset",
         [["2025-02-28"], ["2025-03-01"]]),
        ("select [1, 2, 3][2], [1, 2, 3][2:3], tuple(1, 'a').2, cast('5' as Int64), '5'::int", [[2, [2, 3], "a", 5, 5]]),
        ("select 1 from numbers(3) qualify row_number() over (order by number) = 1", [[1]]),
    ],
)  # fmt: skip
async def test_the_breadth_of_the_language(caller: Caller, query: str, rows: list[list[Any]] | None) -> None:
    found = await caller.rows(query)
    assert found == rows if rows is not None else found


async def test_columns_types_and_the_rest_of_the_answer(caller: Caller) -> None:
    caller.posthog.change_project(timezone="Asia/Tokyo")
    await caller.capture(at("2025-05-01T00:00:00Z"))
    answer = (
        await caller.ask(
            "select event, count() as c, toDate( timestamp ), events.uuid from events group by all limit 5"
        )
    ).json()
    assert answer["columns"] == ["event", "c", "toDate( timestamp )", "uuid"]
    assert answer["types"] == [
        ["event", "String"], ["c", "UInt64"], ["toDate( timestamp )", "Date"], ["uuid", "UUID"],
    ]  # fmt: skip
    assert answer["timezone"] == "Asia/Tokyo"
    assert answer["is_cached"] is False
    assert answer["error"] is None
    assert {"hogql", "clickhouse", "query", "timings", "modifiers", "cache_key", "last_refresh"} <= set(answer)
