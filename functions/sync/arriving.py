"""How far PostHog is, and how late events come to it: one arm of the combined query, and what its rows say. Pure."""
# ruff: noqa: S608 - the text is made of our own words

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hedgerow.completeness import SHARES
from hedgerow.measure_hogql import RANK_DAY

LOOK_BACK = timedelta(days=7)
# What comes later still is an import of history, and says nothing about how long to wait.
LONGEST_SECONDS = 172_800
NEWEST = "~newest"
_LATE = "~late "


@dataclass(slots=True)
class Arrivals:
    """What the rows said; empty while PostHog holds no event of the last seven days."""

    newest_event_at: datetime | None = None
    seconds: dict[str, float] | None = None

    def take(self, name: str, value: float) -> bool:
        """Take in a row, if it is one of these."""
        if name == NEWEST:
            self.newest_event_at = datetime.fromtimestamp(int(value), UTC)
        elif name.startswith(_LATE):
            self.seconds = {**(self.seconds or {}), name: value}
        else:
            return False
        return True

    def absorb(self, other: Arrivals) -> None:
        """Take in what another part of the same ask said."""
        self.newest_event_at = other.newest_event_at or self.newest_event_at
        self.seconds = other.seconds or self.seconds

    @property
    def arrivals(self) -> tuple[float, ...]:
        """Seconds by which each of `SHARES` has come; empty unless all are known."""
        known = self.seconds or {}
        found = [known[name] for name in _NAMES if name in known]
        return tuple(round(seconds, 1) for seconds in found) if len(found) == len(SHARES) else ()


_NAMES = tuple(f"{_LATE}{share}" for share in SHARES)


def arm() -> str:
    """The newest event that is not in the future, and by when each share of the last seven days' events had come."""
    late = ",\n    ".join(f"toFloat(quantile({share})(late)) as late{place}" for place, share in enumerate(SHARES))
    pairs = ", ".join(f"('{name}', late{place})" for place, name in enumerate(_NAMES))
    return (
        f"select toDate('{RANK_DAY}') as day, pair.1 as metric, pair.2 as value from (\n"
        f"  select arrayJoin([('{NEWEST}', newest), {pairs}]) as pair from (\n"
        f"    select count() as events, toFloat(toUnixTimestamp(max(at))) as newest,\n    {late}\n    from (\n"
        f"      select timestamp as at, dateDiff('second', timestamp, created_at) as took,\n"
        f"        if(took > {LONGEST_SECONDS} or took < 0, 0, took) as late from events\n"
        "      where timestamp >= fromUnixTimestamp({late_from}) and timestamp <= fromUnixTimestamp({asked_at})))\n"
        "  where events > 0)"
    )


def values(asked_at: datetime) -> dict[str, int]:
    """The placeholders' values."""
    return {"late_from": int((asked_at - LOOK_BACK).timestamp()), "asked_at": int(asked_at.timestamp())}
