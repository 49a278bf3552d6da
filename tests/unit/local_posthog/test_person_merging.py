"""Persons: merges in order of arrival, the refusals, personless events, properties, rewritten history."""

import itertools
from typing import Any

import pytest

from local.posthog.persons import is_illegal
from tests.unit.local_posthog.conftest import Caller

PERSONS = "select distinct_id, person_id from events order by timestamp, event"


def seen(distinct_id: str, event: str = "seen", **properties: Any) -> dict[str, Any]:
    return {"event": event, "distinct_id": distinct_id, "properties": properties}


def identify(known: str, anonymous: str) -> dict[str, Any]:
    return seen(known, "$identify", **{"$anon_distinct_id": anonymous})


async def count_persons(caller: Caller) -> int:
    [[count]] = await caller.rows("select uniqExact(person_id) from events")
    return int(count)


async def test_identify_rewrites_the_person_of_old_events(caller: Caller) -> None:
    await caller.capture(seen("anon"), seen("user"))
    assert await count_persons(caller) == 2
    await caller.capture(identify("user", "anon"))
    assert await count_persons(caller) == 1
    assert await caller.rows("select count() from persons") == [[1]]
    assert await caller.rows("select uniqExact(person_id) from person_distinct_ids") == [[1]]


async def test_alias_is_the_source_and_distinct_id_the_target(caller: Caller) -> None:
    await caller.capture(
        seen("target", "seen", **{"$set": {"name": "target", "a": 1}}),
        seen("source", "seen", **{"$set": {"name": "source", "b": 2}}),
    )
    [[target]] = await caller.rows("select person_id from events where distinct_id = 'target'")
    await caller.capture(seen("target", "$create_alias", alias="source"))
    assert await caller.rows("select distinct person_id from events") == [[target]]
    rows = await caller.rows("select properties.name, properties.a, properties.b from persons")
    assert rows == [["target", 1.0, 2.0]]


async def test_an_identified_person_is_not_merged_away_unless_dangerously(caller: Caller) -> None:
    await caller.capture(seen("u1"), identify("u1", "a1"), seen("u2"), identify("u2", "a2"))
    await caller.capture(identify("u2", "u1"))
    assert await count_persons(caller) == 2
    assert [w.kind for w in caller.posthog.warnings()] == ["cannot_merge_already_identified"]
    assert await caller.rows("select count() from events") == [[5]]
    await caller.capture(seen("u2", "$merge_dangerously", alias="u1"))
    assert await count_persons(caller) == 1


async def test_order_of_arrival_decides(caller: Caller) -> None:
    # The first merge makes `shared` part of an identified person, so the second is refused.
    await caller.capture(seen("second"), identify("first", "shared"), identify("second", "shared"))
    assert await count_persons(caller) == 2
    people = dict(await caller.rows("select distinct_id, person_id from person_distinct_ids"))
    assert people["shared"] == people["first"] != people["second"]


@pytest.mark.parametrize("illegal", ["anonymous", "GUEST", "[object Object]", "0", "'null'", '"undefined"', "NaN"])
async def test_illegal_ids_are_stored_but_not_merged(caller: Caller, illegal: str) -> None:
    await caller.capture(seen("user"), identify("user", illegal), seen(illegal))
    assert await count_persons(caller) == 2
    assert [w.kind for w in caller.posthog.warnings()] == ["cannot_merge_with_illegal_distinct_id"]


def test_only_the_listed_spellings_are_illegal() -> None:
    assert not any(map(is_illegal, ["nan", "user0", "NULL", "nobody", "[OBJECT OBJECT]", "'"]))
    assert all(map(is_illegal, ["", "  ", "True", "Distinct_Id", "None", "none", "'id'"]))


async def test_personless_events_have_a_person_but_no_profile(caller: Caller) -> None:
    await caller.capture(seen("p", "seen", **{"$process_person_profile": False}), seen("full"))
    assert await count_persons(caller) == 2
    assert await caller.rows("select count() from persons") == [[1]]
    modes = await caller.rows("select distinct_id, person_mode from events order by distinct_id")
    assert modes == [["full", "full"], ["p", "propertyless"]]


async def test_a_later_merge_moves_personless_events(caller: Caller) -> None:
    await caller.capture(seen("p", "seen", **{"$process_person_profile": False}))
    await caller.capture(seen("user"), identify("user", "p"))
    assert await count_persons(caller) == 1
    await caller.capture(seen("p", "again", **{"$process_person_profile": False}))
    rows = await caller.rows("select person_mode, count() from events group by person_mode order by 1")
    assert rows == [["force_upgrade", 1], ["full", 2], ["propertyless", 1]]
    assert await count_persons(caller) == 1


async def test_a_first_full_event_keeps_the_personless_id(caller: Caller) -> None:
    await caller.capture(seen("p", "seen", **{"$process_person_profile": False}), seen("p"))
    assert await count_persons(caller) == 1


@pytest.mark.parametrize("event", ["$identify", "$create_alias", "$merge_dangerously", "$groupidentify"])
async def test_personless_identity_events_are_discarded(caller: Caller, event: str) -> None:
    properties = {"$process_person_profile": False, "alias": "b", "$anon_distinct_id": "b"}
    answer = await caller.capture(seen("a", event, **properties))
    assert answer.status_code == 200
    assert await caller.rows("select count() from events") == [[0]]
    assert len(caller.posthog.warnings()) == 1


async def test_set_set_once_and_unset(caller: Caller) -> None:
    await caller.capture(
        {"event": "$set", "distinct_id": "u", "$set": {"plan": "free", "gone": 1}, "$set_once": {"first": 1}},
        seen("u", "$set", **{"$set": {"plan": "pro"}, "$set_once": {"first": 2}, "$unset": ["gone"]}),
        seen("u", "$exception", **{"$set": {"plan": "ignored"}}),
    )
    rows = await caller.rows("select properties.plan, properties.first, properties.gone from persons")
    assert rows == [["pro", 1.0, None]]
    then = await caller.rows("select person.properties.plan from events where event = '$set' order by timestamp, uuid")
    assert sorted(then) == [["free"], ["pro"]]


async def test_chains_of_merges_end_in_one_person(caller: Caller) -> None:
    ids = [f"d{n}" for n in range(6)]
    await caller.capture(*[seen(name) for name in ids])
    for source, target in itertools.pairwise(ids):
        await caller.capture(seen(target, "$merge_dangerously", alias=source))
    assert await count_persons(caller) == 1
    assert await caller.rows("select count() from persons") == [[1]]


async def test_groups_get_columns_and_bad_group_sets_are_discarded(caller: Caller) -> None:
    await caller.capture(
        seen("u", "seen", **{"$groups": {"company": "acme"}}),
        seen("u", "$groupidentify", **{"$group_type": "company", "$group_key": "acme", "$group_set": {"size": 3}}),
        seen("u", "$groupidentify", **{"$group_type": "company", "$group_key": "acme", "$group_set": [1]}),
    )
    assert await caller.rows("select $group_0 from events where event = 'seen'") == [["acme"]]
    assert await caller.rows("select key, properties.size from groups") == [["acme", 3.0]]
    assert await caller.rows("select count() from events") == [[2]]
    answer = await caller.client.get(f"/api/projects/{caller.posthog.project_id}/groups_types/")
    assert [g["group_type"] for g in answer.json()] == ["company"]
