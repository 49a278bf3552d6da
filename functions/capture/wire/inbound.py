"""A request on the SDKs' host as it came, and its events sorted by what happens to them next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from functions.capture.accept.forwarding import Carried
from functions.capture.accept.lots import Source
from functions.capture.events import Frozen, Poison
from hedgerow.models import Trouble

if TYPE_CHECKING:
    from functions.capture.wire.paths import Place


LONGEST_HEADER = 1_000
"""Of a client's header that goes on: one that is absurdly long would have PostHog refuse a good event."""


@dataclass(slots=True)
class Inbound:
    """A request as it came: `headers` by lower-case name, `address` the client's own."""

    method: str
    place: Place
    raw_query: bytes
    query: dict[str, str]
    raw_headers: list[tuple[bytes, bytes]]
    headers: dict[bytes, bytes]
    body: bytes
    received_at: datetime
    address: str | None = None
    peer: str = ""
    address_chain: str = ""

    def header(self, name: bytes) -> str:
        """A header's text, "" when it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def bearer(self) -> str | None:
        """The token after `Authorization: Bearer`."""
        scheme, _, token = self.header(b"authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def forget_address(self) -> None:
        """PostHog fills `$ip` from the chain where an event has none: who keeps addresses out keeps out both."""
        self.address, self.address_chain = None, ""

    @property
    def source(self) -> Source:
        """Where its events came from, for the story of those that are kept."""
        sdk = self.header(b"posthog-sdk-info") or self.header(b"user-agent")
        return Source(self.received_at, sdk[:120], self.place.path[:80])

    @property
    def carried(self) -> Carried:
        """What goes on to PostHog with its events."""
        return Carried(
            user_agent=self.header(b"user-agent")[:LONGEST_HEADER],
            address_chain=self.address_chain[-LONGEST_HEADER:],
            sdk_info=self.header(b"posthog-sdk-info")[:LONGEST_HEADER],
            attempt=self.header(b"posthog-attempt") or "1",
            request_id=self.header(b"posthog-request-id"),
        )


@dataclass(slots=True)
class Sorted:
    """A request's events, each where it belongs."""

    forward: list[Frozen] = field(default_factory=list)
    repeated: set[int] = field(default_factory=set)
    """Which events came before and were accepted then, by their identity: they need no second place."""
    aside: list[tuple[str, Trouble, Frozen]] = field(default_factory=list)
    poisons: list[Poison] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    """v1: our uuid of an event to the SDK's own writing of it."""
    refused: list[Frozen] = field(default_factory=list)
    """What the store did not take: the SDK has to send it again."""

    def fresh(self, events: list[Frozen]) -> list[Frozen]:
        """Those that did not come before."""
        return [event for event in events if id(event) not in self.repeated] if self.repeated else events
