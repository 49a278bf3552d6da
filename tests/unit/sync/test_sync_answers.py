"""Which answers of the combined query are believed, and why the others are not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from functions.sync.answers import AnswerCutError, AnswerMalformedError, read
from functions.sync.asking import Answer, Asked, ask_all
from functions.sync.hogql import BESIDE, HEAVY, LIGHT, Question
from functions.sync.windows import Span
from hedgerow.errors import OutboundError
from hedgerow.measure_hogql import HOUR_DAY, LIMIT
from hedgerow.measures import Measure

COLUMNS = ("day", "metric", "value")
END = ["2099-12-31", "~end", 0.0]
MONTH = Span(date(2026, 10, 1), date(2026, 10, 30))


def test_points_and_rankings_are_told_apart() -> None:
    rows = [
        ["2026-10-01", "posthog_dau", 3.0],
        ["2026-10-01", "posthog_session_duration", 12.3456789],
        ["2099-12-30", "event:sign up", 7.0],
        ["2099-12-30", "flag:a:b", 2.0],
        END,
    ]
    facts = read(COLUMNS, rows, has_more=False)
    assert facts.values == {
        ("posthog_dau", date(2026, 10, 1)): 3,
        ("posthog_session_duration", date(2026, 10, 1)): 12.345679,
    }
    assert (facts.events, facts.flags, facts.rows) == ({"sign up": 7}, {"a:b": 2}, 2)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["2026-10-01", "posthog_dau", 3.0]],
        [["2026-10-01", "posthog_dau", 3.0]] * LIMIT,
        [["2026-10-01", "posthog_dau", 3.0]] * (LIMIT - 1) + [END],
    ],
    ids=["empty", "last row missing", "exactly the limit", "the limit with its end"],
)
def test_an_answer_that_may_be_cut_is_not_believed(rows: list[list[object]]) -> None:
    with pytest.raises(AnswerCutError):
        read(COLUMNS, rows, has_more=False)


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (("day", "value", "metric"), ["2026-10-01", "posthog_dau", 3.0]),
        (COLUMNS, ["yesterday", "posthog_dau", 3.0]),
        (COLUMNS, ["2026-10-01", "posthog_dau", "3"]),
        (COLUMNS, ["2026-10-01", "posthog_dau", None]),
        (COLUMNS, ["2026-10-01", "posthog_dau", -1.0]),
        (COLUMNS, ["2026-10-01", "posthog_dau", float("nan")]),
        (COLUMNS, ["2026-10-01", "posthog_dau", True]),
        (COLUMNS, ["2026-10-01", "posthog_dau", 10**400]),
        (COLUMNS, ["2026-10-01", "posthog_dau", 1.7]),
        (COLUMNS, ["2026-10-01", "event:\ud800", 3.0]),
        (COLUMNS, ["2026-10-01", "visitors", 3.0]),
        (COLUMNS, [20261001, "posthog_dau", 3.0]),
    ],
)
def test_an_answer_of_another_form_is_refused(columns: Sequence[str], row: list[object]) -> None:
    with pytest.raises(AnswerMalformedError):
        read(columns, [row, END], has_more=False)


def test_doubled_rows_are_refused() -> None:
    row: list[object] = ["2026-10-01", "posthog_dau", 3.0]
    with pytest.raises(AnswerMalformedError, match="doubled"):
        read(COLUMNS, [row, row, END], has_more=False)


@dataclass
class Told:
    """One answer of a PostHog that can take only so much at a time."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    timezone: str | None = "UTC"
    has_more: bool = False


