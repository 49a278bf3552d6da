"""What arrived in PostHog, by name and hour of the events' own time: one HogQL query, and the reading of its answer.

Names beyond `MOST_NAMES` are counted together by PostHog, as they are here. Pure.
"""
# ruff: noqa: S608 - the text is of our own words; what users name travels as values

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hedgerow.errors import OutboundError
from hedgerow.tallies import OTHER_NAMES

LIMIT = 50_000
MOST_NAMES = 200
QUERY_NAME = "hedgerow reconcile"
# PostHog takes them in and keeps them elsewhere than among events.
NOT_EVENTS = ("$snapshot", "$snapshot_items", "$performance_event", "$$heatmap", "$$client_ingestion_warning")
_END = "~end"

# `place` is the hour since 1970, so that no time zone takes part.
TEXT = f"""select place, name, number from (
select intDiv(toUnixTimestamp(timestamp), 3600) as place, if(event in {{names}}, event, {{other}}) as name,
  uniqExact(uuid) as number from events
  where timestamp >= fromUnixTimestamp({{from}}) and timestamp < fromUnixTimestamp({{to}})
    and (timestamp >= fromUnixTimestamp({{begin}}) and timestamp < fromUnixTimestamp({{end}})
      or intDiv(toUnixTimestamp(timestamp), 3600) in {{hours}})
    and event not in {{elsewhere}}
  group by place, name
union all
select toInt({{last}}) as place, '{_END}' as name, toInt(0) as number
) order by place asc, name asc limit {LIMIT}"""

Arrived = dict[tuple[str, datetime], int]


class UntrustedError(OutboundError):
    """PostHog's answer contradicts itself: nothing can be compared with it."""

    code = "answer_untrusted"
    hint = "Reconcile again; if it stays, something between Hedgerow and PostHog changes answers."


@dataclass(frozen=True, slots=True)
class Asked:
    """Every hour from `begin` up to `end`, and some others; `names` one by one, the rest together."""

    begin: datetime
    end: datetime
    others: Collection[datetime]
    names: Collection[str]

    def values(self) -> dict[str, object]:
        """The placeholders' values."""
        every = [self.begin, self.end, *self.others]
        return {
            "names": ["", *sorted(self.names)],
            "other": OTHER_NAMES,
            "from": _epoch(min(every)),
            "to": _epoch(max(every)) + 3600,
            "begin": _epoch(self.begin),
            "end": _epoch(self.end),
            "hours": [-1, *sorted(_epoch(hour) // 3600 for hour in self.others)],
            "elsewhere": list(NOT_EVENTS),
            "last": _epoch(max(every)) // 3600 + 1,
        }

    def read(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Arrived:
        """The answer; `UntrustedError` when it is not whole."""
        if tuple(columns) != ("place", "name", "number"):
            raise UntrustedError("PostHog answered with other columns than were asked for.")
        arrived: Arrived = {}
        is_ended = False
        for place, name, number in rows:
            if isinstance(place, bool) or not isinstance(place, int) or not isinstance(name, str):
                raise UntrustedError("PostHog answered with a row that is not hour, name, number.")
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                raise UntrustedError("PostHog answered with a number that is none.")
            if name == _END:
                is_ended = True
                continue
            key = (name, datetime.fromtimestamp(place * 3600, UTC))
            if key in arrived:
                raise UntrustedError("PostHog answered with the same row twice.")
            arrived[key] = number
        if len(rows) >= LIMIT or not is_ended:
            raise UntrustedError(f"PostHog's answer of {len(rows)} rows stops before its end.")
        return arrived


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
