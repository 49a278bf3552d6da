"""The catalogue's guard: what it finds, what each policy does with it, and that no event makes it raise."""

from __future__ import annotations

import copy
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.catalogue import catalog
from functions.capture.events import Aside, Frozen
from hedgerow.capture_rules import CatalogRules, EventPolicy, EventRule, PropertyRule, PropertyType

WHOLE = {"amount_minor": 1250, "currency": "EUR", "method": "card", "platform": "ios", "user_tier": "gold"}
SDK = {f"$property_{number}": number for number in range(35)}


def frozen(name: str, properties: Any = None) -> Frozen:
    body: dict[str, Any] = {"uuid": "u", "event": name, "distinct_id": "d", "timestamp": "t", "properties": properties}
    return Frozen("u", name, "d", datetime(2026, 11, 20, tzinfo=UTC), body)


def judged(rules: CatalogRules, event: Frozen) -> tuple[Aside | None, Counter[str]]:
    marks: Counter[str] = Counter()
    judge = catalog.compiled(rules)
    assert judge is not None
    return judge(event, lambda mark: marks.update([mark])), marks


def one(policy: EventPolicy = "observe", **properties: PropertyRule) -> CatalogRules:
    return CatalogRules(events=(EventRule(name="cart.paid", policy=policy, properties=properties),))


def test_the_shipped_catalogue_holds_the_eight_events_and_their_properties() -> None:
    listed = {event.name: tuple(event.properties) for event in catalog.shipped().events}
    assert listed == {
        "payment.completed": ("amount_minor", "currency", "method"),
        "payment.failed": ("reason", "amount_minor"),
        "payment.pending": ("amount_minor", "currency", "method"),
        "transfer.completed": ("amount_minor", "destination"),
        "card.issued": ("cardType", "tier"),
        "kyc.verified": ("tier", "documents"),
        "user.signed_up": ("channel", "referral"),
        "session.authenticated": ("method", "deviceType"),
    }
    money = [
        event.properties["amount_minor"] for event in catalog.shipped().events if "amount_minor" in event.properties
    ]
    assert {each.type for each in money} == {"integer"}
    assert {event.policy for event in catalog.shipped().events} == {"observe"}


@pytest.mark.parametrize(
    ("properties", "marks"),
    [
        (WHOLE, {}),
        (
            {**WHOLE, "currency": None, "method": 7},
            {
                "catalog.violation.payment.completed": 1,
                "catalog.drift.payment.completed missing:currency": 1,
                "catalog.drift.payment.completed type:method": 1,
            },
        ),
        ({**WHOLE, **SDK, "coupon": "x"}, {"catalog.drift.payment.completed unlisted:coupon": 1}),
        (
            {"amount_minor": 1, "currency": "EUR", "method": "card", "platform": "windows"},
            {"catalog.missing.platform": 1, "catalog.missing.user_tier": 1},
        ),
    ],
)
def test_what_is_wrong_with_a_known_event_is_counted(properties: dict[str, Any], marks: dict[str, int]) -> None:
    event = frozen("payment.completed", dict(properties))
    before = copy.deepcopy(event)
    assert judged(catalog.shipped(), event) == (None, marks)
    assert event == before, "observing changes nothing"


def test_a_failed_payment_is_recommended_its_currency_and_money_of_strangers_its_other_half() -> None:
    _, failed = judged(catalog.shipped(), frozen("payment.failed", {**WHOLE, "reason": "x", "currency": None}))
    assert failed["catalog.missing.currency"] == 1
    _, stranger = judged(catalog.shipped(), frozen("cart.paid", {"currency": "EUR", "platform": ["ios"]}))
    assert stranger == {
        "catalog.unknown_event": 1,
        "catalog.missing.amount_minor": 1,
        "catalog.missing.platform": 1,
        "catalog.missing.user_tier": 1,
    }


def test_an_owner_may_have_platforms_of_its_own() -> None:
    rules = one(platform=PropertyRule(enum=("windows",)), user_tier=PropertyRule(required=True))
    for platform, missed in (("windows", 0), (None, 1)):
        _, marks = judged(rules, frozen("cart.paid", {"platform": platform}))
        assert marks["catalog.missing.platform"] == missed
        assert (marks["catalog.missing.user_tier"], marks["catalog.violation.cart.paid"]) == (0, 1)


