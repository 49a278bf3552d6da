"""What every store owes a record: the same value back, one winner, all or nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from hedgerow.errors import ConflictError
from hedgerow.models import MetricMonth
from hedgerow.ports import Add, Change, Delete, Swap
from tests.contract.specimens import NOON, Berry, Colour, Everything, Leaf

if TYPE_CHECKING:
    from hedgerow.ports import Store
    from hedgerow.records import Record


async def add(store: Store, record: Record) -> Record:
    return (await store.commit(Add(record))).of(record)


EVERYTHING = [
    Everything(id="bare", maybe=None),
    Everything(id="optional", maybe=None, maybe_number=None),
    Everything(
        id="full:2026-03",
        maybe="something",
        text="quotes ' \" ` \\ , line\nbreak, \U0001f33f, \x00 and \u2028",
        number=-(2**62),
        real=0.1 + 0.2,
        yes=True,
        raw=bytes(range(256)),
        at=datetime(2026, 10, 25, 0, 59, 59, 999999, tzinfo=UTC),
        day=date(1, 1, 1),
        span=timedelta(days=-400, microseconds=1),
        state="closed",
        colour=Colour.RED,
        days=(date(2026, 1, 2), date(9999, 12, 31)),
        words=("", "a.b", "`c`", "__d__"),
        counts={"a.b": 1, "`": 2, "with space": 3, "ü\n": 4, "1": 5},
        by_day={date(2026, 1, 2): 0.5},
        berry=Berry(name="sloe", seeds=b"\xff\x00\xfe", picked_at=NOON),
        berries=(Berry(name="haw"), Berry(name="hip", seeds=b"\x80")),
        basket={"x": Berry(name="elder")},
    ),
    Everything(id="year one", maybe="", at=datetime(1, 1, 1, tzinfo=UTC), span=timedelta(days=10_000)),
    Everything(id="whole real", maybe="", real=3.0, number=3, span=timedelta(hours=3)),
    Everything(id="half span", maybe="", span=timedelta(seconds=90, milliseconds=500), counts={}),
]


@pytest.mark.parametrize("record", EVERYTHING, ids=lambda record: record.id.replace(" ", "_"))
async def test_every_field_comes_back_as_it_went(store: Store, record: Everything) -> None:
    written = await add(store, record)

    read = await store.get(Everything, record.id)

    assert read == written
    assert read is not None
    assert read.model_copy(update={"version": 0}) == record
    assert type(read.real) is float
    assert type(read.colour) is Colour
    assert written.version != 0


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=5, minutes=45)), ZoneInfo("Europe/Berlin")], ids=str)
async def test_an_instant_of_any_zone_comes_back_in_utc(store: Store, zone: timezone | ZoneInfo) -> None:
    local = datetime(2026, 7, 1, 0, 30, 0, 5, tzinfo=zone)
    await add(store, Everything(id="e", maybe=None, at=local))

    read = await store.get(Everything, "e")

    assert read is not None
    assert read.at == local
    assert read.at.utcoffset() == timedelta(0)
    assert read.at.date() == date(2026, 6, 30)


async def test_a_packed_month_of_half_a_megabyte_comes_back(store: Store) -> None:
    packed = bytes(range(256)) * 2048
    month = MetricMonth(id="con_1:2026-03", connection_id="con_1", month="2026-03", packed=packed, updated_at=NOON)
    await add(store, month)

    read = await store.get(MetricMonth, month.id)

    assert read is not None
    assert read.packed == packed


async def test_what_is_not_there_is_none(store: Store) -> None:
    assert await store.get(Leaf, "leaf_1") is None
    assert await store.get_many(Leaf, []) == []
    assert await store.count(Leaf) == 0
    assert (await store.find(Leaf)).items == ()


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "__x__", "\x00", "x" * 1501, "\ud800"], ids=repr)
async def test_an_impossible_id_is_not_there_and_cannot_be_written(store: Store, id: str) -> None:
    assert await store.get(Leaf, id) is None
    with pytest.raises(ValueError, match="cannot have the id"):
        await store.commit(Add(Leaf(id=id)))


async def test_many_come_in_the_order_asked_for(store: Store) -> None:
    await store.commit(*(Add(Leaf(id=id, name=id)) for id in "abcd"))

    read = await store.get_many(Leaf, ["c", "nowhere", "a", "c", "d"])

    assert [leaf.name if leaf else None for leaf in read] == ["c", None, "a", "c", "d"]


async def test_a_record_is_added_once(store: Store) -> None:
    first = await add(store, Leaf(id="x", name="first"))

    with pytest.raises(ConflictError):
        await store.commit(Add(Leaf(id="x", name="second")))

    assert await store.get(Leaf, "x") == first


async def test_a_swap_replaces_the_whole_record(store: Store) -> None:
    record = await add(store, Everything(id="x", maybe="m", maybe_number=3, berry=Berry(name="haw"), counts={"a": 1}))

    replaced = record.model_copy(update={"maybe": None, "maybe_number": None, "berry": None, "counts": {"b": 2}})
    written = (await store.commit(Swap(replaced))).of(replaced)

    assert await store.get(Everything, "x") == written
    assert written.version != record.version
    assert written.model_copy(update={"version": 0}) == replaced.model_copy(update={"version": 0})


async def test_a_swap_of_an_older_version_is_a_conflict(store: Store) -> None:
    old = await add(store, Leaf(id="x"))
    new = (await store.commit(Swap(old))).of(old)

    with pytest.raises(ConflictError):
        await store.commit(Swap(old.model_copy(update={"name": "late"})))

    assert await store.get(Leaf, "x") == new


async def test_a_swap_that_changes_nothing_still_makes_others_stale(store: Store) -> None:
    read = await add(store, Leaf(id="x"))

    outcomes = await asyncio.gather(*(store.commit(Swap(read)) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 4


@pytest.mark.parametrize(
    "change", [Swap(Leaf(id="x")), Swap(Leaf(id="x", version=1)), Delete(Leaf, "x", version=1)], ids=repr
)
async def test_what_was_never_read_cannot_be_replaced(store: Store, change: Change) -> None:
    with pytest.raises(ConflictError):
        await store.commit(change)

    assert await store.get(Leaf, "x") is None


async def test_a_version_never_returns_after_a_delete(store: Store) -> None:
    first = await add(store, Leaf(id="x", name="first"))
    await store.commit(Delete(Leaf, "x", version=first.version))
    second = await add(store, Leaf(id="x", name="second"))

    for stale in (Swap(first), Delete(Leaf, "x", version=first.version)):
        with pytest.raises(ConflictError):
            await store.commit(stale)

    assert await store.get(Leaf, "x") == second


async def test_a_delete_without_a_version_takes_what_is_there_or_nothing(store: Store) -> None:
    await add(store, Leaf(id="x"))

    await store.commit(Delete(Leaf, "x"))
    await store.commit(Delete(Leaf, "x"))

    assert await store.get(Leaf, "x") is None


async def test_a_delete_of_an_older_version_is_a_conflict(store: Store) -> None:
    old = await add(store, Leaf(id="x"))
    new = (await store.commit(Swap(old))).of(old)

    with pytest.raises(ConflictError):
        await store.commit(Delete(Leaf, "x", version=old.version))
    assert await store.get(Leaf, "x") == new

    await store.commit(Delete(Leaf, "x", version=new.version))
    assert await store.get(Leaf, "x") is None


@pytest.mark.parametrize("place", [0, 1, 3])
async def test_one_conflict_undoes_the_whole_commit(store: Store, place: int) -> None:
    kept = await add(store, Leaf(id="kept", name="as it was"))
    doomed = await add(store, Leaf(id="doomed"))
    changes: list[Change] = [
        Add(Leaf(id="new")),
        Swap(kept.model_copy(update={"name": "changed"})),
        Delete(Leaf, "doomed", version=doomed.version),
    ]
    changes.insert(place, Add(Leaf(id="kept2")) if place < 0 else Swap(Leaf(id="ghost", version=99)))

    with pytest.raises(ConflictError):
        await store.commit(*changes)

    assert await store.get_many(Leaf, ["new", "kept", "doomed"]) == [None, kept, doomed]


async def test_one_commit_spans_collections(store: Store) -> None:
    leaf, everything = Leaf(id="same"), Everything(id="same", maybe=None)

    committed = await store.commit(Add(leaf), Add(everything))

    assert await store.get(Leaf, "same") == committed.of(leaf)
    assert await store.get(Everything, "same") == committed.of(everything)


async def test_a_commit_of_five_hundred_is_one(store: Store) -> None:
    await store.commit(*(Add(Leaf(id=f"leaf_{number}")) for number in range(500)))

    assert await store.count(Leaf) == 500


async def test_a_record_appears_once_in_a_commit(store: Store) -> None:
    with pytest.raises(ValueError, match="twice"):
        await store.commit(Add(Leaf(id="x")), Delete(Leaf, "x"))

    assert await store.get(Leaf, "x") is None


async def test_an_empty_commit_does_nothing(store: Store) -> None:
    assert (await store.commit()).versions == {}


async def test_of_twenty_adds_one_wins(store: Store) -> None:
    adds = [store.commit(Add(Leaf(id="x", height=number))) for number in range(20)]

    outcomes = await asyncio.gather(*adds, return_exceptions=True)

    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 19


async def test_of_twenty_swaps_each_round_has_one_winner(store: Store) -> None:
    """Twenty climbers count to twenty together by re-reading and trying again: no step is lost."""
    await add(store, Leaf(id="x", height=0))
    refused = 0

    async def climb() -> None:
        nonlocal refused
        while True:
            read = await store.get(Leaf, "x")
            assert read is not None
            try:
                await store.commit(Swap(read.model_copy(update={"height": read.height + 1})))
            except ConflictError:
                refused += 1
            else:
                return

    await asyncio.gather(*(climb() for _ in range(20)))

    final = await store.get(Leaf, "x")
    assert final is not None
    assert final.height == 20
    assert refused > 0


async def test_a_closed_store_may_be_closed_again(store: Store) -> None:
    await add(store, Leaf(id="x"))

    await store.close()
    await store.close()
