"""`upgrade-data` over records of an older schema: it walks, goes on after a kill, gives way to others, and makes them found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.cli.operations.moving import upgrading
from hedgerow.cli.operations.moving.upgrading import upgrade
from hedgerow.models import Tenant
from hedgerow.ports import Add, Committed, Delete, Patch, Swap, Where
from tests.contract.test_schema_versions import NEW, OLD, Song, Title, TitledSong
from tests.crash import Crash, CrashingStore, Fuse, every_fuse

if TYPE_CHECKING:
    from hedgerow.ports import Change, Store

SONGS = 2 * upgrading.PAGE + 3


def silent(collection: str, done: int) -> None:
    """Nobody listens."""


async def written(store: Store) -> None:
    """An older release's songs, one minute longer each; some of today's among them."""
    assert (await store.find(TitledSong)).items == ()
    older = [Add(OLD.model_copy(update={"id": f"song_{at:03}", "minutes": at})) for at in range(SONGS)]
    await store.commit(*older[: SONGS // 2])
    await store.commit(*older[SONGS // 2 :])
    await store.commit(Add(NEW.model_copy(update={"id": "song_new", "seconds": 7})))


async def standing(store: Store) -> dict[str, tuple[int, bool]]:
    """Every song's seconds, and whether it is written as today."""
    held: dict[str, tuple[int, bool]] = {}
    cursor: str | None = None
    while True:
        page = await store.find(TitledSong, limit=500, cursor=cursor)
        held |= {song.id: (song.seconds, song.version > 0) for song in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return held


WHOLE = {f"song_{at:03}": (60 * at, True) for at in range(SONGS)} | {"song_new": (7, True)}


async def test_every_older_record_is_written_as_today_and_a_second_walk_has_nothing_to_do(store: Store) -> None:
    await written(store)
    told: list[tuple[str, int]] = []
    assert not any(is_todays for id, (_, is_todays) in (await standing(store)).items() if id != "song_new")
    done = await upgrade(store, (Tenant, TitledSong), lambda collection, seen: told.append((collection, seen)))
    assert done == {"songs": SONGS}, "a class that never changed is not walked"
    assert told == [("songs", 50), ("songs", 100), ("songs", SONGS + 1)]
    assert await standing(store) == WHOLE
    assert await upgrade(store, (TitledSong,), silent) == {"songs": 0}


async def test_firestore_finds_by_a_lifted_field_only_after_the_walk(firestore_host: str, project: str) -> None:
    store = FirestoreStore(project, emulator_host=firestore_host)
    await written(store)
    long = Where("seconds", ">=", 60 * (SONGS - 2))
    assert (await store.find(TitledSong, long)).items == ()
    await upgrade(store, (TitledSong,), silent)
    for kind in (TitledSong, Title):
        assert [song.id for song in (await store.find(kind, long)).items] == ["song_101", "song_102"]
        assert [song.id for song in (await store.find(kind, Where("seconds", "==", 7))).items] == ["song_new"]
    assert await store.count(TitledSong, Where("seconds", ">=", 0)) == SONGS + 1
    # Nothing of the older form is left for an index of it to find.
    assert (await store.find(Song, Where("minutes", ">=", 0))).items == ()
    await store.close()


async def test_a_walk_that_dies_anywhere_goes_on_to_the_same_end(store: Store) -> None:
    counted = Fuse()
    await written(store)
    await upgrade(CrashingStore(store, counted), (TitledSong,), silent)
    assert len(counted.calls) == SONGS + 3
    # The first and last of each page, and what lies between two pages; every call would be the same again.
    asked = [at for at, call in enumerate(counted.calls, start=1) if call.startswith("store.find")]
    near = {at + step for at in asked for step in (-1, 0, 1)} | {len(counted.calls)}
    for fuse in every_fuse(len(counted.calls)):
        if fuse.at not in near:
            continue
        await aged(store)
        with pytest.raises(Crash):
            await upgrade(CrashingStore(store, fuse), (TitledSong,), silent)
        done = sum(call.startswith("store.commit") for call in fuse.calls)
        done -= fuse.calls[-1].startswith("store.commit") and not fuse.after
        assert await upgrade(store, (TitledSong,), silent) == {"songs": SONGS - done}, (fuse.at, fuse.after)
        assert await standing(store) == WHOLE, (fuse.at, fuse.after)


async def aged(store: Store) -> None:
    """The older release's songs once more, where today's were."""
    for id in await standing(store):
        await store.commit(Delete(TitledSong, id))
    await written(store)


class Busy(CrashingStore):
    """A store to which somebody else writes right before every third commit, each time in another way."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, Fuse())
        self._others = store
        self.moved: dict[str, tuple[int, bool] | None] = {}

    async def commit(self, *changes: Change) -> Committed:
        (change,) = changes
        assert isinstance(change, Swap)
        song, number = change.record, int(change.record.id[-3:])
        if number % 3 == 0:
            way = number % 9 // 3
            assert isinstance(song, TitledSong)
            if way == 0:
                await self._others.commit(Swap(song.model_copy(update={"seconds": 1})))
            elif way == 1:
                await self._others.commit(Patch(TitledSong, song.id, song.version, {"seconds": 1}))
            else:
                await self._others.commit(Delete(TitledSong, song.id, song.version))
            self.moved[song.id] = None if way == 2 else (1, True)
        return await super().commit(*changes)


async def test_what_others_write_meanwhile_stays_theirs(store: Store) -> None:
    await written(store)
    busy = Busy(store)
    done = await upgrade(busy, (TitledSong,), silent)
    assert len(busy.moved) == SONGS // 3 + 1
    assert done == {"songs": SONGS - len(busy.moved)}
    wanted = {id: busy.moved.get(id, as_before) for id, as_before in WHOLE.items()}
    assert await standing(store) == {id: held for id, held in wanted.items() if held is not None}
