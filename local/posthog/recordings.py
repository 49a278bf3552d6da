"""Session recordings as they arrive at /s: checked like PostHog's, counted and fingerprinted, never kept."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from local.posthog.capture_shapes import CaptureError


@dataclass(frozen=True, slots=True)
class Recorded:
    """One `$snapshot` event: whose it is, how many rrweb items it holds, and their fingerprint."""

    session_id: str
    window_id: str
    distinct_id: str
    items: int
    sha256: str


@dataclass(slots=True)
class Recordings:
    """What arrived, by project id, in order."""

    arrived: dict[int, list[Recorded]] = field(default_factory=dict)

    def take_in(self, project_id: int, recorded: list[Recorded]) -> None:
        self.arrived.setdefault(project_id, []).extend(recorded)

    def shown(self) -> dict[str, list[dict[str, Any]]]:
        return {str(project_id): [asdict(each) for each in found] for project_id, found in self.arrived.items()}


def read(event: dict[str, Any], distinct_id: str) -> Recorded:
    """One event of /s, or PostHog's refusal of it."""
    properties = event.get("properties")
    snapshots = properties.get("$snapshot_data") if isinstance(properties, dict) else None
    if not isinstance(properties, dict) or not snapshots:
        raise CaptureError(400, "replay event submitted without snapshot data")
    session_id, window_id = properties.get("$session_id"), properties.get("$window_id")
    if session_id is None:
        raise CaptureError(400, "replay event submitted without session id")
    if not isinstance(session_id, str) or not session_id.strip():
        raise CaptureError(400, "replay event has invalid session id")
    if not isinstance(window_id, str):
        raise CaptureError(400, "replay event submitted without window id")
    items = snapshots if isinstance(snapshots, list) else [snapshots]
    text = json.dumps(items, sort_keys=True, separators=(",", ":"))
    return Recorded(session_id, window_id, distinct_id, len(items), hashlib.sha256(text.encode()).hexdigest())
