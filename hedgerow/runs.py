"""Sync runs as connect, refresh and the API know them: planned before they run, shown the same way everywhere."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hedgerow import traces
from hedgerow.models import Connection, RunKind, RunState, SyncRun, Trouble
from hedgerow.records import Instant, derived_id, new_id

FIRST_DAYS = 30
REFRESH_DAYS = 7
PART_DAYS = 90
LONGEST_DAYS = 731
# A pending run is published at once; a tick looks for those whose message was lost.
PUBLISH_GRACE = timedelta(seconds=60)


class RunView(BaseModel):
    """A run as every API answer shows it. `from` and `to` are local days, both inclusive."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: str
    kind: RunKind
    state: RunState
    from_day: Annotated[date, Field(alias="from")]
    to_day: Annotated[date, Field(alias="to")]
    part: int = Field(description="Which part of a long refresh this is, from 1.")
    parts: int
    created_at: Instant
    began_at: Instant | None
    finished_at: Instant | None
    attempts: int
    rows: int = Field(description="Rows PostHog answered with.")
    points: int = Field(description="Points that were new or had moved.")
    days_changed: tuple[date, ...]
    requests: int = Field(description="Requests made to PostHog.")
    error: Trouble | None
    retry_at: Instant | None = Field(
        description="Of a run that waits after a try: the first tick after this instant takes it up."
    )
    next_due_at: Instant | None = Field(description="When the connection's next scheduled sync is due.")
    trace_id: str | None = Field(description="The trace its log lines carry; of an older run None.")


def view(run: SyncRun) -> RunView:
    """What the API shows of a run."""
    return RunView(
        id=run.id,
        kind=run.kind,
        state=run.state,
        from_day=run.from_day,
        to_day=run.to_day,
        part=run.part,
        parts=run.parts,
        created_at=run.created_at,
        began_at=run.began_at,
        finished_at=run.finished_at,
        attempts=run.attempts,
        rows=run.rows,
        points=run.points,
        days_changed=run.days_changed,
        requests=run.requests,
        error=run.error,
        retry_at=run.due_at if run.state == "pending" and (run.attempts or run.error) else None,
        next_due_at=run.next_due_at,
        trace_id=run.trace_id,
    )


def plan(connection: Connection, kind: RunKind, first: date, last: date, now: datetime) -> tuple[SyncRun, ...]:
    """The pending runs for a window, the one the user asked for first.

    A window of up to `PART_DAYS` is one run. A longer one is a whole, which is never
    itself run, followed by its parts, newest days first, because those are looked at
    first; each part names the next.
    """
    whole = _pending(connection, kind, first, last, now)
    if (last - first).days < PART_DAYS:
        return (whole,)
    spans: list[tuple[date, date]] = []
    end = last
    while end >= first:
        begin = max(first, end - timedelta(days=PART_DAYS - 1))
        spans.append((begin, end))
        end = begin - timedelta(days=1)
    ids = [derived_id("run", whole.id, str(number)) for number in range(len(spans))]
    parts = tuple(
        _pending(connection, kind, begin, end, now).model_copy(
            update={
                "id": ids[number],
                "part": number + 1,
                "parts": len(spans),
                "whole_id": whole.id,
                "whole_from": first,
                "whole_to": last,
                "next_part_id": ids[number + 1] if number + 1 < len(spans) else None,
                # Each part is published by the one before; the tick only heals a broken chain.
                "due_at": now + PUBLISH_GRACE * (1 + 5 * number),
            }
        )
        for number, (begin, end) in enumerate(spans)
    )
    return (whole.model_copy(update={"parts": len(spans), "part": 0, "due_at": None}), *parts)


def scheduled_id(connection_id: str, due_at: datetime) -> str:
    """The id of the run a tick asks for: doubled ticks ask for the same one."""
    return derived_id("run", connection_id, due_at.isoformat())


def _pending(connection: Connection, kind: RunKind, first: date, last: date, now: datetime) -> SyncRun:
    return SyncRun(
        id=new_id("run"),
        connection_id=connection.id,
        tenant_id=connection.tenant_id,
        kind=kind,
        state="pending",
        from_day=first,
        to_day=last,
        created_at=now,
        due_at=now + PUBLISH_GRACE,
        traceparent=traces.traceparent(),
    )
