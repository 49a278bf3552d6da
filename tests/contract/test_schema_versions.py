"""What every store owes a record of another release: older fields are lifted, newer ones refused, nothing is mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import ConflictError, NewerRecordError
from hedgerow.ports import Add, Delete, Patch, Store, Swap, Where
from hedgerow.records import Fields, Index, Instant, Lift, Record
from tests.contract.specimens import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Song(Record):
    """As the first release wrote it."""

    collection = "songs"
    indexes = (Index("minutes"),)

    name: str
    minutes: int
    sung_at: Instant = NOON
    notes: bytes = b""
    words: str = ""


def _in_seconds(fields: Fields) -> Fields:
    minutes = fields.pop("minutes", None)
    return fields | ({"seconds": 60 * int(str(minutes))} if minutes is not None else {})


def _with_a_title(fields: Fields) -> Fields:
    return {**{name: value for name, value in fields.items() if name != "name"}, "title": str(fields["name"]).title()}


LIFTS = {1: Lift(_in_seconds, reads=("minutes",)), 2: Lift(_with_a_title, reads=("name",))}


class SongInSeconds(Record):
    """A release later: another unit, under another name, with an index."""

    collection = "songs"
    schema_version = 2
    lifts: ClassVar[Mapping[int, Lift]] = {1: LIFTS[1]}
    indexes = (Index("seconds"),)

    name: str
    seconds: int
    sung_at: Instant = NOON
    notes: bytes = b""
    words: str = ""


class TitledSong(Record):
    """Two releases later."""

    collection = "songs"
    schema_version = 3
    lifts = LIFTS
    indexes = (Index("seconds"),)

    title: str
    seconds: int
    sung_at: Instant = NOON
    notes: bytes = b""
    words: str = ""


class Title(Record):
    """A view of the newest."""

    collection = "songs"
    schema_version = 3
    lifts = LIFTS
    indexes = (Index("seconds"),)
    partial = True

    title: str
    seconds: int


class OldTitle(Record):
    """A view of the first release's."""

    collection = "songs"
    indexes = (Index("minutes"),)
    partial = True

    minutes: int


OLD = Song(id="a", name="hedge", minutes=3, notes=b"\x00\xff", words="ü")
NEW = TitledSong(id="a", title="Hedge", seconds=180, notes=b"\x00\xff", words="ü")


def unmarked(record: Record | None) -> Record | None:
    return record and record.model_copy(update={"version": 0})


async def test_an_older_record_is_read_lifted_through_every_step(store: Store) -> None:
    await store.commit(Add(OLD))
    assert unmarked(await store.get(TitledSong, "a")) == NEW
    assert [unmarked(found) for found in (await store.find(TitledSong)).items] == [NEW]


async def test_a_view_follows_its_full_class(store: Store) -> None:
    await store.commit(Add(OLD))
    (found,) = (await store.find(Title)).items
    assert unmarked(found) == Title(id="a", title="Hedge", seconds=180)
    await store.commit(Delete(Title, "a", found.version))
    assert await store.get(Song, "a") is None


async def test_a_release_between_lifts_as_far_as_it_goes(store: Store) -> None:
    await store.commit(Add(OLD))
    found = await store.get(SongInSeconds, "a")
    assert unmarked(found) == SongInSeconds(id="a", name="hedge", seconds=180, notes=b"\x00\xff", words="ü")


@pytest.mark.parametrize("kind", [Song, SongInSeconds, OldTitle])
async def test_a_newer_record_is_refused_whole_and_left_as_it_is(store: Store, kind: type[Record]) -> None:
    added = (await store.commit(Add(NEW))).of(NEW)
    known = kind.schema_version
    with pytest.raises(NewerRecordError, match=f"songs/a has schema version 3; .* up to version {known}") as refused:
        await (store.find(kind) if kind.partial else store.get(kind, "a"))
    assert refused.value.code == "newer_record"
    assert refused.value.transient
    assert "newer release" in refused.value.hint
    with pytest.raises(NewerRecordError):
        await store.find(kind)
    if not kind.partial:
        with pytest.raises(ConflictError):
            await store.commit(Add(Song(id="a", name="over", minutes=1)))
    assert await store.count(kind) == 1
    assert await store.get(TitledSong, "a") == added


async def test_an_older_record_beside_newer_ones_is_read_by_the_older_release(store: Store) -> None:
    await store.commit(Add(NEW))
    own = Song(id="b", name="own", minutes=1)
    added = (await store.commit(Add(own))).of(own)
    assert await store.get(Song, "b") == added


