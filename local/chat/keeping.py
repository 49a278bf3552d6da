"""What the stand-ins have been told: messages, with their edits and threads. In memory, and bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

ServiceName = Literal["slack", "discord", "teams", "google-chat", "webhook"]
Body = Mapping[str, JsonValue]

MOST_MESSAGES = 400
MOST_EDITS = 30


@dataclass(frozen=True, slots=True)
class Edit:
    """A message as it was until `until`."""

    body: Body
    until: datetime


@dataclass(slots=True)
class Posted:
    """A message as it stands. `room` is where in its service; `thread` the message it answers, "" for none.

    `note` is what the service knows besides, such as whether a signature was good;
    `failed` says why the service took the message and did not show it, "" when it did.
    """

    service: ServiceName
    room: str
    id: str
    body: Body
    at: datetime
    author: str = ""
    thread: str = ""
    note: str = ""
    failed: str = ""
    repeats: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)

    def edit(self, body: Body, at: datetime) -> None:
        """Replace what it says, and remember what it said."""
        self.edits.append(Edit(self.body, at))
        del self.edits[:-MOST_EDITS]
        self.body = body


class Kept:
    """All messages of all services, oldest first; beyond `MOST_MESSAGES` the oldest go."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.messages: list[Posted] = []
        self.credentials: dict[tuple[ServiceName, str], str] = {}
        self._last = 0

    def keep(self, message: Posted) -> Posted:
        """Show a message."""
        self.messages.append(message)
        del self.messages[:-MOST_MESSAGES]
        return message

    def find(self, service: ServiceName, room: str, id: str) -> Posted | None:
        """One message of a room."""
        for message in reversed(self.messages):
            if (message.service, message.room, message.id) == (service, room, id):
                return message
        return None

    def admits(self, service: ServiceName, room: str, credential: str) -> bool:
        """Whether this is the room's credential. The first one ever used is: rooms need no setting up."""
        return self.credentials.setdefault((service, room), credential) == credential

    def number(self) -> int:
        """A number higher than all before, from the clock's microseconds: ids and `ts` are made of it."""
        self._last = max(self._last + 1, int(self.now().timestamp() * 1_000_000))
        return self._last

    def clear(self) -> None:
        """Forget every message and credential."""
        self.messages.clear()
        self.credentials.clear()
