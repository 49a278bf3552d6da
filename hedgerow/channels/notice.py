"""A notice: what a channel is to say, before it has any service's form. Plain text throughout; each kind escapes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ChannelKind = Literal["slack", "discord", "teams", "google_chat", "webhook"]
Mood = Literal["firing", "worse", "acknowledged", "snoozed", "resolved", "digest", "test", "told"]
Reference = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """A labelled https address."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. `title` is the sentence with numbers; `facts` are label and value, in order.

    `key` identifies the message for services that know doubled ones; `chart_url` is a PNG
    anybody with the address may fetch. `beside` goes on where the mood's word ends: "by Ada",
    "until Friday". `body` is what a webhook gets: kind of happening and
    its fields.
    """

    key: str
    mood: Mood
    severity: Literal["info", "warning", "critical"]
    title: str
    at: datetime
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    chart_url: str | None = None
    beside: str = ""
    kind: str = ""
    body: Mapping[str, object] = field(default_factory=dict)
