"""What every store owes a question: the index's order, whole pages, and a refusal of what no index serves."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

import pytest

from hedgerow.errors import InvalidError
from hedgerow.ports import Add, Delete, Swap, Where
from tests.contract.specimens import NOON, Leaf, leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from hedgerow.ports import Store

Order = Sequence[str]

ONE_AT_NIGHT_IN_SAMOA = (NOON - timedelta(days=3)).astimezone(timezone(timedelta(hours=-11)))

FORMS: dict[str, tuple[list[Where], Order]] = {
    "all": ([], ["id"]),
    "equal": ([Where("tree", "==", "oak")], ["id"]),
    "equal, not ASCII": ([Where("tree", "==", "öl")], ["id"]),
    "equal, range on the next": ([Where("tree", "==", "oak"), Where("at", "<=", NOON)], ["-at", "-id"]),
    "range written first": ([Where("at", ">", NOON), Where("tree", "==", "elm")], ["-at", "-id"]),
    "an instant of another zone": (
        [Where("tree", "==", "oak"), Where("at", ">", ONE_AT_NIGHT_IN_SAMOA)],
        ["-at", "-id"],
    ),
    "range alone": ([Where("height", ">=", 0)], ["height", "id"]),
    "between": ([Where("height", ">", -2), Where("height", "<=", 1)], ["height", "id"]),
    "descending range": ([Where("weight", "<", 2.25)], ["-weight", "-id"]),
    "two equal": ([Where("tree", "==", "oak"), Where("green", "==", True)], ["height", "id"]),
    "two equal and a range": (
        [Where("green", "==", False), Where("height", "<", 3), Where("tree", "==", "Oak")],
        ["height", "id"],
    ),
    "equal, the rest ordered": ([Where("green", "==", True)], ["-weight", "-id"]),
    "equal, the rest in both directions": ([Where("day", "==", date(2026, 1, 2))], ["-height", "tree", "id"]),
    "three equal": ([Where("green", "==", True), Where("tree", "==", "elm"), Where("height", "==", 0)], ["id"]),
    "both directions": ([Where("tree", "==", "oak"), Where("height", ">=", -1)], ["-height", "name", "id"]),
    "dates": ([Where("day", ">=", date(2026, 1, 2))], ["day", "-height", "tree", "id"]),
    "one instant": ([Where("tree", "==", "oak"), Where("at", "==", NOON)], ["-id"]),
    "nothing meets it": ([Where("tree", "==", "yew")], ["id"]),
}


def compare(one: Leaf, other: Leaf, order: Order) -> int:
    for name in order:
        field = name.removeprefix("-")
        left: Any = _bytes(getattr(one, field))
        right: Any = _bytes(getattr(other, field))
        if left != right:
            return (1 if left > right else -1) * (-1 if name.startswith("-") else 1)
    return 0


def _bytes(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


def meets(leaf: Leaf, where: Sequence[Where], order: Order) -> bool:
    tests: dict[str, Callable[[object, object], bool]] = {
        "==": lambda left, right: left == right,
        "<": lambda left, right: left < right,  # type: ignore[operator]
        "<=": lambda left, right: left <= right,  # type: ignore[operator]
        ">": lambda left, right: left > right,  # type: ignore[operator]
        ">=": lambda left, right: left >= right,  # type: ignore[operator]
    }
    ordered = [getattr(leaf, name.removeprefix("-")) for name in order]
    asked = [(each, getattr(leaf, each.field)) for each in where]
    return None not in ordered and all(
        value is not None and tests[each.operator](value, each.value) for each, value in asked
    )


async def read_all(store: Store, where: Sequence[Where], limit: int) -> list[Leaf]:
    read: list[Leaf] = []
    cursor: str | None = None
    while True:
        page = await store.find(Leaf, *where, limit=limit, cursor=cursor)
        read += page.items
        cursor = page.next_cursor
        if cursor is None:
            return read
        assert len(page.items) == limit
        assert len(read) < 2_000


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("limit", [3, 1000])
async def test_every_form_of_index_answers_in_its_order(store: Store, form: str, limit: int) -> None:
    where, order = FORMS[form]
    planted = leaves(60)
    await store.commit(*map(Add, planted))

    read = await read_all(store, where, limit)

    expected = [leaf for leaf in planted if meets(leaf, where, order)]
    expected.sort(key=cmp_to_key(lambda one, other: compare(one, other, order)))
    assert [leaf.id for leaf in read] == [leaf.id for leaf in expected]
    assert await store.count(Leaf, *where) == len(expected)
    assert bool(expected) == (form != "nothing meets it")


async def test_found_records_carry_their_versions(store: Store) -> None:
    leaf = Leaf(id="x")
    written = (await store.commit(Add(leaf))).of(leaf)

    assert (await store.find(Leaf)).items == (written,)


async def test_a_swap_moves_a_record_in_its_indexes(store: Store) -> None:
    leaf = Leaf(id="x", at=NOON, height=1)
    moved = (await store.commit(Add(leaf))).of(leaf).model_copy(update={"at": None, "height": 2, "tree": "elm"})
    await store.commit(Swap(moved))

    assert await store.count(Leaf, Where("tree", "==", "oak")) == 0
    assert await store.count(Leaf, Where("tree", "==", "elm"), Where("at", ">", NOON - timedelta(days=1))) == 0
    assert await store.count(Leaf, Where("height", "==", 2)) == 1


async def test_a_thousand_and_fifty_come_in_pages_without_gap_or_repeat(store: Store) -> None:
    planted = [Leaf(id=f"leaf_{number:04}", at=NOON + timedelta(seconds=number // 40)) for number in range(1050)]
    for start in range(0, 1050, 350):
        await store.commit(*map(Add, planted[start : start + 350]))

    read = await read_all(store, [Where("tree", "==", "oak"), Where("at", ">=", NOON)], 100)

    assert [leaf.id for leaf in read] == [leaf.id for leaf in reversed(planted)]


async def test_changes_between_pages_neither_hide_nor_repeat_others(store: Store) -> None:
    planted = [Leaf(id=f"leaf_{number:02}", height=number // 4) for number in range(40)]
    written = await store.commit(*map(Add, planted))
    everywhere = Where("height", ">=", -100)

    first = await store.find(Leaf, everywhere, limit=10, cursor=None)
    last_seen, next_one = written.of(planted[9]), written.of(planted[10])
    await store.commit(
        Delete(Leaf, last_seen.id),
        Delete(Leaf, next_one.id),
        Swap(written.of(planted[2]).model_copy(update={"name": "touched"})),
        Add(Leaf(id="before", height=-1)),
        Add(Leaf(id="behind", height=99)),
    )
    second = await store.find(Leaf, everywhere, limit=1000, cursor=first.next_cursor)

    assert [leaf.id for leaf in first.items] == [leaf.id for leaf in planted[:10]]
    assert [leaf.id for leaf in second.items] == [*(leaf.id for leaf in planted[11:]), "behind"]
    assert second.next_cursor is None


async def test_a_last_page_that_is_full_has_no_next(store: Store) -> None:
    await store.commit(*(Add(Leaf(id=id)) for id in "abcd"))

    first = await store.find(Leaf, limit=2)
    second = await store.find(Leaf, limit=2, cursor=first.next_cursor)

    assert [leaf.id for leaf in second.items] == ["c", "d"]
    assert second.next_cursor is None


@pytest.mark.parametrize(
    "where",
    [
        [Where("name", "==", "a")],
        [Where("green", "==", True), Where("height", "==", 1)],
        [Where("tree", ">", "a"), Where("at", ">", NOON)],
        [Where("at", "==", NOON)],
        [Where("tree", "==", "oak"), Where("tree", "==", "elm")],
        [Where("height", ">", 0), Where("day", "<", date(2026, 1, 1))],
        [Where("tree", "==", "oak"), Where("name", "==", "a")],
        [Where("height", "==", 1), Where("weight", ">", 0.5)],
        [Where("height", ">", 1), Where("height", ">", 2), Where("height", ">", 3)],
        [Where("nothing_of_the_kind", "==", 1)],
        [Where("tree", "==", "oak"), Where("at", ">", datetime(2026, 1, 1))],  # noqa: DTZ001 - that is the point
    ],
    ids=str,
)
async def test_what_no_index_serves_is_refused(store: Store, where: list[Where]) -> None:
    with pytest.raises(ValueError, match=r"declares no index|without a zone"):
        await store.find(Leaf, *where)
    with pytest.raises(ValueError, match=r"declares no index|without a zone"):
        await store.count(Leaf, *where)


async def test_nothing_is_compared_with_none(store: Store) -> None:
    with pytest.raises(TypeError, match="NoneType"):
        await store.find(Leaf, Where("tree", "==", None))


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_has_at_least_one_record(store: Store, limit: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        await store.find(Leaf, limit=limit)


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "ü",
        "bm90IGpzb24",
        forged("leaves height id"),
        forged("leaves -height id", [1], "x"),
        forged("leaves height id", [], "x"),
        forged("leaves height id", [None], "x"),
        forged("leaves height id", [[1]], "x"),
        forged("leaves height id", [{"at": "yesterday"}], "x"),
        forged("leaves height id", [{"at": "2026-01-01T00:00:00"}], "x"),
        forged("leaves height id", [{"at": "0001-01-01T00:00:00+14:00"}], "x"),
        forged("leaves height id", [{"at": "9999-12-31T23:59:59-14:00"}], "x"),
        forged("leaves height id", [{"at": 5}], "x"),
        forged("leaves height id", [{}], "x"),
        forged("leaves height id", [10**30], "x"),
        forged("leaves height id", [float("nan")], "x"),
        forged("leaves height id", ["\ud800"], "x"),
        forged("leaves height id", 1, "x"),
        forged("leaves height id", [1], 5),
        forged("leaves height id", [1], ""),
        forged("leaves height id", [1], "a/b"),
        "W" * 20_000,
        forged("leaves height id", json.loads("[" * 900 + "]" * 900), "x"),
    ],
    ids=range(25),
)
async def test_a_broken_cursor_is_the_callers_mistake(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidError) as raised:
        await store.find(Leaf, Where("height", ">", 0), cursor=cursor)
    assert raised.value.code == "invalid_cursor"


@pytest.mark.parametrize("value", ["text", True, 1.5, {"at": "2026-01-01T00:00:00Z"}], ids=str)
async def test_a_cursor_of_another_type_does_no_harm(store: Store, value: object) -> None:
    await store.commit(Add(Leaf(id="x", height=1)))

    page = await store.find(Leaf, Where("height", ">", 0), cursor=forged("leaves height id", [value], "x"))

    assert page.next_cursor is None


async def test_a_cursor_of_another_list_is_refused(store: Store) -> None:
    await store.commit(*(Add(Leaf(id=id, height=1)) for id in "abc"))
    page = await store.find(Leaf, Where("height", ">", 0), limit=1)

    with pytest.raises(InvalidError):
        await store.find(Leaf, cursor=page.next_cursor)
