"""What SQLite promises beyond the port: real indexes, several processes, survival of a kill, classes that grow."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from hedgerow import models
from hedgerow.adapters.cursors import Place
from hedgerow.adapters.index_choice import choose_index
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.adapters.sqlite_tables import Table
from hedgerow.errors import TransientError
from hedgerow.ports import Add, Where
from hedgerow.records import Index, Record
from tests.contract.processes import kill_after, process
from tests.contract.specimens import Leaf, leaves
from tests.contract.test_store_find import FORMS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("second_page", [False, True], ids=["first", "second"])
async def test_every_form_is_a_search_in_an_index(tmp_path: Path, form: str, second_page: bool) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.commit(*map(Add, leaves(60)))
    await store.close()
    where, _ = FORMS[form]
    choice = choose_index(Leaf, where)
    first = leaves(60)[0]
    place = Place(tuple(getattr(first, field.name) or 0 for field in choice.order), first.id)

    page = Table(Leaf).select_page(choice, place if second_page else None, 10)
    with_plan = sqlite3.connect(tmp_path / "store.db")
    plans = [
        str(row[3])
        for statement, values in (page, Table(Leaf).count(choice))
        for row in with_plan.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    ]
    with_plan.close()

    assert not any("TEMP B-TREE" in plan for plan in plans)
    if form != "all":
        assert all(plan.startswith("SEARCH") for plan in plans), plans


def test_every_declared_index_is_over_fields_that_exist() -> None:
    kinds = [kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, Record)]

    for kind in kinds:
        if kind is not Record:
            Table(kind)
    assert len(kinds) > 8


async def test_two_processes_write_the_same_file(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")

    def count(name: str) -> None:
        with process("count", path, "40", name) as running:
            assert running.communicate(timeout=60)[0] == "counted\n"

    await asyncio.gather(asyncio.to_thread(count, "a"), asyncio.to_thread(count, "b"))

    store = SqliteStore(path)
    shared = await store.get(Leaf, "shared")
    assert shared is not None
    assert shared.height == 80
    assert await store.count(Leaf) == 81
    await store.close()


async def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    await asyncio.to_thread(kill_after, "committed", "commit", str(tmp_path / "store.db"))

    store = SqliteStore(tmp_path / "store.db")
    leaf = await store.get(Leaf, "x")
    assert leaf is not None
    assert leaf.name == "kept"
    await store.close()


async def test_versions_go_on_in_a_reopened_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    first = (await store.commit(Add(Leaf(id="a")))).of(Leaf(id="a"))
    await store.close()

    store = SqliteStore(tmp_path / "store.db")
    second = (await store.commit(Add(Leaf(id="b")))).of(Leaf(id="b"))

    assert await store.get(Leaf, "a") == first
    assert second.version > first.version
    await store.close()


class Note(Record):
    """A class as an older revision knew it."""

    collection = "notes"
    indexes = (Index("author"),)

    author: str


class GrownNote(Record):
    """The same collection one revision later: another field, another index."""

    collection = "notes"
    indexes = (Index("author"), Index("stars", "-author"))

    author: str
    stars: int | None = 3


async def test_a_class_that_gains_an_index_finds_its_older_records(tmp_path: Path) -> None:
    older = SqliteStore(tmp_path / "store.db")
    await older.commit(*(Add(Note(id=id, author=f"author {id}")) for id in "abc"))
    await older.close()

    newer = SqliteStore(tmp_path / "store.db")
    await newer.commit(Add(GrownNote(id="d", author="author d", stars=3)))
    found = await newer.find(GrownNote, Where("stars", "==", 3))

    assert [note.id for note in found.items] == ["d", "c", "b", "a"]
    assert await newer.count(Note, Where("author", "==", "author a")) == 1
    await newer.close()


class Misdeclared(Record):
    """An index over a field that was renamed."""

    collection = "misdeclared"
    indexes = (Index("nmae"),)

    name: str = ""


async def test_an_index_over_an_unknown_field_is_refused() -> None:
    store = SqliteStore(":memory:")

    with pytest.raises(ValueError, match="unknown fields: nmae"):
        await store.commit(Add(Misdeclared(id="x")))
    await store.close()


async def test_a_file_that_cannot_be_opened_is_a_transient_error(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "no folder" / "store.db")

    with pytest.raises(TransientError):
        await store.get(Leaf, "x")

    (tmp_path / "no folder").mkdir()
    assert await store.get(Leaf, "x") is None
    await store.close()


def test_one_store_serves_one_event_loop_after_another() -> None:
    store = SqliteStore(":memory:")
    asyncio.run(_add(store))

    assert asyncio.run(store.get(Leaf, "x")) is not None
    asyncio.run(store.close())


async def _add(store: SqliteStore) -> None:
    await store.commit(Add(Leaf(id="x")))
