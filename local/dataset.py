"""The events of `local/data`, joined into one project's history that ends at a given instant.

The three logs tell of three different years. `sources.json` says how many whole weeks
bring each to the end of the web log; then everything is moved by one span.
"""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent / "data"


def write(file: Path, ends_at: datetime) -> int:
    """Write the events to `file` as JSON lines, in order of time, the last at `ends_at`; says how many."""
    sources = json.loads((DATA / "sources.json").read_text(encoding="utf-8"))
    events: list[tuple[datetime, dict[str, Any]]] = []
    for name, about in sources.items():
        align = timedelta(days=about["align_days"])
        with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
            parsed = map(json.loads, lines)
            events += [(datetime.fromisoformat(event["timestamp"]) + align, event) for event in parsed]
    events.sort(key=itemgetter(0))
    shift = ends_at.astimezone(UTC).replace(microsecond=0) - events[-1][0]
    with file.open("w", encoding="utf-8") as lines:
        for at, event in events:
            _move(event, at + shift)
            lines.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")
    return len(events)


def _move(event: dict[str, Any], to: datetime) -> None:
    """Put an event, and the instant that its session id carries, at another time."""
    span = to - datetime.fromisoformat(event["timestamp"])
    event["timestamp"] = to.strftime("%Y-%m-%dT%H:%M:%SZ")
    session = event["properties"].get("$session_id")
    if session is not None:
        event["properties"]["$session_id"] = _moved_session(session, span)


def _moved_session(session_id: str, span: timedelta) -> str:
    """A version 7 UUID begins with 48 bits of milliseconds: PostHog reads a session's begin there."""
    number = uuid.UUID(session_id).int
    began_ms = (number >> 80) + int(span.total_seconds() * 1000)
    return str(uuid.UUID(int=(began_ms << 80) | (number & ((1 << 80) - 1))))
