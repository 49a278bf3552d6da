"""A look costs the same however many connections there are; asked for all, it finds the ill one behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hedgerow.cli.operations.doctor.outbox import CONNECTIONS
from hedgerow.models import Connection, SyncProgress
from hedgerow.ports import Swap
from hedgerow.records import new_id
from tests.crash import Fuse, armed
from tests.functions.doctor.test_doctor_on_records import delivery

if TYPE_CHECKING:
    from tests.functions.doctor.room import Room

MINUTES = timedelta(minutes=1)
DAYS = timedelta(days=1)


async def alike(room: Room, number: int, **update: object) -> Connection:
    """A connection, and so many others like it."""
    first = await room.stage.connection(await room.stage.tenant())
    without_a_key = {"secret_ref": None, "version": 0, **update}
    for _ in range(number):
        await room.stage.add(first.model_copy(update={**without_a_key, "id": new_id("con")}))
    return first


async def test_a_look_costs_the_same_however_many_connections_there_are(healthy: Room) -> None:
    calls: list[int] = []
    for number in (600, 1_200):
        await alike(healthy, number)
        fuse = Fuse()
        report = await healthy.look(app=armed(healthy.stage.app, fuse))
        assert report.exit_code == 0
        calls.append(len(fuse.calls))

    assert calls[0] == calls[1]


async def test_all_are_looked_at_where_that_is_asked_for(healthy: Room) -> None:
    since = healthy.stage.clock() - 20 * MINUTES
    first = await alike(healthy, 600)
    ill = first.model_copy(
        update={"id": "con_zzzz", "version": 0, "progress": SyncProgress(last_success_at=since, failures=2)}
    )
    await healthy.stage.add(ill)

    assert (await healthy.look()).of("warning") == ()
    finding = await healthy.only(looks_at_all=True)

    assert (finding.code, finding.subject, finding.since) == ("connection.failing", "con_zzzz", since)


async def test_every_outbox_is_looked_at_where_that_is_asked_for(healthy: Room) -> None:
    since = healthy.stage.clock() - 20 * MINUTES
    first = await healthy.stage.connection(await healthy.stage.tenant())
    for number in range(CONNECTIONS):
        await healthy.stage.add(delivery(first.model_copy(update={"id": f"con_{number:03}"}), "delivered", since))
    await healthy.stage.add(delivery(first.model_copy(update={"id": "con_zzzz"}), "pending", since))

    assert (await healthy.look()).of("warning") == ()
    finding = await healthy.only(looks_at_all=True)

    assert (finding.code, finding.subject) == ("outbox.waiting", "con_zzzz")


@pytest.mark.parametrize(("age", "said"), [(334, ""), (336, "is to be replaced by"), (366, "was to be replaced by")])
async def test_a_key_is_told_of_a_month_before_its_day(healthy: Room, age: int, said: str) -> None:
    since = healthy.stage.clock() - age * DAYS
    first = await healthy.stage.connection(await healthy.stage.tenant())
    await healthy.stage.store.commit(Swap(first.model_copy(update={"key_since": since})))

    report = await healthy.look()

    if not said:
        assert report.of("warning") == ()
        return
    (finding,) = report.of("warning")
    assert (finding.code, finding.subject, finding.since) == ("connection.key_expiring", first.id, since)
    assert f"{said} {since + 365 * DAYS:%Y-%m-%d}" in finding.what
    assert finding.command == f"hedgerow connections rotate {first.id}"


@pytest.mark.parametrize(("age", "told"), [(19, False), (21, True)])
async def test_of_a_short_life_the_last_third_is_told(healthy: Room, age: int, told: bool) -> None:
    first = await healthy.stage.connection(await healthy.stage.tenant())
    since = healthy.stage.clock() - age * DAYS
    await healthy.stage.store.commit(Swap(first.model_copy(update={"key_since": since})))
    short = healthy.stage.app.settings.model_copy(update={"key_days": 30})

    report = await healthy.look(app=replace(healthy.stage.app, settings=short))

    assert [each.code for each in report.of("warning")] == ["connection.key_expiring"] * told


async def test_no_key_is_told_of_where_none_expires(healthy: Room) -> None:
    first = await healthy.stage.connection(await healthy.stage.tenant())
    await healthy.stage.store.commit(Swap(first.model_copy(update={"key_since": first.created_at - 4000 * DAYS})))
    endless = healthy.stage.app.settings.model_copy(update={"key_days": 0})

    assert (await healthy.only()).code == "connection.key_expiring"
    report = await healthy.look(app=replace(healthy.stage.app, settings=endless))

    assert report.of("warning") == ()


async def test_an_instant_near_the_calendars_end_hides_no_other_connection(healthy: Room) -> None:
    first, second = [await healthy.stage.connection(await healthy.stage.tenant()) for _ in range(2)]
    far = datetime(9999, 6, 1, tzinfo=UTC)
    await healthy.stage.store.commit(Swap(first.model_copy(update={"key_since": far})))
    aged = second.model_copy(update={"key_since": healthy.stage.clock() - 400 * DAYS})
    await healthy.stage.store.commit(Swap(aged))

    finding = await healthy.only()

    assert (finding.code, finding.subject) == ("connection.key_expiring", second.id)
