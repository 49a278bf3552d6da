"""Marks whose number users decide never fold our totals away; repeats are known by what became of their first copy."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from functions.capture.accept.recents import Recents
from functions.capture.counting import MOST_MARKS, _bounded
from functions.capture.events import Frozen

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
TOTALS = (
    "repeated",
    "passed",
    "recordings.dropped",
    "catalog.unknown_event",
    "privacy.email.masked",
    "catalog.violation.paid",
)


def test_totals_are_never_folded_away() -> None:
    before = _bounded({}, Counter({f"catalog.drift.paid x{number}": 1 for number in range(MOST_MARKS + 500)}))
    assert len(before) == MOST_MARKS + 1
    assert before["…"] == 500
    after = _bounded(before, Counter({**dict.fromkeys(TOTALS, 2), "catalog.drift.paid more": 3, "a.b.c.d.e": 4}))
    assert {name: after[name] for name in TOTALS} == dict.fromkeys(TOTALS, 2)
    assert after["…"] == 507
    assert sum(after.values()) == sum(before.values()) + 2 * len(TOTALS) + 7


def _frozen(uuid: str, at: datetime = NOW) -> Frozen:
    return Frozen(uuid, "paid", "u1", at, {"uuid": uuid, "timestamp": "?", "properties": {}})


def test_a_repeat_has_the_first_instant_and_what_was_refused_is_none() -> None:
    recents = Recents()
    first = [_frozen("a"), _frozen("b")]
    visit = recents.begin("con_1", first)
    assert visit.repeated == set()
    recents.end(visit, [first[1]])
    later = [_frozen("a", NOW + timedelta(seconds=9)), _frozen("b", NOW + timedelta(seconds=9))]
    visit = recents.begin("con_1", later)
    assert visit.repeated == {id(later[0])}
    assert [event.at for event in later] == [NOW, NOW]
    assert later[0].body["timestamp"] == "2026-11-20T15:30:00.000000Z"
    recents.end(visit)
    elsewhere = recents.begin("con_2", [_frozen("a")])
    assert elsewhere.repeated == set()


def test_generations_bound_what_is_remembered() -> None:
    recents = Recents(most=10)
    for number in range(100):
        recents.end(recents.begin("con_1", [_frozen(str(number))]))
    assert len(recents._young) + len(recents._old) <= 20
    assert recents.begin("con_1", [_frozen("99")]).repeated
    assert not recents.begin("con_1", [_frozen("5")]).repeated


async def test_of_many_copies_under_way_one_decides_and_the_next_takes_over() -> None:
    recents = Recents()
    copies = [[_frozen("a")] for _ in range(4)]
    visits = [recents.begin("con_1", events) for events in copies]
    waiting = [asyncio.create_task(recents.known(visit)) for visit in visits[1:]]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    recents.end(visits[0], copies[0])
    await asyncio.sleep(0.01)
    # One of them is the first now, and the others wait for it.
    owners = [visit for visit in visits[1:] if not visit.repeated]
    assert len(owners) == 1
    assert sum(task.done() for task in waiting) == 1
    recents.end(owners[0])
    await asyncio.gather(*waiting)
    assert sum(bool(visit.repeated) for visit in visits[1:]) == 2


async def test_twice_in_one_request_waits_for_nobody() -> None:
    recents = Recents()
    events = [_frozen("a"), _frozen("a")]
    visit = recents.begin("con_1", events)
    assert visit.repeated == {id(events[1])}
    async with asyncio.timeout(1):
        await recents.known(visit)
    assert visit.repeated == {id(events[1])}
