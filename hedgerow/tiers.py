"""The tiers: how often each syncs by itself and how long it keeps days. Read from `tiers.json`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from hedgerow.errors import HedgerowError
from hedgerow.models import Tier

if TYPE_CHECKING:
    from hedgerow.models import Connection

TIERS: tuple[Tier, ...] = get_args(Tier)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
KEYS = {"every_minutes", "kept_days", "by_hand"}
LEAST_MINUTES = 5
"""The ticks come no oftener."""
DAY_MINUTES = 24 * 60
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class TierRules:
    """One tier. `every` None: by hand only. `kept_days` None: for ever."""

    every: timedelta | None
    kept_days: int | None


@cache
def load(path: Path | None = None) -> dict[Tier, TierRules]:
    """Every tier's rules, from the file that ships or the one a setting names.

    `HedgerowError` with the tier and the remedy for a file that cannot be used.
    """
    source = path or Path(__file__).resolve().parent.parent / "tiers.json"
    try:
        written = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        _refuse(
            f"{source.name} cannot be read: {error.strerror}", f"Restore {source.name}, or mend HEDGEROW_TIERS_FILE"
        )
    except ValueError as error:
        _refuse(f"{source.name} is not JSON: {error}", f"Mend {source.name}")
    except RecursionError:
        _refuse(f"{source.name} is nested too deeply", f"Mend {source.name}")
    if not isinstance(written, dict):
        _refuse(f"{source.name} is not a JSON object of tiers", f"Mend {source.name}")
    if unknown := sorted(written.keys() - set(TIERS)):
        _refuse(f"`{unknown[0]}` in {source.name} is no tier", f"Tiers are {', '.join(TIERS)}")
    return {tier: _rules(source.name, tier, written) for tier in TIERS}


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


def _rules(file: str, tier: Tier, written: dict[str, Any]) -> TierRules:
    where = f"`{tier}` in {file}"
    if tier not in written:
        _refuse(f"{where} is missing", f"Every one of {', '.join(TIERS)} needs its entry")
    entry = written[tier]
    if not isinstance(entry, dict):
        _refuse(f"{where} is not a JSON object", f"Mend {file}")
    if wrong := sorted(entry.keys() ^ KEYS):
        _refuse(f"{where} {'lacks' if wrong[0] in KEYS else 'has an unknown'} `{wrong[0]}`", f"Mend {file}")
    minutes, kept_days = entry["every_minutes"], entry["kept_days"]
    if minutes is not None and (type(minutes) is not int or minutes < LEAST_MINUTES or DAY_MINUTES % minutes):
        _refuse(
            f"{where}: `every_minutes` is {minutes!r}",
            f"Take null, or a whole number of minutes from {LEAST_MINUTES} up that divides a day, such as 30",
        )
    if kept_days is not None and (type(kept_days) is not int or not 0 <= kept_days <= MOST_DAYS):
        _refuse(f"{where}: `kept_days` is {kept_days!r}", "Take null to keep days for ever, or a whole number of days")
    if type(entry["by_hand"]) is not bool:
        _refuse(f"{where}: `by_hand` is {entry['by_hand']!r}", "Take true or false")
    return TierRules(None if minutes is None else timedelta(minutes=minutes), kept_days)


def _refuse(what: str, hint: str) -> NoReturn:
    raise HedgerowError(f"{what}.", code="bad_tiers", hint=f"{hint}.")


def _jitter(connection_id: str, every: timedelta) -> timedelta:
    # Spread over the whole interval: the connections of a tier must not all ask at once.
    share = int.from_bytes(hashlib.sha256(connection_id.encode()).digest()[:4]) / 2**32
    return timedelta(seconds=int(every.total_seconds() * share))
