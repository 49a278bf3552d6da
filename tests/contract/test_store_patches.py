"""What every store owes a patch: the named fields and no others, against the version that was read, all or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import ConflictError
from hedgerow.ports import Add, Patch, Store, Where
from tests.contract.specimens import NOON, Berry, Colour, Everything, Leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER: dict[str, object] = {
    "text": "quote ' \" ü",
    "number": -7,
    "real": 2.5,
    "yes": True,
    "raw": b"\x00\xff",
    "at": NOON + timedelta(microseconds=1),
    "span": timedelta(milliseconds=1),
    "maybe": None,
    "maybe_number": None,
    "state": "closed",
    "colour": Colour.RED,
    "words": ("a", ""),
    "counts": {"a.b": 1},
    "berry": Berry(name="sloe", seeds=b"\xff"),
    "berries": (Berry(name="haw"),),
}
FULL = Everything(id="x", maybe="something", text="before", raw=b"before", words=("before",), counts={"before": 1})


@pytest.mark.parametrize("field", OTHER)
async def test_a_patched_field_is_as_given_and_the_others_as_they_were(store: Store, field: str) -> None:
    before = (await store.commit(Add(FULL))).of(FULL)
    written = await store.commit(Patch(Everything, "x", before.version, {field: OTHER[field]}))
    after = await store.get(Everything, "x")
    assert after == written.of(before.model_copy(update={field: OTHER[field]}))
    assert after is not None
    assert after.version != before.version


async def test_all_fields_at_once(store: Store) -> None:
    before = (await store.commit(Add(FULL))).of(FULL)
    written = await store.commit(Patch(Everything, "x", before.version, OTHER))
    assert await store.get(Everything, "x") == written.of(before.model_copy(update=OTHER))


async def test_a_patched_record_is_found_by_its_new_values_only(store: Store) -> None:
    some = [Leaf(id=id, tree="oak", height=1, at=NOON) for id in "abc"]
    versions = (await store.commit(*map(Add, some))).versions
    values = {"height": 2, "at": None}
    await store.commit(*(Patch(Leaf, id, versions["leaves", id], values) for id in "ab"))
    assert [leaf.id for leaf in (await store.find(Leaf, Where("height", "==", 2))).items] == ["a", "b"]
    assert [leaf.id for leaf in (await store.find(Leaf, Where("height", "==", 1))).items] == ["c"]
    assert [
        leaf.id for leaf in (await store.find(Leaf, Where("tree", "==", "oak"), Where("at", "<=", NOON))).items
    ] == ["c"]


@pytest.mark.parametrize("wrong", ["older", "gone", "unread"])
async def test_when_one_record_is_not_as_expected_none_is_patched(store: Store, wrong: str) -> None:
    versions = (await store.commit(*(Add(Leaf(id=id, height=1)) for id in "abc"))).versions
    if wrong == "older":
        await store.commit(Patch(Leaf, "b", versions["leaves", "b"], {"height": 5}))
    asked = {id: versions["leaves", id] for id in "abc"}
    if wrong == "gone":
        asked = {"a": asked["a"], "d": asked["b"], "c": asked["c"]}
    if wrong == "unread":
        asked["b"] = 0
    values = {"height": 2}
    with pytest.raises(ConflictError):
        await store.commit(*(Patch(Leaf, id, version, values) for id, version in asked.items()))
    heights = {leaf.id: leaf.height for leaf in (await store.find(Leaf)).items}
    assert heights == {"a": 1, "b": 5 if wrong == "older" else 1, "c": 1}


@pytest.mark.parametrize("values", [{}, {"colour": "red"}, {"id": "y"}, {"version": 3}], ids=str)
async def test_what_is_no_field_is_refused(store: Store, values: Mapping[str, object]) -> None:
    leaf = Leaf(id="x")
    version = (await store.commit(Add(leaf))).of(leaf).version
    with pytest.raises(ValueError, match="no fields to patch"):
        await store.commit(Patch(Leaf, "x", version, values))


async def test_a_record_may_not_appear_in_two_patches(store: Store) -> None:
    leaf = Leaf(id="x")
    version = (await store.commit(Add(leaf))).of(leaf).version
    with pytest.raises(ValueError, match="twice"):
        await store.commit(*(Patch(Leaf, "x", version, {"height": height}) for height in (1, 2)))


async def test_patches_of_many_kinds_of_values_stay_apart() -> None:
    store = SqliteStore(":memory:")
    versions = (await store.commit(*(Add(Leaf(id=str(at))) for at in range(30)))).versions
    low, high = {"height": 1}, {"height": 2, "name": "high"}
    await store.commit(
        *(Patch(Leaf, str(at), versions["leaves", str(at)], high if at % 5 == 0 else low) for at in range(30))
    )
    found = (await store.find(Leaf)).items
    assert {leaf.id: (leaf.height, leaf.name) for leaf in found} == {
        str(at): (2, "high") if at % 5 == 0 else (1, "") for at in range(30)
    }
    await store.close()
