"""The capture bench's bodies and backlog: no event twice too soon, and deliveries that hold what they say."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from uuid import UUID

from bench.capture_backlog import fill, opened, packed
from bench.capture_bodies import ENOUGH, batches, lengths_of, uuid_of, write
from functions.capture.accept import recents
from hedgerow.deliveries import Delivery
from hedgerow.delivery_parts import unpacked
from hedgerow.models import Connection

ORIGIN = "http://127.0.0.1:9"


def test_every_event_has_a_uuid_of_its_own_for_longer_than_capture_remembers() -> None:
    uuids = {uuid_of(number) for number in range(ENOUGH)}
    assert len(uuids) == ENOUGH > 2 * recents.MOST
    assert {UUID(uuid).version for uuid in islice(uuids, 1000)} == {7}


def test_batches_are_what_an_sdk_writes_and_go_on_where_the_last_one_ended() -> None:
    first, second = (json.loads(batch) for batch in islice(batches(50), 2))
    events = first["batch"] + second["batch"]
    assert [event["uuid"] for event in events] == [uuid_of(number) for number in range(100)]
    assert first["api_key"].startswith("phc_")
    assert first["sent_at"] > max(event["timestamp"] for event in events)


def test_bodies_in_a_file_are_found_by_their_lengths(tmp_path: Path) -> None:
    path = tmp_path / "some"
    write(path, [b"abc", b"", b"de"])
    assert path.read_bytes() == b"abcde"
    assert lengths_of(path).read_text().split() == ["3", "0", "2"]


async def test_a_backlog_holds_the_events_it_says(tmp_path: Path) -> None:
    some = list(islice(packed(100), 3))
    await fill(tmp_path / "data", ORIGIN, some)
    async with opened(tmp_path / "data", ORIGIN) as app:
        (connection,) = (await app.store.find(Connection)).items
        waiting = (await app.store.find(Delivery)).items
    assert connection.ingestion_host == ORIGIN
    assert [each.payload for each in sorted(waiting, key=lambda each: each.accepted_at)] == [
        each.payload for each in some
    ]
    for each in waiting:
        _, events = unpacked(each.payload)
        assert each.uuids == b"".join(UUID(event["uuid"]).bytes for event in events)
        assert each.count == len(events) == 100
        assert {row.name: row.count for row in each.tally} == Counter(event["event"] for event in events)
        assert (each.connection_id, each.state, each.due_at) == (connection.id, "pending", each.accepted_at)
