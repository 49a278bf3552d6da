"""The short ways of the hot path end where the long ones do: freezing a whole request, screening a whole batch."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.capture.catalogue import catalog
from functions.capture.catalogue.catalog_shipped import shipped
from functions.capture.events import Arrived, Aside, Frozen
from functions.capture.guards import privacy
from functions.capture.guards.screening import SCREENED_FROM, needed
from functions.capture.wire.freezing import freeze, freeze_all
from hedgerow.capture_rules import CatalogRules, EventRule, PrivacyRules, PropertyRule

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
UUID7 = "0196a2b0-1111-7222-8333-44445555666"

_TIMES = st.sampled_from(
    [
        "2026-11-20T12:29:00Z", "2026-11-20T12:29:00.123456+00:00", "2026-11-20T13:29:00+01:00", "2026-11-20",
        "2031-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "20261120",
        "2026-11-20 12:29:00", "yesterday", "", "1763640000", "2026-W47-5",
    ]
)  # fmt: skip
_NAMES = st.sampled_from(["paid", "", " ", "a" * 200, "a" * 201, "nul\0", "$pageview", "ümläut"])
_ODD = st.sampled_from([None, 7, 7.5, True, ["x"], {"a": 1}])
_PROPERTIES = st.dictionaries(
    st.sampled_from(["$ip", "$ignore_sent_at", "distinct_id", "plan", "sent_at", "offset"]),
    st.sampled_from([True, False, None, "x", 3, "9.9.9.9"]),
    max_size=4,
)
_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event": _NAMES | _ODD,
        "uuid": st.sampled_from([UUID7 + "6", UUID7.upper() + "7", UUID7, "", "no"]) | _ODD,
        "distinct_id": _NAMES | _ODD,
        "timestamp": _TIMES | _ODD,
        "properties": _PROPERTIES | _ODD,
        "offset": st.sampled_from([0, 1200, None, "5"]),
        "sent_at": _TIMES,
        "$set": _PROPERTIES,
    },
)
_COMMON = st.fixed_dictionaries(
    {
        "event": _NAMES, "uuid": st.sampled_from([UUID7 + "6", UUID7 + "7"]), "distinct_id": _NAMES,
        "timestamp": _TIMES, "properties": _PROPERTIES,
    },
    optional={"offset": st.sampled_from([0, 1200]), "sent_at": _TIMES},
)  # fmt: skip


@settings(max_examples=400)
@given(
    events=st.lists(_EVENTS | _COMMON | _ODD, max_size=4),
    sent_at=st.none() | st.just(NOW - timedelta(hours=3)) | st.just(NOW + timedelta(days=2, microseconds=5)),
    address=st.none() | st.just("1.2.3.4"),
    protocol=st.sampled_from(["v0", "v1"]),
)
def test_a_request_is_frozen_as_its_events_are_one_by_one(
    events: list[Any], sent_at: datetime | None, address: str | None, protocol: Any
) -> None:
    arrived = Arrived(now=NOW, sent_at=sent_at, address=address, protocol=protocol, is_plain=True)
    singly = [freeze(event, arrived) for event in copy.deepcopy(events)]
    together = freeze_all(copy.deepcopy(events), arrived)
    assert len(together) == len(singly)
    for one, other in zip(together, singly, strict=True):
        first, second = asdict(one), asdict(other)
        if (
            not any(isinstance(event, dict) and event.get("uuid") for event in events)
            or first["uuid"] != second["uuid"]
        ):
            # A uuid that is given is new each time.
            given_one, given_other = first.pop("uuid"), second.pop("uuid")
            assert len(given_one) == len(given_other)
            for each in (first, second):
                if isinstance(each["body"], dict):
                    each["body"].pop("uuid", None)
        assert first == second


_VALUES = st.sampled_from(
    ["card", "jane@example.com", "4111 1111 1111 1111", 4111111111111111, 4111111111111111.0, 12, 12.5, True, None,
     ["jane@example.com"], {"a": "b"}, "EUR", "+49 30 901820", "web", "ord_18273"]
)  # fmt: skip
_KEYS = st.sampled_from(
    ["amount_minor", "currency", "method", "platform", "user_tier", "phone", "note", "jane@example.com", "x", "$lib"]
)
_BATCHES = st.lists(
    st.tuples(
        st.sampled_from(["payment.completed", "order viewed", "$pageview", "$snapshot", "BadName", "enumerated"]),
        st.dictionaries(_KEYS, _VALUES, max_size=5),
    ),
    min_size=SCREENED_FROM,
    max_size=20,
)
_ENUMERATED = EventRule(name="enumerated", properties={"method": PropertyRule(type="string", enum=("card",))})
_RULES = st.sampled_from(
    [
        shipped(),
        CatalogRules(events=(*shipped().events, _ENUMERATED), naming="noun.verb"),
        CatalogRules(
            events=(*(rule.model_copy(update={"policy": "refuse"}) for rule in shipped().events), _ENUMERATED)
        ),
        CatalogRules(unknown="tag", events=shipped().events),
        CatalogRules(naming="snake_case"),
    ]
)
_PRIVACY = st.sampled_from(
    [
        PrivacyRules(),
        PrivacyRules(actions={"email": "mask", "card": "drop"}),
        PrivacyRules(actions={"email": "hash"}, exempt=("note",)),
        PrivacyRules(identity="hash"),
    ]
)


def _frozen(batch: list[tuple[str, dict[str, Any]]]) -> list[Frozen]:
    made = []
    for number, (name, properties) in enumerate(batch):
        uuid, who = f"0196a2b0-1111-7222-8333-{number:012d}", f"u{number}"
        body = {"event": name, "uuid": uuid, "distinct_id": who, "properties": copy.deepcopy(properties)}
        made.append(Frozen(uuid, name, who, NOW, body))
    return made


@settings(max_examples=400, deadline=None)
@given(batch=_BATCHES, rules=_RULES, private=_PRIVACY)
def test_a_screened_batch_ends_as_one_judged_event_by_event(
    batch: list[tuple[str, dict[str, Any]]], rules: CatalogRules, private: PrivacyRules
) -> None:
    key = b"k" * 32

    def run(*, screened: bool) -> tuple[list[dict[str, Any]], list[Aside | None], Counter[str]]:
        judges = [each for each in (privacy.compiled(private, key), catalog.compiled(rules)) if each is not None]
        guard = catalog.guard_of(rules)
        screens = [privacy.screen_of(private), *([guard.screen] if guard is not None else [])]
        if guard is not None:
            judges[-1] = guard.judge
        marks: Counter[str] = Counter()

        def mark(name: str, times: int = 1) -> None:
            marks[name] += times

        events = _frozen(batch)
        looking = needed(events, judges, screens, mark) if screened else [judges] * len(events)
        asides: list[Aside | None] = []
        for event, some in zip(events, looking, strict=True):
            aside = None
            for judge in some:
                aside = aside or judge(event, mark)
                if aside is not None:
                    break
            asides.append(aside)
        return [{**event.body, "changes": event.changes} for event in events], asides, marks

    assert run(screened=True) == run(screened=False)