@pytest.mark.parametrize("known", ["lifted", "as written"])
async def test_a_swap_of_a_lifted_record_writes_it_as_today(store: Store, known: str) -> None:
    found = await lifted_late(store) if known == "lifted" else (await store.commit(Add(NEW))).of(NEW)
    await store.commit(Swap(found.model_copy(update={"title": "Other"})))
    now = await store.get(TitledSong, "a")
    assert now is not None
    assert now.version > 0
    assert unmarked(now) == NEW.model_copy(update={"title": "Other"})
    with pytest.raises(ConflictError):
        await store.commit(Swap(found))


async def test_a_patch_of_a_lifted_record_leaves_no_older_field_beside_the_new_ones(store: Store) -> None:
    found = await lifted_late(store)
    await store.commit(Patch(TitledSong, "a", found.version, {"seconds": 7}))
    now = await store.get(TitledSong, "a")
    assert now is not None
    assert now.version > 0
    assert unmarked(now) == NEW.model_copy(update={"seconds": 7})
    with pytest.raises(ConflictError):
        await store.commit(Patch(TitledSong, "a", found.version, {"seconds": 8}))
    with pytest.raises(NewerRecordError):
        await store.get(Song, "a")
    await store.commit(Patch(TitledSong, "a", now.version, {"words": "", "seconds": 9}))
    assert unmarked(await store.get(TitledSong, "a")) == NEW.model_copy(update={"seconds": 9, "words": ""})


async def test_patches_of_lifted_and_of_current_records_are_one_commit(store: Store) -> None:
    lifted = await lifted_late(store)
    other = NEW.model_copy(update={"id": "b"})
    current = (await store.commit(Add(other))).of(other)
    values = {"words": "la"}
    await store.commit(Patch(TitledSong, "b", current.version, values), Patch(TitledSong, "a", lifted.version, values))
    assert {song.id: song.words for song in (await store.find(TitledSong)).items} == {"a": "la", "b": "la"}


async def test_a_lifted_record_that_moved_meanwhile_is_not_patched_nor_deleted(store: Store) -> None:
    found = await lifted_late(store)
    await store.commit(Swap(found))
    for change in (Patch(TitledSong, "a", found.version, {"words": ""}), Delete(TitledSong, "a", found.version)):
        with pytest.raises(ConflictError):
            await store.commit(change)
    assert unmarked(await store.get(TitledSong, "a")) == NEW


async def lifted_late(store: Store) -> TitledSong:
    """A record that an older release wrote while today's already ran, read by today's."""
    assert await store.get(TitledSong, "a") is None
    await store.commit(Add(OLD))
    found = await store.get(TitledSong, "a")
    assert found is not None
    assert found.version < 0
    return found


async def test_sqlite_finds_an_older_record_by_the_index_of_its_new_field(tmp_path: Path) -> None:
    older = SqliteStore(tmp_path / "store.db")
    await older.commit(*(Add(OLD.model_copy(update={"id": id, "minutes": at})) for at, id in enumerate("abc")))
    await older.close()
    for kind in (Title, TitledSong, TitledSong):
        newer = SqliteStore(tmp_path / "store.db")
        found = await newer.find(kind, Where("seconds", ">=", 60))
        assert [song.id for song in found.items] == ["b", "c"], kind
        await newer.close()


async def test_sqlite_lifts_what_an_older_release_wrote_after_a_roll_back(tmp_path: Path) -> None:
    for kind, id in ((TitledSong, "a"), (Song, "b"), (TitledSong, "c")):
        store = SqliteStore(tmp_path / "store.db")
        added = NEW if kind is TitledSong else OLD
        await store.commit(Add(added.model_copy(update={"id": id})))
        await store.close()
    store = SqliteStore(tmp_path / "store.db")
    found = await store.find(TitledSong, Where("seconds", "==", 180))
    assert [(song.id, song.version > 0) for song in found.items] == [("a", True), ("b", True), ("c", True)]
    await store.close()


async def test_sqlite_opens_for_a_release_that_lacks_a_column_of_a_newer_record(tmp_path: Path) -> None:
    newer = SqliteStore(tmp_path / "store.db")
    await newer.commit(Add(NEW))
    await newer.close()
    rolled_back = SqliteStore(tmp_path / "store.db")
    own = Song(id="b", name="own", minutes=1)
    await rolled_back.commit(Add(own))
    assert [song.id for song in (await rolled_back.find(Song, Where("minutes", "==", 1))).items] == ["b"]
    await rolled_back.close()