def test_posthogs_own_events_are_exempt_unless_they_are_listed() -> None:
    strict = CatalogRules(unknown="refuse", naming="noun.verb")
    assert judged(strict, frozen("$pageview", {})) == (None, {})
    listed = CatalogRules(
        naming="noun.verb",
        events=(EventRule(name="$pageview", policy="refuse", properties={"$host": PropertyRule(required=True)}),),
    )
    aside, marks = judged(listed, frozen("$pageview", {}))
    assert aside is not None
    assert marks["catalog.naming"] == 0


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("string", ["", "x"], [1, True, 1.5, [], {}]),
        ("integer", [0, -3, 5.0, 2**70], [1.5, "1", True, []]),
        ("number", [0, 1.5], ["1", False, {}]),
        ("boolean", [True, False], [0, 1, "true"]),
        ("object", [{}, {"a": 1}], [[], "{}"]),
        ("array", [[], [1]], [{}, "[]"]),
        ("any", [1, "x", [], {}, True], []),
    ],
)
def test_types_are_told_apart_as_json_does(type: PropertyType, good: list[Any], bad: list[Any]) -> None:
    rules = one("refuse", value=PropertyRule(type=type))
    for value in [*good, None]:
        assert judged(rules, frozen("cart.paid", {"value": value}))[0] is None, value
    for value in bad:
        assert judged(rules, frozen("cart.paid", {"value": value}))[0] is not None, value


def test_an_enum_tells_one_from_true_and_takes_no_lists() -> None:
    rules = one("refuse", value=PropertyRule(enum=(1, "web", False)))
    good: list[Any] = [1, 1.0, "web", False]
    bad: list[Any] = [True, 0, "Web", [1], {"web": 1}]
    for value in good:
        assert judged(rules, frozen("cart.paid", {"value": value}))[0] is None, value
    for value in bad:
        assert judged(rules, frozen("cart.paid", {"value": value}))[0] is not None, value


def test_tagging_writes_the_words_on_the_event_and_nothing_else() -> None:
    rules = one("tag", amount=PropertyRule(type="integer", required=True), method=PropertyRule(enum=("card",)))
    event = frozen("cart.paid", {"method": "cash", "note": "x"})
    aside, _ = judged(rules, event)
    assert aside is None
    assert event.body["properties"] == {
        "method": "cash",
        "note": "x",
        "$hedgerow_violations": ["missing:amount", "enum:method"],
    }
    assert len(event.changes) == 1
    good = frozen("cart.paid", {"amount": 1})
    judged(rules, good)
    assert (good.body["properties"], good.changes) == ({"amount": 1}, [])


def test_refusing_parks_the_event_dead_with_a_reason_that_holds_no_value() -> None:
    rules = one("refuse", email=PropertyRule(type="integer"), amount=PropertyRule(required=True))
    aside, marks = judged(rules, frozen("cart.paid", {"email": "ada@example.org"}))
    assert aside is not None
    assert (aside.state, aside.trouble.code) == ("dead", "catalog_refused")
    assert aside.trouble.detail.startswith("cart.paid was refused: `email` is of another type")
    assert "`amount` is missing" in aside.trouble.detail
    assert "ada@" not in aside.trouble.model_dump_json()
    assert marks["catalog.violation.cart.paid"] == 1


@pytest.mark.parametrize(("unknown", "code"), [("observe", None), ("tag", None), ("refuse", "catalog_unknown")])
def test_unknown_events_meet_the_policy_of_the_unknown(unknown: EventPolicy, code: str | None) -> None:
    event = frozen("cart.paid", {})
    aside, marks = judged(catalog.shipped().model_copy(update={"unknown": unknown}), event)
    assert (aside.trouble.code if aside else None) == code
    assert event.body["properties"] == ({"$hedgerow_violations": ["unknown_event"]} if unknown == "tag" else {})
    assert marks["catalog.unknown_event"] == 1


@pytest.mark.parametrize(("naming", "breaking"), [("noun.verb", 1), ("snake_case", 0), ("report", 0), ("off", 0)])
def test_a_name_alone_is_counted_and_never_refused(naming: str, breaking: int) -> None:
    refusing = EventRule(name="cart_paid", policy="refuse")
    rules = CatalogRules.model_validate({"naming": naming, "events": [refusing]})
    for name in ("cart_paid", "cart_seen"):
        aside, marks = judged(rules, frozen(name, dict(WHOLE)))
        assert aside is None
        assert marks["catalog.naming"] == breaking