class SmallPostHog:
    """Refuses what spans more than `most_days` days or, where `one_family`, several families."""

    def __init__(self, most_days: int, *, one_family: bool = False, refusal: str = "query_too_heavy") -> None:
        self.most_days = most_days
        self.one_family = one_family
        self.refusal = refusal
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    async def __call__(self, hogql: str, values: Mapping[str, object], /) -> Answer:
        self.asked.append((hogql, values))
        if "select event as name" in hogql:
            return Told(("name", "times"), [["a", 2], ["b", 1], ["~end", 0]])
        if "select name, times" in hogql and "measure:" in hogql:
            series: list[str] = re.findall(r"concat\('(measure:[^']+)'", hogql)
            return Told(("name", "times"), [[f"{name}pro", 2] for name in series] + [["~end", 0]])
        if "as name, count() as times" in hogql:
            return Told(("name", "times"), [["new-checkout", 2], ["~end", 0]])
        days = max(self._days(values, *names) for names in (("from", "to"), ("again_from", "again_to")))
        heavy = self._days(values, "heavy_first_day", "heavy_last_day")
        arms = hogql.count("union all")
        if days > self.most_days or heavy > self.most_days or (self.one_family and arms > 2):
            raise OutboundError("too heavy", code=self.refusal, transient=False)
        return Told(COLUMNS, [END])

    def _days(self, values: Mapping[str, object], first: str, last: str) -> int:
        if first not in values:
            return 0
        begin, end = values[first], values[last]
        if isinstance(begin, str) and isinstance(end, str):
            return Span(date.fromisoformat(begin), date.fromisoformat(end)).length
        assert isinstance(begin, int)
        assert isinstance(end, int)
        return (end - begin) // 86_400


def question(**fields: object) -> Question:
    parts = {"families": LIGHT + HEAVY, "zone": "UTC", "window": MONTH, "again": None, "heavy": MONTH, "ranked": MONTH}
    return Question(**{**parts, **fields})  # type: ignore[arg-type]


async def ask(posthog: SmallPostHog, asked_for: Question, **memory: object) -> Asked:
    async def nothing() -> None:
        return None

    known: Any = {"by_family": False, "days_per_query": None, **memory}
    return await ask_all(posthog, asked_for, nothing, **known)


def covered(asked: Asked) -> dict[str, list[date]]:
    """For one metric of each family, the days that some answered question covers, with repeats."""
    names = ("posthog_dau", "posthog_sessions", "event:a", "flag:new-checkout:test", "posthog_wau", "posthog_new_users")
    return {
        name: [day for piece in asked.questions for day in MONTH.days() if piece.covers(name, day)] for name in names
    }


async def test_one_round_trip_when_posthog_can_take_it() -> None:
    posthog = SmallPostHog(most_days=30)
    asked = await ask(posthog, question())
    assert len(posthog.asked) == 1
    assert (asked.by_family, asked.days_per_query) == (False, None)


@pytest.mark.parametrize("most_days", [1, 4, 7, 29])
async def test_splits_cover_every_day_of_every_family_exactly_once(most_days: int) -> None:
    asked = await ask(SmallPostHog(most_days, one_family=True), question())
    assert covered(asked) == dict.fromkeys(covered(asked), MONTH.days())
    assert asked.by_family
    assert asked.days_per_query is not None
    assert asked.days_per_query <= most_days


async def test_the_split_that_worked_is_where_the_next_run_begins() -> None:
    first = SmallPostHog(most_days=7, one_family=True)
    learned = await ask(first, question())
    again = SmallPostHog(most_days=7, one_family=True)
    await ask(again, question(), by_family=learned.by_family, days_per_query=learned.days_per_query)
    assert len(again.asked) < len(first.asked)
    refused = [hogql for hogql, values in again.asked if again._days(values, "from", "to") > 7]
    assert refused == []


async def test_a_split_by_days_ranks_names_over_the_whole_window_first() -> None:
    posthog = SmallPostHog(most_days=10, one_family=True)
    asked = await ask(posthog, question(names=("pinned",)))
    assert set(asked.facts.events) == {"a", "b"}
    events = [values for hogql, values in posthog.asked if "concat('event:'" in hogql and "rank_from" not in values]
    assert events
    assert all(values["names"] == ["", "pinned", "a", "b"] for values in events)


async def test_a_single_day_that_is_too_heavy_is_an_error() -> None:
    with pytest.raises(OutboundError, match="too heavy"):
        await ask(SmallPostHog(most_days=0), question())


async def test_other_refusals_are_not_split() -> None:
    posthog = SmallPostHog(most_days=0, refusal="rate_limited")
    with pytest.raises(OutboundError):
        await ask(posthog, question())
    assert len(posthog.asked) == 1


