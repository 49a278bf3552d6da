"""What a connection's owner asked of its events: the catalogue, naming, the merge guard, the privacy guard.

One record a connection; capture reads it through a cache of a few seconds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hedgerow.parts import Part
from hedgerow.records import Index, Instant, Record, derived_id

HASH_KEYS = "hash_"
FORMERLY = "-hash"
PropertyType = Literal["string", "number", "integer", "boolean", "object", "array", "any"]
EventPolicy = Literal["observe", "tag", "refuse"]
Naming = Literal["report", "noun.verb", "snake_case", "off"]
PrivacyKind = Literal["email", "phone", "card", "iban", "ip", "secret"]
PrivacyAction = Literal["off", "report", "mask", "hash", "drop"]

PRIVACY_KINDS: tuple[PrivacyKind, ...] = ("email", "phone", "card", "iban", "ip", "secret")


class PropertyRule(Part):
    """What the catalogue says of one property."""

    type: PropertyType = "any"
    required: bool = False
    enum: tuple[str | int | float | bool, ...] | None = None
    description: str = ""


class EventRule(Part):
    """What the catalogue says of one event."""

    name: str
    description: str = ""
    owner: str = ""
    policy: EventPolicy = "observe"
    properties: dict[str, PropertyRule] = Field(default_factory=dict)


class CatalogRules(Part):
    """The event catalogue. `version` rises by one with every change."""

    version: int = 1
    naming: Naming = "report"
    unknown: EventPolicy = Field(default="observe", description="What an event the catalogue does not know meets.")
    events: tuple[EventRule, ...] = ()
    updated_at: Instant | None = None


class MergeRules(Part):
    """The merge guard; off by default."""

    on: bool = False
    most_ids: int = Field(default=20, ge=2, le=10_000, description="More ids than this on one person are unusual.")


class PrivacyRules(Part):
    """The privacy guard. By default it looks at event properties and only reports."""

    actions: dict[PrivacyKind, PrivacyAction] = Field(
        default_factory=dict,
        description="What is done with each kind found in event properties; a kind left out is only reported.",
    )
    identity: Literal["keep", "hash"] = Field(
        default="keep",
        description="Ids and person properties (distinct_id, alias, $anon_distinct_id, $set, $set_once): "
        "kept, or replaced by a keyed hash, the same for every event of that person. Never masked.",
    )
    exempt: tuple[str, ...] = Field(default=(), description="Names of properties that are never touched.")
    no_ip: bool = Field(default=False, description="The client's address is not added to events.")


class CaptureRules(Record):
    """Everything capture asks before it forwards. Its id is the connection's."""

    collection = "capture_rules"
    indexes = (Index("connection_id"),)

    tenant_id: str
    connection_id: str
    catalog: CatalogRules = CatalogRules()
    merges: MergeRules = MergeRules()
    privacy: PrivacyRules = PrivacyRules()
    hash_key_ref: str | None = Field(default=None, description="The vault's reference of the key of keyed hashes.")


class CatalogVersion(Record):
    """One of the catalogue's former or present versions. Its id is `version_id(connection, version)`."""

    collection = "catalog_versions"
    indexes = (Index("connection_id"),)

    tenant_id: str
    connection_id: str
    catalog: CatalogRules


def version_id(connection_id: str, version: int) -> str:
    """One record for a connection and a version of its catalogue."""
    return derived_id("cat", connection_id, str(version))


def hash_key_name(connection_id: str) -> str:
    """What the key of a connection's keyed hashes is called in the vault. A rotation of its personal key leaves it.

    It begins otherwise than the connection's own: rights go by the beginning of a name.
    """
    return f"{HASH_KEYS}{connection_id}"


def hash_key_names(connection_id: str) -> tuple[str, str]:
    """Every name such a key may have: what it is called, and what it was called once."""
    return hash_key_name(connection_id), f"{connection_id}{FORMERLY}"


def connection_of_hash_key(name: str) -> str | None:
    """Whose hash key is called so; None for a name that is no hash key's."""
    if name.startswith(HASH_KEYS):
        return name.removeprefix(HASH_KEYS)
    return name.removesuffix(FORMERLY) if name.endswith(FORMERLY) else None
