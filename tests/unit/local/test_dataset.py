"""The demo's events: all there, in order, ending when told, sessions still pointing at their own begin."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local import dataset

END = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_the_joined_history_is_whole_and_ends_when_told(tmp_path: Path) -> None:
    count = dataset.write(tmp_path / "events.jsonl", END)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    sources = json.loads((dataset.DATA / "sources.json").read_text(encoding="utf-8")).values()
    wanted: Counter[str] = Counter()
    for source in sources:
        wanted.update(source["by_event"])
    assert count == len(events) == sum(source["events"] for source in sources)
    assert Counter(event["event"] for event in events) == wanted
    assert len({event["uuid"] for event in events}) == count

    times = [datetime.fromisoformat(event["timestamp"]) for event in events]
    assert times == sorted(times)
    assert times[-1] == END
    # Each log ends at most six days before the last of them.
    last_order = max(at for at, event in zip(times, events, strict=True) if event["event"] == "order.completed")
    assert END - last_order < timedelta(days=7)

    first_of: dict[str, datetime] = {}
    for at, event in zip(times, events, strict=True):
        if session := event["properties"].get("$session_id"):
            first_of.setdefault(session, at)
    for session, began in first_of.items():
        assert abs((uuid.UUID(session).int >> 80) - began.timestamp() * 1000) < 1
