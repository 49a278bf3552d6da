"""The proof: what is stored against a second count by PostHog, day by day.

It holds the project's query slot while it asks and always lets go. Days are judged as
the present tells them: an event that came in after the last sync is a difference too,
and the hint says so.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from functions.metrics import proving, recount, series
from functions.metrics.proving import LeftOut, ProofDay
from functions.metrics.window import Window, day_of, oldest_of
from hedgerow import days
from hedgerow.app import App
from hedgerow.catalogue import EVENT_PREFIX
from hedgerow.errors import InvalidError
from hedgerow.models import Connection
from hedgerow.ownership import may_ask
from hedgerow.posthog.client import PostHog
from hedgerow.turns import turn

# The thirty days a first sync brings, without today.
DEFAULT_DAYS = 29
LONGEST_DAYS = 92
# A row for each day and name: the answer must stay well under PostHog's 50,000.
MOST_ROWS = 40_000
QUERY_NAME = "hedgerow proof"


class Proof(BaseModel):
    """The outcome. `equal` is true only when every compared point is; `days` lists the points that are not."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    equal: bool
    first: str = Field(serialization_alias="from")
    last: str = Field(serialization_alias="to")
    zone: str
    complete_only: bool = Field(default=True, description="Today is never compared: it has not closed.")
    checked: list[str] = Field(description="The metrics that were counted again.")
    compared: int = Field(description="Points that were compared.")
    days: list[ProofDay] = Field(description="The points that differ, by day.")
    left_out: list[LeftOut] = Field(description="Days that could not be compared, and why.")
    code: str | None = Field(default=None, description="Why nothing was proved, or what the differences look like.")
    detail: str | None = None
    hint: str | None = None


async def prove(app: App, connection: Connection, begin: str | None, end: str | None) -> Proof:
    """Count again and compare.

    `StateConflictError` when the connection may not ask PostHog or somebody else is
    asking; `OutboundError` when PostHog gave no answer.
    """
    may_ask(connection)
    window = complete_days(app, connection, begin, end)
    reading = await series.read(app, connection, window, ())
    stored = {name: points for name, points in reading.series.items() if name in recount.CHECKED or _is_event(name)}
    events = [name.removeprefix(EVENT_PREFIX) for name in stored if _is_event(name)]
    events = events[: MOST_ROWS // max(1, window.length) - len(recount.CHECKED)]
    checked = [*recount.CHECKED, *(EVENT_PREFIX + name for name in events)]
    comparable, left_out = proving.comparable(window, connection.timezone, stored, reading.zones)
    if not comparable:
        return _proof(connection, window, checked, proving.NOTHING_STORED, left_out)
    try:
        counted = await _count(app, connection, window, events)
    except recount.UntrustedError as error:
        untrusted = proving.Outcome(code=error.code, detail=error.detail, hint=error.hint)
        return _proof(connection, window, checked, untrusted, left_out)
    return _proof(connection, window, checked, proving.compare(comparable, checked, stored, counted), left_out)


def complete_days(app: App, connection: Connection, begin: str | None, end: str | None) -> Window:
    """The days to prove: as asked, up to yesterday; without a wish those of the last 30 that are complete and that the tier keeps."""
    yesterday = days.today(app.now(), connection.timezone) - timedelta(days=1)
    last = min(day_of("to", end), yesterday) if end is not None else yesterday
    first = day_of("from", begin) if begin is not None else last - timedelta(days=DEFAULT_DAYS - 1)
    oldest = oldest_of(app, connection)
    window = Window(max(first, oldest) if oldest else first, last)
    if window.length == 0:
        raise InvalidError(
            f"No complete day that the tier keeps lies between {first} and {last}.",
            code="no_complete_days",
            hint="A proof compares days that have closed; leave `from` and `to` out for the last 29.",
            members={"field": "from"},
        )
    if window.length > LONGEST_DAYS:
        raise InvalidError(
            f"{window.length} days were asked for; one proof counts up to {LONGEST_DAYS}.",
            code="window_too_long",
            hint="Prove a quarter at a time.",
            members={"field": "from"},
        )
    return window


async def _count(app: App, connection: Connection, window: Window, events: list[str]) -> recount.Counted:
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
    values = recount.values(window, connection.timezone, events)
    async with turn(app, connection, again="Prove again"):
        answer = await posthog.query(connection.project_id or "", recount.text(), values, name=QUERY_NAME)
    return recount.read(window, answer.columns, answer.rows)


def _is_event(name: str) -> bool:
    return name.startswith(EVENT_PREFIX)


def _proof(
    connection: Connection, window: Window, checked: list[str], outcome: proving.Outcome, left_out: list[LeftOut]
) -> Proof:
    return Proof(
        equal=outcome.equal,
        first=str(window.first),
        last=str(window.last),
        zone=connection.timezone,
        checked=checked,
        compared=outcome.compared,
        days=outcome.days,
        left_out=left_out,
        code=outcome.code,
        detail=outcome.detail,
        hint=outcome.hint,
    )
