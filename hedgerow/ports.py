"""The ports to the outside that Hedgerow keeps state, work and time in.

The contract is in the docstrings; `tests/contract` holds every adapter to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from pydantic import SecretStr

    from hedgerow.messages import Message
    from hedgerow.records import Record

R = TypeVar("R", bound="Record")

Operator = Literal["==", "<", "<=", ">", ">="]
JobState = Literal["enabled", "paused", "failing", "unknown"]
"""`failing`: it is called, but the last call was no success, or the platform has given up calling."""


@dataclass(frozen=True, slots=True)
class Where:
    """One condition of a `find`: a declared field, an operator, a value (str, int, bool, datetime)."""

    field: str
    operator: Operator
    value: object


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a `find`. `next_cursor` is None when nothing follows."""

    items: tuple[R, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """Write a record that must not exist yet."""

    record: Record


@dataclass(frozen=True, slots=True)
class Swap:
    """Replace a record that must still have the version it was read with."""

    record: Record


@dataclass(frozen=True, slots=True)
class Patch:
    """Give some fields of a record that must still have this version other values; the rest stays as it is.

    Cheaper than a swap for a large record of which little changes. `values` holds what the
    fields of `kind` hold; many patches with the very same mapping cost little more than one.
    """

    kind: type[Record]
    id: str
    version: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a record. With `version` 0 whatever is there, or nothing, is fine."""

    kind: type[Record]
    id: str
    version: int = 0


Change = Add | Swap | Patch | Delete


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit wrote: the new version of each added, swapped or patched record, by (collection, id)."""

    versions: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, record: R) -> R:
        """The record as it now stands in the store, with its new version."""
        version = self.versions[type(record).collection, record.id]
        return record.model_copy(update={"version": version})


class Store(Protocol):
    """Records by id, and by the indexes their class declares.

    A record's `version` is the store's own mark, 0 before it was ever written. Versions
    are compared, never computed with. Every method raises `TransientError` when the
    store cannot be reached.
    """

    async def get(self, kind: type[R], id: str) -> R | None:
        """One record, or None."""
        ...

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """Several records in one round trip, in the order of `ids`; None where none is."""
        ...

    async def find(
        self,
        kind: type[R],
        *where: Where,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[R]:
        """Records that meet every condition, in the order of the index that serves them.

        The conditions must fit one of `kind.indexes`: equality on its leading fields, in
        any order of writing, then at most a range (one or two conditions) on the next
        one. The order is that of the index's fields after the equal ones (a field
        declared with a leading minus descends), then the id in the direction of the last
        field. When several indexes fit, the shortest serves; `where` may be empty: then
        the order is by id. Records whose ordered or ranged field is None are left out.
        An undeclared combination is a `ValueError` on every adapter, because Google's
        emulator never complains and the real service does. `cursor` is the opaque
        `next_cursor` of the page before; a broken one is an `InvalidError`. A class marked
        `partial` reads only its own fields of another class's records.
        """
        ...

    async def count(self, kind: type[R], *where: Where) -> int:
        """How many records meet the conditions; the same rules as `find`."""
        ...

    async def commit(self, *changes: Change) -> Committed:
        """Make all changes or none; raises `ConflictError` when one cannot be made.

        Durable when it returns. The same record may not appear twice. A retry inside an
        adapter may meet its own first success as a conflict: a caller re-reads and
        recognises itself by what it wrote.
        """
        ...

    async def close(self) -> None:
        """Let go of files and channels."""
        ...


class Vault(Protocol):
    """Secrets by name, each in numbered versions; records hold only references."""

    async def write(self, name: str, secret: SecretStr) -> str:
        """Keep a secret as a new version of `name`; the answer is its reference."""
        ...

    async def read(self, reference: str) -> SecretStr:
        """The secret behind a reference; `SecretGoneError` when it was destroyed."""
        ...

    async def versions(self, name: str) -> tuple[str, ...]:
        """A mark of each version of `name` that is not destroyed, for `destroy` alone. No mark ever comes back."""
        ...

    async def destroy(self, name: str, *, keep: str | None = None, only: Sequence[str] | None = None) -> None:
        """Destroy every version of `name`, except the reference to keep. Safe to repeat.

        With `only`, marks that `versions` gave: no version beyond these, however late the
        call. What was secret is gone at once; the name may stay behind, empty.
        """
        ...

    async def remove(self, name: str) -> None:
        """Forget `name` itself, unless it has a version that is not destroyed. Safe to repeat; it may be written again."""
        ...

    async def close(self) -> None:
        """Let go of files and channels."""
        ...


class Queue(Protocol):
    """Messages to topics, delivered at least once, in no promised order.

    There is no delay: what is due later is a record with a `due_at`, found by a tick.
    """

    async def publish(self, *messages: Message) -> None:
        """Durable when it returns. An empty call does nothing."""
        ...

    async def reach(self) -> None:
        """Does it answer? `TransientError` when not. Publishes nothing, and needs no right of its own."""
        ...

    async def close(self) -> None:
        """Let go of files and channels."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule as the manifest has it: what a `Job` is named, when and whom it calls, and with what."""

    name: str
    cron: str
    target: str
    body: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """A schedule as it stands: five-field cron in UTC, the instants of its last and next call.

    `last_status` is the HTTP status of the last call, 504 where no answer came in time;
    None before the first one. `next_at` is None while it is paused.
    """

    name: str
    cron: str
    target: str
    state: JobState
    last_at: datetime | None = None
    last_status: int | None = None
    next_at: datetime | None = None


class Schedules(Protocol):
    """The schedules that call our ticks. Names are `Job.name`; a name that is none is a `MissingError`.

    Every method raises `TransientError` when whoever keeps the schedules cannot be reached.
    """

    async def list(self) -> tuple[Job, ...]:
        """Every schedule, by name."""
        ...

    async def pause(self, name: str) -> None:
        """Call it no more until `resume`. Safe to repeat."""
        ...

    async def resume(self, name: str) -> None:
        """Call it again, from its next minute on: what fell due meanwhile is not made up. Safe to repeat."""
        ...

    async def run(self, name: str) -> None:
        """Call it once as soon as may be, also while paused; its next call by the clock stays where it is.

        Returns when the wish is kept, not when the call is done: `list` shows that.
        """
        ...

    async def close(self) -> None:
        """Let go of files and channels."""
        ...
