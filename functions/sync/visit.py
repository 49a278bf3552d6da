"""A run under way: what it holds and has read, and whether it is still ours after a conflict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from functions.sync import claiming, ends, outcomes
from functions.sync.claiming import Held
from functions.sync.windows import Ask
from hedgerow import hours, months, tiers
from hedgerow.app import App
from hedgerow.errors import ConflictError, HedgerowError
from hedgerow.hours import HourMonth, Hours
from hedgerow.models import Connection, MetricMonth, SyncRun, Trouble
from hedgerow.months import Month

TRIES = 5


class LostError(HedgerowError):
    """The run is no longer ours, or its connection may not sync any more: write nothing."""

    code = "run_lost"


class RekeyedError(HedgerowError):
    """The connection has another key than the one PostHog was asked with: what was said of that one is of no use."""

    code = "run_rekeyed"


@dataclass(slots=True)
class Visit:
    """One attempt at a run. `records` and `hour_records` are the months it may write, as they were read.

    `asked_with`: the vault's reference of the key that PostHog is asked with.
    `listing_refused`: the key may not list feature flags, so that is not tried at every sync.
    `trouble`: what a run that succeeds could not do all the same.
    """

    app: App
    held: Held
    ask: Ask
    records: dict[str, MetricMonth] = field(default_factory=dict)
    hour_records: dict[str, HourMonth] = field(default_factory=dict)
    asked_with: str | None = None
    requests: int = 0
    listing_refused: bool = False
    trouble: Trouble | None = None

    @property
    def connection(self) -> Connection:
        """The connection as last read or written."""
        return self.held.connection

    @property
    def run(self) -> SyncRun:
        """The run as last written."""
        return self.held.run

    def months(self) -> dict[str, Month]:
        """The months read, unpacked anew: merging changes them in place."""
        return {name: months.unpack(name, record.packed) for name, record in self.records.items()}

    def hours(self) -> dict[str, Hours]:
        """The months of hours read, unpacked anew."""
        return {name: hours.unpack(name, record.packed) for name, record in self.hour_records.items()}

    async def read_months(self) -> None:
        """Read every month the ask may touch; those of hours only for a connection that has any."""
        ids = [months.record_id(self.connection.id, month) for month in self.ask.months()]
        found = await self.app.store.get_many(MetricMonth, ids)
        self.records = {record.month: record for record in found if record is not None}
        if any(measure.hourly for measure in self.connection.measures):
            ids = [hours.record_id(self.connection.id, month) for month in self.ask.utc_months()]
            hourly = await self.app.store.get_many(HourMonth, ids)
            self.hour_records = {record.month: record for record in hourly if record is not None}

    def refuse_rekeyed(self, verdict: HedgerowError) -> None:
        """`RekeyedError` when the connection has got another key than the one the verdict is about."""
        if self.connection.secret_ref != self.asked_with:
            raise RekeyedError("The connection's key was replaced meanwhile.") from verdict

    async def still_ours(self, conflict: ConflictError) -> None:
        """Read again what a conflict moved; `LostError` when the run may not go on."""
        connection = await self.app.store.get(Connection, self.connection.id)
        run = await self.app.store.get(SyncRun, self.run.id)
        if connection is None or run is None or run.claimed_by != self.run.claimed_by or run.state != "running":
            raise LostError("The run was taken over or ended.") from conflict
        if (
            not tiers.is_syncable(connection)
            or not connection.activity_tracking
            or connection.timezone != self.ask.zone
        ):
            await ends.end(self.app, outcomes.stopped(run, connection, self.app.now()))
            raise LostError("The connection may not sync any more.") from conflict
        slot = await claiming.slot_of(self.app, self.held)
        self.held = replace(self.held, connection=connection, run=run, slot=slot)
