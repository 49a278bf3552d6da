"""What passes between the stages of capture: a request read, an event frozen, an event that cannot be one.

Plain slotted classes: thousands of them are made every second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from hedgerow.models import Trouble

Protocol = Literal["v0", "v1"]

MOST_EVENT_BYTES = 1_000_000
"""What PostHog's queue carries of one event."""
MOST_LEVELS = 125
"""PostHog's JSON reader goes 127 levels deep, and a batch around the event is two of them."""


@dataclass(slots=True)
class Envelope:
    """A request's body, read: its token, its events as they came, and what holds for all of them.

    `events` are whatever stood in the batch, usually objects. `broken` is why a part of the
    body, or all of it, could not be read as JSON, and `rest` the bytes of that part.
    """

    token: str | None
    events: list[Any]
    sent_at: datetime | None = None
    historical: bool = False
    broken: str = ""
    rest: bytes = b""
    is_plain: bool = False
    """The body was sound JSON, with nothing in it that PostHog's limits of size and depth could touch."""


@dataclass(slots=True)
class Arrived:
    """What holds for every event of one request when its events are frozen."""

    now: datetime
    sent_at: datetime | None = None
    address: str | None = None
    protocol: Protocol = "v0"
    library: tuple[str, str] | None = None
    """v1 only: name and version from `PostHog-Sdk-Info`."""
    fills_name: bool = False
    """`/engage`: an event without a name is a `$identify`."""
    is_plain: bool = False
    """The envelope's: events need no look of their own for what JSON, or PostHog, cannot carry."""


@dataclass(slots=True)
class Frozen:
    """An event with everything decided that a later copy must repeat.

    `body` is the event in PostHog's v0 form, `uuid`, `event`, `distinct_id` and `timestamp`
    (RFC 3339, UTC, microseconds) at its top and everything else as it came; v1's options stand
    in its properties. Guards change it in place and keep the four fields and `body` in step.
    """

    uuid: str
    name: str
    distinct_id: str
    at: datetime
    body: dict[str, Any]
    changes: list[str] = field(default_factory=list)
    """What was changed beyond freezing, in words without values: "uuid given", "$ip added" are not among them."""


@dataclass(slots=True)
class Poison:
    """An event PostHog would refuse, with the reason; `body` is what came, as JSON or raw bytes."""

    uuid: str
    body: bytes
    code: str
    detail: str
    name: str = ""


@dataclass(slots=True, frozen=True)
class Aside:
    """An event that is not forwarded now: `dead` by the catalogue, `held` by the merge guard, or a merge to look at."""

    state: Literal["dead", "held", "merge"]
    trouble: Trouble


Mark = Callable[[str], None]
"""Counts one by a dotted name, such as `privacy.email.masked`."""

Judge = Callable[[Frozen, Mark], Aside | None]
"""A guard, ready to be called for every event. It may change the event; None lets it pass."""

Scrub = Callable[[Poison, datetime, Mark], Poison]
"""Takes personal data out of poison before it is kept."""

MarkMany = Callable[[str, int], None]
"""Counts so many by a dotted name."""

Screen = Callable[[str, tuple[str, ...], Sequence[dict[str, Any]], MarkMany], bool]
"""Looks at a group: the events' name, the names of their properties, the properties of each. True: the guard
need not look at any of them, and what it would have counted is counted."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard as capture calls it: its judge, and where it has one the screen before it."""

    judge: Judge
    screen: Screen | None = None