class PickyPostHog(SmallPostHog):
    """Refuses, as an old PostHog or a property of another kind makes it, whatever text holds one of these words."""

    def __init__(self, *refused: str, code: str = "query_invalid") -> None:
        super().__init__(most_days=30)
        self.refused = refused
        self.refusal = code

    async def __call__(self, hogql: str, values: Mapping[str, object], /) -> Answer:
        if any(word in hogql for word in self.refused):
            self.asked.append((hogql, values))
            raise OutboundError("refused", code=self.refusal, transient=False)
        return await super().__call__(hogql, values)


MEASURES = tuple(Measure(event=name, by="plan") for name in "abcd")


@pytest.mark.parametrize("code", ["query_invalid", "query_too_heavy"])
async def test_what_posthog_refuses_beside_the_catalogue_is_left_out(code: str) -> None:
    everything = question(families=(*LIGHT, *HEAVY, *BESIDE), measures=MEASURES)
    bad = MEASURES[2]
    asked = await ask(PickyPostHog("created_at", bad.id, code=code), everything)
    assert covered(asked) == dict.fromkeys(covered(asked), MONTH.days())
    assert asked.asked_late is None
    measured = {measure.id for piece in asked.questions for measure in piece.measured}
    assert measured == {measure.id for measure in MEASURES} - {bad.id}
    assert not any(piece.covers(bad.series("pro"), MONTH.first) for piece in asked.questions)


async def test_a_refusal_of_the_catalogue_itself_stays_one() -> None:
    everything = question(families=(*LIGHT, *HEAVY, *BESIDE), measures=MEASURES)
    with pytest.raises(OutboundError, match="refused"):
        await ask(PickyPostHog("uniqExact(person_id)"), everything)


async def test_measures_cover_their_days_when_asked_in_pieces() -> None:
    everything = question(families=(*LIGHT, *HEAVY, *BESIDE), measures=MEASURES[:1])
    asked = await ask(SmallPostHog(most_days=7, one_family=True), everything)
    assert set(asked.facts.parts) == {MEASURES[0].series("pro")}
    name = MEASURES[0].series("pro")
    assert [day for piece in asked.questions for day in MONTH.days() if piece.covers(name, day)] == MONTH.days()
    assert asked.asked_late is not None


@pytest.mark.parametrize(
    ("told", "value", "kept"),
    [
        ("measure:msr_1", -3.0, -3),
        ("measure:msr_1:a:b", 0.1 + 0.2, 0.3),
        ("measure:msr_1", 123456789.123456789, 123456789.123),
        ("measure:msr_1", 1e25, 1e25),
    ],
)
def test_a_measure_may_be_below_zero_and_keeps_what_is_certain(told: str, value: float, kept: float) -> None:
    day, hour = date(2026, 10, 1), 1_790_000_000 // 3_600 * 3_600
    rows = [[str(day), told, value], [str(HOUR_DAY), f"hour:{hour}:{told}", value], ["2099-12-30", told, 7.0], END]
    facts = read(COLUMNS, rows, has_more=False)
    assert (facts.values, facts.hours, facts.parts) == ({(told, day): kept}, {(told, hour): kept}, {told: 7})


def test_a_value_that_is_no_text_spoils_only_its_own_series() -> None:
    rows = [["2026-10-01", "measure:msr_1:\ud800", 1.0], ["2026-10-01", "posthog_dau", 1.0], END]
    assert set(read(COLUMNS, rows, has_more=False).values) == {("posthog_dau", date(2026, 10, 1))}
    with pytest.raises(AnswerMalformedError):
        read(COLUMNS, [["2026-10-01", "event:\ud800", 1.0], END], has_more=False)


@pytest.mark.parametrize(
    "row", [["hour:x:measure:m", 1.0], ["hour:3600:posthog_dau", 1.0], ["hour:3600:measure:m", None]]
)
def test_an_hour_nobody_asked_for_is_not_believed(row: list[object]) -> None:
    with pytest.raises(AnswerMalformedError):
        read(COLUMNS, [[str(HOUR_DAY), *row], END], has_more=False)
