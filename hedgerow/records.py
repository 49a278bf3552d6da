"""What every record at rest has in common: an id, a version, a collection and its indexes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

LONGEST_ID = 1500


@dataclass(frozen=True, slots=True, init=False)
class Index:
    """Fields a `find` may use together. A leading minus makes a field descend: `Index("tenant_id", "-at")`."""

    fields: tuple[str, ...]

    def __init__(self, *fields: str) -> None:
        object.__setattr__(self, "fields", fields)


Fields = dict[str, object]
"""A record's fields as JSON holds them: instants and dates in ISO 8601, bytes in base64. What is None may be missing."""


@dataclass(frozen=True, slots=True)
class Lift:
    """The step of a record's fields from one schema version to the next.

    `change` is pure, gets fields of its own and gives all fields of the next version; what
    is not there it passes over. `reads` names the fields it looks at, so that a partial
    view gets them too. Fields of bytes keep their names: SQLite holds them beside the rest.
    """

    change: Callable[[Fields], Fields]
    reads: tuple[str, ...] = ()


class Record(BaseModel):
    """A frozen document. Change it with `model_copy(update=…)` and commit a `Swap`.

    Unknown fields are dropped on reading, so that an older revision may still run
    beside a newer one during a deployment.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True
    )

    collection: ClassVar[str]
    indexes: ClassVar[tuple[Index, ...]] = ()
    partial: ClassVar[bool] = False
    """Fewer fields of another class's records, for readers of many: found, perhaps deleted, never written."""

    expires_by: ClassVar[str | None] = None
    """The field with the instant after which the store may delete the record by itself, where it can: Firestore's TTL.

    Nothing counts on it: what is due goes by a tick too, on every store.
    """

    leaves_no_trace: ClassVar[bool] = False
    """A deletion takes the bytes off the disk too, where the store is a file of ours."""

    schema_version: ClassVar[int] = 1
    """What is written. It rises with a change that an older release would misread, never for a new optional field."""

    lifts: ClassVar[Mapping[int, Lift]] = {}
    """From each older schema version to the next. A partial view has those of its full class."""

    id: str
    version: Annotated[
        int,
        Field(
            exclude=True, description="The store's mark; 0 before the first write, negative of one lifted on reading."
        ),
    ] = 0


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the calendar in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An instant, kept in UTC, so that it comes back the same from every store; naive ones are refused."""


def new_id(prefix: str) -> str:
    """A random id such as `con_4f1d…`: random, so that no store sees a hot range of keys."""
    return f"{prefix}_{secrets.token_hex(12)}"


def derived_id(prefix: str, *parts: str) -> str:
    """The id that the same parts always give: a doubled message then writes the same record."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{prefix}_{digest[:24]}"


def is_possible_id(id: str) -> bool:
    """Whether a record could have this id on every store: the rules of Firestore, the strictest."""
    if not id or id in {".", ".."} or "/" in id or "\x00" in id or (id.startswith("__") and id.endswith("__")):
        return False
    try:
        return len(id.encode()) <= LONGEST_ID
    except UnicodeEncodeError:
        return False
