"""The merge guard's first look: which events are merges, and which ids are nobody's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.capture.events import Aside, Frozen
from functions.capture.guards import merges
from functions.capture.guards.identity_names import is_nobodys, is_refused_by_posthog
from hedgerow.capture_rules import MergeRules
from local.posthog.persons import is_illegal

REFUSED = [
    *("", "  ", "anonymous", "Guest", "DISTINCTID", "distinct_id", "ID", "not_authenticated", "email", "Undefined"),
    *("TRUE", "false", "[object Object]", "NaN", "None", "none", "null", "0", "undefined", "'null'", '"undefined"'),
]
NOBODYS = [
    *("NULL", "nan", "[Object object]", "n/a", "-1", "nil", "unknown", "{{user.id}}", "${userId}", " null ", "'NIL'"),
    *("00000000-0000-0000-0000-000000000000", "<null>", "anon", "{}", "[]"),
]
SOMEBODYS = ["user-1", "jane@example.com", "01", "10", "nobody", "nullable", "Nancy", "id-7", "0196f3a2", "true-north"]


def looked_at(name: str, distinct_id: str, **properties: Any) -> tuple[Aside | None, Counter[str]]:
    judge = merges.compiled(MergeRules(on=True))
    assert judge is not None
    body = {"uuid": "u", "event": name, "distinct_id": distinct_id, "properties": properties}
    counted: Counter[str] = Counter()

    def mark(name: str) -> None:
        counted[name] += 1

    return judge(Frozen("u", name, distinct_id, datetime(2026, 1, 1, tzinfo=UTC), body), mark), counted


def test_it_is_off_by_default() -> None:
    assert merges.compiled(MergeRules()) is None


@pytest.mark.parametrize("id", [*REFUSED, *NOBODYS, *SOMEBODYS])
def test_posthogs_own_refusals_are_the_same_as_its_stand_ins(id: str) -> None:
    assert is_refused_by_posthog(id) == is_illegal(id) == (id in REFUSED)
    assert is_nobodys(id) == (id not in SOMEBODYS)


@pytest.mark.parametrize("id", [*REFUSED, *NOBODYS])
def test_ids_of_nobody_are_held_on_either_side(id: str) -> None:
    for name, key in (("$create_alias", "alias"), ("$merge_dangerously", "alias"), ("$identify", "$anon_distinct_id")):
        for distinct_id, other in (("user-1", id), (id, "user-1")):
            aside, counted = looked_at(name, distinct_id, **{key: other})
            assert aside is not None
            assert (aside.state, aside.trouble.code) == ("held", "merge_illegal_id")
            assert counted == {"merges.illegal_id": 1}


@pytest.mark.parametrize("id", [0, False, []])
def test_ids_that_are_no_text_are_read_as_posthog_reads_them(id: object) -> None:
    aside, _ = looked_at("$create_alias", "user-1", alias=id)
    assert aside is not None
    assert aside.state == "held"


@pytest.mark.parametrize("id", SOMEBODYS)
def test_every_other_merge_is_looked_at(id: str) -> None:
    for name, key in (("$create_alias", "alias"), ("$merge_dangerously", "alias"), ("$identify", "$anon_distinct_id")):
        aside, counted = looked_at(name, "somebody", **{key: id})
        assert aside is not None
        assert aside.state == "merge"
        assert counted == {"merges.looked_at": 1}


def test_what_joins_nobody_passes() -> None:
    assert looked_at("$identify", "user-1") == (None, Counter())
    assert looked_at("$identify", "user-1", **{"$anon_distinct_id": None}) == (None, Counter())
    assert looked_at("$identify", "user-1", **{"$anon_distinct_id": "user-1"}) == (None, Counter())
    assert looked_at("$create_alias", "user-1", alias="user-1") == (None, Counter())
    assert looked_at("$create_alias", "user-1") == (None, Counter())
    assert looked_at("alias.used", "null", alias="null") == (None, Counter())
    assert looked_at("$set", "0") == (None, Counter())


def test_an_identify_of_nobody_is_held_too() -> None:
    aside, _ = looked_at("$identify", "null")
    assert aside is not None
    assert aside.state == "held"