def test_an_empty_catalogue_that_asks_nothing_is_no_guard() -> None:
    assert catalog.compiled(CatalogRules()) is None
    assert catalog.compiled(CatalogRules(naming="off")) is None
    assert catalog.compiled(CatalogRules(unknown="tag")) is not None
    assert catalog.compiled(CatalogRules(naming="snake_case")) is not None


def test_names_others_write_make_a_bounded_number_of_marks() -> None:
    marks: Counter[str] = Counter()
    judge = catalog.compiled(catalog.shipped())
    assert judge is not None
    for number in range(2_000):
        judge(
            frozen("payment.completed", {**WHOLE, f"odd {number}\x00" + "x" * 500: 1}),
            lambda mark: marks.update([mark]),
        )
        judge(frozen(f"odd {number}", {}), lambda mark: marks.update([mark]))
    assert len(marks) < 150
    assert max(map(len, marks)) < 400
    assert not any("\x00" in mark for mark in marks)
    assert marks["catalog.unknown_event"] == 2_000
    assert sum(number for mark, number in marks.items() if mark.startswith("catalog.drift")) == 2_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["a", "b", "$c", "platform", "currency", "amount_minor", ""])
RULES = st.builds(
    PropertyRule,
    type=st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "any"]),
    required=st.booleans(),
    enum=st.none() | st.lists(st.text() | st.integers() | st.booleans() | st.floats(), max_size=3).map(tuple),
)


@given(
    name=st.sampled_from(["known", "$known", "other", "$other", "\ud800", ""]),
    properties=st.dictionaries(WORDS | st.text(), JSON, max_size=6) | JSON,
    listed=st.dictionaries(WORDS, RULES, max_size=4),
    policy=st.sampled_from(["observe", "tag", "refuse"]),
    unknown=st.sampled_from(["observe", "tag", "refuse"]),
    naming=st.sampled_from(["report", "noun.verb", "snake_case", "off"]),
)
def test_no_frozen_event_makes_the_guard_raise_and_only_the_tag_is_ever_added(
    name: str, properties: Any, listed: dict[str, PropertyRule], policy: EventPolicy, unknown: EventPolicy, naming: str
) -> None:
    events = tuple(EventRule(name=each, policy=policy, properties=listed) for each in ("known", "$known"))
    rules = CatalogRules.model_validate({"events": events, "unknown": unknown, "naming": naming})
    event = frozen(name, properties)
    before = repr(event.body)
    aside, marks = judged(rules, event)
    is_broken = any(mark.startswith("catalog.violation") for mark in marks) or marks["catalog.unknown_event"] > 0
    applied = policy if "known" in name else unknown
    assert (aside is not None) == (is_broken and applied == "refuse")
    if event.changes:
        assert is_broken
        assert applied == "tag"
        assert event.body["properties"].pop(catalog.TAG)
    elif isinstance(properties, dict):
        assert not (is_broken and applied == "tag")
    assert repr(event.body) == before or catalog.TAG in before


@pytest.mark.parametrize(
    ("name", "properties", "microseconds"),
    [
        ("cart.opened", {"a": 1}, 1),
        ("cart.opened", SDK, 1),
        ("$pageview", SDK, 1),
        ("payment.completed", {**SDK, **WHOLE}, 5),
        ("payment.completed", {**SDK, "amount_minor": "1", "coupon": "x"}, 5),
    ],
)
def test_the_guard_costs_little(name: str, properties: dict[str, Any], microseconds: float) -> None:
    judge = catalog.compiled(catalog.shipped())
    assert judge is not None
    event = frozen(name, dict(properties))

    def uncounted(mark: str) -> None:
        return

    best = float("inf")
    # Short rounds, so that one of them falls between what else the machine does.
    for _ in range(300):
        began = time.perf_counter()
        for _ in range(100):
            judge(event, uncounted)
        best = min(best, (time.perf_counter() - began) / 100)
    # A bound for a shared machine; what was measured stands in docs/catalog.md.
    assert best * 1e6 < 3 * microseconds
