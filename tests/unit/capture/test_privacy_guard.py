"""The privacy guard on whole events: what each action leaves, what it says and counts, what it never touches."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from functions.capture.events import Frozen, Judge
from functions.capture.guards import privacy
from hedgerow.capture_rules import PRIVACY_KINDS, PrivacyAction, PrivacyKind, PrivacyRules

KEY = bytes(range(32))
FOUND: dict[PrivacyKind, str] = {
    "email": "jane@example.com",
    "phone": "+44 20 7946 0958",
    "card": "4242 4242 4242 4242",
    "iban": "DE89 3704 0044 0532 0130 00",
    "ip": "203.0.113.7",
    "secret": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
}
MASKED = {
    "email": "j•••@•••",
    "phone": "•••58",
    "card": "•••• 4242",
    "iban": "DE•••3000",
    "ip": "203.0.113.0",
    "secret": "•••",
}


def event(name: str = "paid", distinct_id: str = "user-1", /, **properties: Any) -> Frozen:
    body = {
        "uuid": "0196f3a2-1b2c-7d3e-8f40-123456789012",
        "event": name,
        "distinct_id": distinct_id,
        "timestamp": "2026-11-20T15:30:00.000000Z",
        "properties": properties,
    }
    return Frozen(str(body["uuid"]), name, distinct_id, datetime(2026, 11, 20, tzinfo=UTC), body)


def guard(action: PrivacyAction = "report", **more: Any) -> Judge:
    made = privacy.compiled(PrivacyRules(actions=dict.fromkeys(PRIVACY_KINDS, action), **more), KEY)
    assert made is not None
    return made


def run(judge: Judge, frozen: Frozen) -> Counter[str]:
    counted: Counter[str] = Counter()

    def mark(name: str) -> None:
        counted[name] += 1

    assert judge(frozen, mark) is None
    return counted


@pytest.mark.parametrize("kind", PRIVACY_KINDS)
def test_each_kind_is_reported_masked_hashed_and_dropped(kind: PrivacyKind) -> None:
    for action, left in (("report", FOUND[kind]), ("mask", MASKED[kind])):
        frozen = event(note=f"so: {FOUND[kind]} there", plan="pro")
        counted = run(guard(action), frozen)  # type: ignore[arg-type]
        assert frozen.body["properties"] == {"note": f"so: {left} there", "plan": "pro"}
        assert counted == {f"privacy.{kind}.{action}{'ed' if action != 'drop' else 'ped'}": 1}
        assert frozen.changes == ([] if action == "report" else [f"privacy: {kind} masked in `note`"])
    frozen = event(note=f"so: {FOUND[kind]} there", again=FOUND[kind])
    assert run(guard("hash"), frozen) == {f"privacy.{kind}.hashed": 2}
    note, again = frozen.body["properties"].values()
    assert note == f"so: {again} there"
    assert again.startswith("hashed_")
    assert len(again) == 31
    frozen = event(note=f"so: {FOUND[kind]} there", deep={"list": [1, FOUND[kind], 2]}, plan="pro")
    assert run(guard("drop"), frozen) == {f"privacy.{kind}.dropped": 2}
    assert frozen.body["properties"] == {"deep": {"list": [1, 2]}, "plan": "pro"}


def test_writings_of_one_value_are_hashed_alike_and_keys_differ() -> None:
    frozen = event(a="Jane@Example.com", b="?e=jane%40example.com", c="jane@example.com")
    run(guard("hash"), frozen)
    a, b, c = frozen.body["properties"].values()
    assert a == c == b.removeprefix("?e=")
    other = privacy.compiled(PrivacyRules(actions={"email": "hash"}), bytes(32))
    assert other is not None
    foreign = event(a="jane@example.com")
    run(other, foreign)
    assert foreign.body["properties"]["a"] != a


def test_what_was_replaced_is_not_found_again() -> None:
    for action in ("mask", "hash"):
        frozen = event(**{kind: f"x {text} y" for kind, text in FOUND.items() if kind != "ip"})
        run(guard(action), frozen)
        assert run(guard("report"), frozen) == {}


def test_names_that_are_personal_data_are_renamed_and_never_repeated() -> None:
    frozen = event(**{"jane@example.com": 1, "bob@example.com": {"jim@example.com": 2}, "z": 3})
    run(guard("mask"), frozen)
    assert list(frozen.body["properties"]) == ["j•••@•••", "b•••@•••", "z"]
    assert frozen.body["properties"]["b•••@•••"] == {"j•••@•••": 2}
    assert frozen.changes == ["privacy: email masked in a property"]
    twins = event(**{"jane@example.com": 1, "jim@example.com": 2})
    run(guard("mask"), twins)
    assert list(twins.body["properties"].values()) == [1, 2]
    dropped = event(**{"jane@example.com": 1, "z": 3})
    run(guard("drop"), dropped)
    assert dropped.body["properties"] == {"z": 3}


def test_whole_numbers_of_cards_and_phones_are_found() -> None:
    frozen = event(pan=4242424242424242, phone=442079460958, at=1763652600123, mobile=True, amount=12)
    assert run(guard("mask"), frozen) == {"privacy.card.masked": 1, "privacy.phone.masked": 1}
    assert frozen.body["properties"] == {
        "pan": "•••• 4242",
        "phone": "•••58",
        "at": 1763652600123,
        "mobile": True,
        "amount": 12,
    }


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("phone", "4155552671", "•••71"),
        ("mobile_number", 4155552671, "•••71"),
        ("password", "hunter2", "•••"),
        ("phone", "", ""),
        ("password", None, None),
        ("app_version", "1.2.3.4", "1.2.3.4"),
    ],
)
def test_a_name_alone_makes_its_value_personal_data(name: str, value: object, left: object) -> None:
    for properties in ({name: value}, {"deep": [{name: value}]}):
        frozen = event(**properties)
        run(guard("mask"), frozen)
        assert list(frozen.body["properties"].values()) == [left if name in properties else [{name: left}]]


def test_exempt_names_are_untouched_at_any_depth() -> None:
    frozen = event(sender={"contact": {"mail": "jane@example.com"}}, contact="jane@example.com", x="jane@example.com")
    run(guard("drop", exempt=("contact",)), frozen)
    assert frozen.body["properties"] == {
        "sender": {"contact": {"mail": "jane@example.com"}},
        "contact": "jane@example.com",
    }


IDENTITY: dict[str, Any] = {
    "distinct_id": "jane@example.com",
    "$anon_distinct_id": "anon@example.com",
    "$user_id": "jane@example.com",
    "$device_id": "0196f3a2-1b2c-7d3e-8f40-123456789012",
    "$set": {"email": "jane@example.com"},
    "$set_once": {"first": "jane@example.com"},
    "$groups": {"company": "jane@example.com"},
}


@pytest.mark.parametrize("action", ["mask", "hash", "drop"])
def test_identity_and_bookkeeping_are_no_event_properties(action: PrivacyAction) -> None:
    frozen = event("$identify", "jane@example.com", **copy.deepcopy(IDENTITY), token="phx_nobodys0123456789")
    frozen.body["$set"] = {"email": "jane@example.com"}
    before = copy.deepcopy(frozen.body)
    assert run(guard(action), frozen) == {}
    assert frozen.body == before


@pytest.mark.parametrize("name", ["$create_alias", "$merge_dangerously"])
def test_an_alias_is_an_id_only_on_merges(name: str) -> None:
    merge = event(name, alias="jane@example.com", note="jane@example.com")
    run(guard("mask"), merge)
    assert merge.body["properties"] == {"alias": "jane@example.com", "note": "j•••@•••"}
    other = event("mail.added", alias="jane@example.com")
    run(guard("mask"), other)
    assert other.body["properties"] == {"alias": "j•••@•••"}


def test_identity_is_hashed_the_same_everywhere() -> None:
    judge = guard("report", identity="hash")
    identify = event("$identify", "jane@example.com", **copy.deepcopy(IDENTITY))
    identify.body["$set"] = {"note": "ask jane@example.com", "jane@example.com": 1, "plan": "pro"}
    counted = run(judge, identify)
    alias = event("$create_alias", "other", distinct_id="other", alias="jane@example.com")
    run(judge, alias)
    back = event("$merge_dangerously", "jane@example.com", alias="other")
    run(judge, back)
    jane = identify.distinct_id
    properties = identify.body["properties"]
    assert jane.startswith("hashed_")
    assert identify.body["distinct_id"] == properties["distinct_id"] == properties["$user_id"] == jane
    assert alias.body["properties"]["alias"] == back.distinct_id == jane
    assert back.body["properties"]["alias"] == alias.distinct_id == alias.body["distinct_id"]
    assert properties["$set"] == {"email": jane}
    assert identify.body["$set"] == {"note": f"ask {jane}", jane: 1, "plan": "pro"}
    assert properties["$groups"] == {"company": jane}
    assert b"@" not in orjson.dumps(identify.body)
    assert counted["privacy.identity.hashed"] == 1
    assert "privacy: ids hashed" in identify.changes
    again = copy.deepcopy(identify.body)
    run(judge, identify)
    assert identify.body == again


@pytest.mark.parametrize("id", ["undefined", "null", "0", "'None'", "anonymous", "$posthog_cookieless", "  "])
def test_ids_of_nobody_stay_so_that_posthog_still_refuses_to_merge_them(id: str) -> None:
    frozen = event("$identify", id, **{"$anon_distinct_id": id})
    run(guard("report", identity="hash"), frozen)
    assert frozen.distinct_id == frozen.body["distinct_id"] == frozen.body["properties"]["$anon_distinct_id"] == id


def test_the_clients_address_is_treated_only_when_asked() -> None:
    for action, left in (("off", "203.0.113.7"), ("report", "203.0.113.7"), ("mask", "203.0.113.0"), ("drop", None)):
        judge = privacy.compiled(PrivacyRules(actions={"ip": action}), KEY)
        assert judge is not None
        frozen = event(**{"$ip": "203.0.113.7"})
        counted = run(judge, frozen)
        assert frozen.body["properties"].get("$ip") == left
        assert bool(counted) == (action in ("mask", "drop"))
    frozen = event(**{"$ip": "2001:db8:85a3:1234::1"})
    run(guard("mask"), frozen)
    assert frozen.body["properties"]["$ip"] == "2001:db8:85a3::"


def test_nothing_to_do_is_no_guard_and_hashing_needs_a_key() -> None:
    assert privacy.compiled(PrivacyRules(actions=dict.fromkeys(PRIVACY_KINDS, "off")), None) is None
    with pytest.raises(ValueError, match="key"):
        privacy.compiled(PrivacyRules(identity="hash"), None)


def test_ids_are_hashed_where_nothing_is_looked_for() -> None:
    judge = guard("off", identity="hash")
    frozen = event("paid", "jane@example.com", note="jane@example.com", **{"$set": {"email": "jane@example.com"}})
    assert run(judge, frozen) == {"privacy.identity.hashed": 1}
    assert frozen.distinct_id.startswith("hashed_")
    assert frozen.body["properties"] == {"note": "jane@example.com", "$set": {"email": "jane@example.com"}}


def test_a_recording_belongs_to_the_same_person_as_the_events() -> None:
    judge = guard("report", identity="hash")
    paid, recorded = (
        event("paid", "jane@example.com"),
        event("$snapshot", "jane@example.com", distinct_id="jane@example.com"),
    )
    run(judge, paid)
    run(judge, recorded)
    assert recorded.distinct_id == recorded.body["properties"]["distinct_id"] == paid.distinct_id


def test_recordings_are_not_looked_at() -> None:
    frozen = event("$snapshot", **{"$snapshot_data": ["jane@example.com"]})
    assert run(guard("drop"), frozen) == {}
    assert frozen.body["properties"] == {"$snapshot_data": ["jane@example.com"]}


def test_any_depth_is_walked() -> None:
    deep: Any = "jane@example.com"
    for level in range(20_000):
        deep = {"a": deep} if level % 2 else [deep]
    frozen = event(deep=deep)
    assert run(guard("mask"), frozen) == {"privacy.email.masked": 1}
    found = frozen.body["properties"]["deep"]
    while not isinstance(found, str):
        found = found["a"] if isinstance(found, dict) else found[0]
    assert found == "j•••@•••"
