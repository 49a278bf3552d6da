"""Bytes of a record lie in the SQLite file as they are; a file of an older revision, with bytes as text, is taken over."""

from __future__ import annotations

import secrets
import sqlite3
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.ports import Add, Patch, Swap, Where
from hedgerow.records import Index, Record

if TYPE_CHECKING:
    from pathlib import Path


class Satchel(Record):
    """Bytes that must be there, and bytes that need not."""

    collection = "satchels"
    indexes = (Index("owner"), Index("owner", "weight"))

    owner: str
    inside: bytes
    lining: bytes = b""
    weight: int | None = None


class SatchelTag(Record):
    """A view without the bytes."""

    collection = "satchels"
    indexes = (Index("owner"),)
    partial = True

    owner: str


class SatchelLining(Record):
    """A view with some of the bytes."""

    collection = "satchels"
    indexes = (Index("owner", "weight"),)
    partial = True

    owner: str
    lining: bytes = b""
    weight: int | None = None


SOME = [Satchel(id=f"s{at}", owner="ann", inside=secrets.token_bytes(30_000), weight=at) for at in range(5)]


def older(path: Path) -> None:
    """Write the records as the revision before did."""
    file = sqlite3.connect(path)
    file.execute(
        'CREATE TABLE satchels (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, "by owner")'
    )
    file.execute('CREATE INDEX "satchels by owner" ON satchels ("by owner", id)')
    file.executemany("INSERT INTO satchels VALUES (?, 7, ?, 'ann')", [(one.id, one.model_dump_json()) for one in SOME])
    file.execute('CREATE TABLE "latest version" (only INTEGER PRIMARY KEY, version INTEGER)')
    file.execute('INSERT INTO "latest version" VALUES (1, 7)')
    file.commit()
    file.close()


async def test_bytes_are_not_written_as_text(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.commit(*map(Add, SOME))
    await store.close()
    assert (tmp_path / "store.db").stat().st_size < 1.3 * 5 * 30_000


@pytest.mark.parametrize("first_asked", [Satchel, SatchelTag, SatchelLining], ids=lambda kind: kind.__name__)
async def test_an_older_file_is_taken_over_whoever_asks_first(tmp_path: Path, first_asked: type[Record]) -> None:
    older(tmp_path / "store.db")
    store = SqliteStore(tmp_path / "store.db")
    assert len((await store.find(first_asked, Where("owner", "==", "ann"))).items) == 5
    found = (await store.find(Satchel, Where("owner", "==", "ann"), Where("weight", ">=", 1))).items
    assert found == tuple(one.model_copy(update={"version": 7}) for one in SOME[1:])
    linings = await store.find(SatchelLining, Where("owner", "==", "ann"), Where("weight", ">=", 1))
    assert [one.lining for one in linings.items] == [b""] * 4
    emptied = {"inside": b"", "lining": b"new"}
    await store.commit(
        Patch(Satchel, "s1", 7, emptied), Swap(found[1].model_copy(update={"inside": b"other", "owner": "bob"}))
    )
    read = await store.get_many(Satchel, ["s1", "s2", "s3"])
    assert [(one.owner, one.inside, one.lining) for one in read if one] == [
        ("ann", b"", b"new"),
        ("bob", b"other", b""),
        ("ann", SOME[3].inside, b""),
    ]
    await store.close()


async def test_a_view_that_came_first_takes_nothing_from_the_others(tmp_path: Path) -> None:
    """Of an older file's bytes a view knows only some: it must leave the rest where it lies."""
    older(tmp_path / "store.db")
    store = SqliteStore(tmp_path / "store.db")
    await store.find(SatchelLining, Where("owner", "==", "ann"), Where("weight", ">=", 0))
    await store.close()
    store = SqliteStore(tmp_path / "store.db")
    assert [one.inside for one in (await store.find(Satchel)).items] == [one.inside for one in SOME]
    await store.close()


async def test_what_was_patched_away_is_no_longer_in_the_file(tmp_path: Path) -> None:
    older(tmp_path / "store.db")
    store = SqliteStore(tmp_path / "store.db")
    assert len((await store.find(Satchel)).items) == 5
    await store.commit(*(Patch(Satchel, one.id, 7, {"inside": b""}) for one in SOME))
    await store.close()
    on_disk = (tmp_path / "store.db").read_bytes()
    assert not any(one.inside[:60] in on_disk for one in SOME)
