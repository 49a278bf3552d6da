"""The tiers: how often each syncs by itself and how long it keeps days. Read from `tiers.json`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from hedgerow.models import Tier

if TYPE_CHECKING:
    from hedgerow.models import Connection

TIERS: tuple[Tier, ...] = get_args(Tier)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TierRules:
    """One tier. `every` None: by hand only. `kept_days` None: for ever."""

    every: timedelta | None
    kept_days: int | None


@cache
def load(path: Path | None = None) -> dict[Tier, TierRules]:
    """Every tier's rules, from the file that ships or the one a setting names."""
    source = path or Path(__file__).resolve().parent.parent / "tiers.json"
    raw = json.loads(source.read_text(encoding="utf-8"))
    return {
        tier: TierRules(
            every=None if raw[tier]["every_minutes"] is None else timedelta(minutes=raw[tier]["every_minutes"]),
            kept_days=raw[tier]["kept_days"],
        )
        for tier in TIERS
    }


def interval(connection: Connection, rules: dict[Tier, TierRules]) -> timedelta | None:
    """How often this connection syncs: the tier's interval, or the slower one it asked for."""
    every = rules[connection.tier].every
    if every is None:
        return None
    return max(every, connection.every) if connection.every else every


def next_due(connection: Connection, rules: dict[Tier, TierRules], after: datetime) -> datetime | None:
    """The first slot after `after`: the tier's grid, moved by a jitter that is stable per connection.

    None when nothing is scheduled: a by-hand tier, activity tracking off, or a
    connection that is not connected or cannot query.
    """
    every = interval(connection, rules)
    if every is None or not is_syncable(connection) or not connection.activity_tracking:
        return None
    slots = (after - EPOCH - _jitter(connection.id, every)) // every + 1
    return EPOCH + _jitter(connection.id, every) + slots * every


def is_syncable(connection: Connection) -> bool:
    """Connected, with a personal key and a project to ask about."""
    return connection.state == "connected" and connection.secret_ref is not None and connection.project_id is not None


def oldest_kept(tier: Tier, rules: dict[Tier, TierRules], today: date) -> date | None:
    """The oldest day a read may show: a day is kept until that many days after it ended. None: all."""
    kept = rules[tier].kept_days
    return None if kept is None else today - timedelta(days=kept)


def _jitter(connection_id: str, every: timedelta) -> timedelta:
    # Spread over the whole interval: the connections of a tier must not all ask at once.
    share = int.from_bytes(hashlib.sha256(connection_id.encode()).digest()[:4]) / 2**32
    return timedelta(seconds=int(every.total_seconds() * share))
