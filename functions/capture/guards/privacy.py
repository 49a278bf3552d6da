"""The privacy guard: personal data in event properties is reported, masked, hashed or dropped; identity only hashed.

A judge for every event, so its good path is one look at each property: names it has met,
texts it has met (by hash, never kept), numbers too small for a card. What a recording recorded
is not looked at; whose it is, is hashed like everything else's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from functions.capture.events import Aside, Frozen, Judge, Mark, MarkMany, Screen
from functions.capture.guards import personal_data
from functions.capture.guards.cleaning import Cleaner, Seen
from functions.capture.guards.identity_names import ALIAS, IDS, MERGES, PERSON, is_nobodys
from functions.capture.guards.personal_data import SHORTEST, SMALLEST_CARD
from functions.capture.guards.replacing import hasher
from hedgerow.capture_rules import PRIVACY_KINDS, PrivacyAction, PrivacyKind, PrivacyRules

RECORDINGS = frozenset(("$snapshot", "$snapshot_items"))

BOOKKEEPING = frozenset(
    [
        "token",
        "$session_id",
        "$window_id",
        "$insert_id",
        "$pageview_id",
        "$prev_pageview_id",
        "$time",
        "$sent_at",
        "$lib",
        "$lib_version",
        "$lib_version__major",
        "$lib_version__minor",
        "$lib_version__patch",
        "$feature_flag_request_id",
        "$feature_flag_id",
        "$process_person_profile",
        "$geoip_disable",
        "$is_server",
        "$configured_session_timeout_ms",
    ]
)
"""What the SDKs write for PostHog itself: uuids, versions, clocks."""

COOKIELESS = "$posthog_cookieless"
"""Stands in place of an id that PostHog makes itself; changed, it would be an id of its own."""

_MOST_SHAPES = 512
_LONGEST_SHAPE = 64
_LONGEST_NAME = 128
_SEEN = Seen()


def compiled(rules: PrivacyRules, key: bytes | None) -> Judge | None:
    """The guard of these rules; None when it has nothing to do.

    `key` is that of keyed hashes (`hash_keys.key_of`); `ValueError` when the rules hash and it is missing.
    """
    actions: dict[PrivacyKind, PrivacyAction] = {kind: rules.actions.get(kind, "report") for kind in PRIVACY_KINDS}
    if rules.identity == "keep" and all(action == "off" for action in actions.values()):
        return None
    exempt = frozenset(rules.exempt)
    if needs_key(rules) and key is None:
        raise ValueError("rules that hash need a key")
    hashed = hasher(key) if key is not None else None
    cleaner = Cleaner(actions, exempt, hashed, _SEEN)
    left = exempt | BOOKKEEPING | frozenset((*IDS, *PERSON))
    if actions["ip"] in ("off", "report"):
        left |= {"$ip"}
    identity: Cleaner | None = None
    if rules.identity == "hash":
        as_hash: dict[PrivacyKind, PrivacyAction] = {
            kind: "off" if action == "off" else "hash" for kind, action in actions.items()
        }
        identity = Cleaner(as_hash, exempt, hashed, _SEEN)
    return _judge(cleaner, _Shapes(left), identity)


def screen_of(rules: PrivacyRules) -> Screen | None:
    """A look at a group of events at once; None where identity is hashed, which touches every event.

    It settles a group in which nothing is suspect; its bookkeeping names are those of the guard.
    """
    if rules.identity == "hash":
        return None
    left = frozenset(rules.exempt) | BOOKKEEPING | frozenset((*IDS, *PERSON))
    if rules.actions.get("ip", "report") in ("off", "report"):
        left |= {"$ip"}
    shapes = _Shapes(left)

    def screen(name: str, names: tuple[str, ...], group: Sequence[dict[str, Any]], mark: MarkMany) -> bool:
        if name in RECORDINGS:
            return True
        shape = shapes.known.get(names) or shapes.learn(names)
        if shape.has_personal_name:
            return False
        for each in shape.careful:
            if any(properties[each] and type(properties[each]) is not bool for properties in group):
                return False
        try:
            values = set(chain.from_iterable(map(shape.plain, group)))
        except TypeError:
            return False  # A list or an object among them.
        return not any(_is_suspect(value) for value in values)

    return screen


def _is_suspect(value: object) -> bool:
    """Whether a value must be looked at in its own event. A large float may hide an equal whole number in a set."""
    if type(value) is str:
        return len(value) >= SHORTEST and hash(value) not in _SEEN.clean and bool(_SEEN.kinds_in(value))
    if type(value) is int or type(value) is float:
        return not value < SMALLEST_CARD
    return type(value) is not bool and value is not None


def needs_key(rules: PrivacyRules) -> bool:
    """Whether these rules make keyed hashes."""
    return rules.identity == "hash" or "hash" in rules.actions.values()


class _Shape(NamedTuple):
    """What is looked at in events with these names of properties, in this order."""

    plain: Callable[[dict[str, Any]], tuple[Any, ...]]
    """The values whose names say nothing, or that they are versions: what is clean anywhere is clean there."""
    names: tuple[str, ...]
    """The names of all that is looked at."""
    careful: tuple[str, ...]
    """The names that make a phone number or a secret of a value that else is none."""
    has_personal_name: bool


class _Shapes:
    """The shapes met so far, bounded. A name that is personal data itself is not kept."""

    def __init__(self, left: frozenset[str]) -> None:
        self._left = left
        self.known: dict[tuple[str, ...], _Shape] = {}

    def learn(self, names: tuple[str, ...]) -> _Shape:
        """The shape of these names, remembered where it may be."""
        looked_at = tuple(name for name in names if name not in self._left)
        personal = any(personal_data.found(name) for name in looked_at)
        careful = tuple(name for name in looked_at if personal_data.hint_of(name) in ("phone", "secret"))
        plain = [name for name in looked_at if name not in careful]
        # `itemgetter` of one name would give a bare value.
        values = itemgetter(*plain, plain[0]) if plain else _nothing
        shape = _Shape(values, looked_at, careful, personal)
        if not personal and len(names) <= _LONGEST_SHAPE and max(map(len, names), default=0) <= _LONGEST_NAME:
            if len(self.known) >= _MOST_SHAPES:
                self.known.clear()
            self.known[names] = shape
        return shape


def _nothing(properties: dict[str, Any]) -> tuple[Any, ...]:
    return ()


def _judge(cleaner: Cleaner, shapes: _Shapes, identity: Cleaner | None) -> Judge:
    known = shapes.known
    clean = _SEEN.clean
    kinds_in = _SEEN.kinds_in

    def is_suspect(properties: dict[str, Any], shape: _Shape) -> bool:
        if shape.has_personal_name:
            return True
        for name in shape.careful:
            if type(properties[name]) is not bool and properties[name]:
                return True
        for value in shape.plain(properties):
            kind = type(value)
            if kind is str:
                if len(value) < SHORTEST or hash(value) in clean or not kinds_in(value):
                    continue
            elif kind is int:
                if value < SMALLEST_CARD:
                    continue
            elif kind is float or kind is bool or value is None:
                continue
            return True
        return False

    def judge(frozen: Frozen, mark: Mark) -> Aside | None:
        properties = frozen.body.get("properties")
        if type(properties) is dict and frozen.name not in RECORDINGS:
            names = tuple(properties)
            shape = known.get(names) or shapes.learn(names)
            if is_suspect(properties, shape):
                is_merge = frozen.name in MERGES
                looked_at = [name for name in shape.names if not (is_merge and name == ALIAS)]
                cleaner.over(mark, frozen.changes).entries(properties, looked_at)
        if identity is not None:
            _hash_identity(identity, frozen, mark)
        return None

    return judge


def _hash_identity(cleaner: Cleaner, frozen: Frozen, mark: Mark) -> None:
    """Ids as a whole, in every place they stand, so that merges still join; in person properties what is found."""
    body = frozen.body
    properties = body.get("properties")
    cleaning = cleaner.over(mark, frozen.changes)
    ids = (*IDS, ALIAS) if frozen.name in MERGES else IDS
    is_changed = False
    for holder in (body, properties):
        if not isinstance(holder, dict):
            continue
        for name in ids:
            value = holder.get(name)
            if value is not None and name not in cleaner.exempt:
                holder[name] = kept = _hashed_id(cleaner, value)
                is_changed = is_changed or kept != value
        cleaning.entries(holder, [name for name in PERSON if name in holder])
    frozen.distinct_id = body["distinct_id"]
    if is_changed:
        mark("privacy.identity.hashed")
        if "privacy: ids hashed" not in frozen.changes:
            frozen.changes.append("privacy: ids hashed")


def _hashed_id(cleaner: Cleaner, value: Any) -> Any:
    """The hash of an id. One that is nobody's stays: PostHog refuses to merge it, and would not know its hash."""
    written = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if is_nobodys(written) or written.startswith(COOKIELESS) or cleaner.hashed is None:
        return value
    return cleaner.hashed(written)
