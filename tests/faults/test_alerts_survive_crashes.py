"""The process dies before or after every port call of an evaluation; in the end one incident, each thing told once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from functions.alerts.incidents import acting, ticking
from functions.alerts.records import AlertRule
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.alerts.incident_stage import YESTERDAY, AlertStage, alert_stage
from tests.stage import staged

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.ports import Store

Flow = Callable[[AlertStage, "App"], Awaitable[None]]


@dataclass(frozen=True)
class Remains:
    """What people and programs can see in the end, whichever process did it."""

    incidents: list[tuple[str, str, tuple[str, ...]]]
    told: list[tuple[str, int]]
    happened: list[str]
    phases: list[tuple[str, str]]
    ratings: list[tuple[str, int, int]]


async def remains(alerts: AlertStage, rules: list[AlertRule]) -> Remains:
    stored = [await alerts.stage.store.get(AlertRule, rule.id) for rule in rules]
    names = {rule.id: rule.name for rule in rules}
    return Remains(
        sorted(
            (each.rule_name, each.state, tuple(step.kind for step in each.timeline))
            for each in await alerts.incidents()
        ),
        sorted((each.kind, each.step) for each in await alerts.notifications()),
        sorted(await alerts.activities()),
        sorted((names.get(each.rule_id, "health"), each.phase) for each in await alerts.states()),
        sorted((rule.name, rule.useful, rule.useless) for rule in stored if rule is not None),
    )


async def opens(alerts: AlertStage, app: App) -> None:
    """A run ends that shows a drop, which two rules see."""
    await alerts.evaluate(app)


async def ends(alerts: AlertStage, app: App) -> None:
    """A run ends that shows that one of two incidents is over, while somebody looks after the other."""
    for incident in await alerts.incidents():
        if incident.rule_name == "strict":
            await acting.acknowledge(app, incident, "key_1")
    await alerts.evaluate(app)


async def ticks(alerts: AlertStage, app: App) -> None:
    """The connection needs attention, and a tick finds out."""
    await ticking.tick(app)


async def before_opens(alerts: AlertStage) -> None:
    await alerts.points({YESTERDAY: 20})


async def before_ends(alerts: AlertStage) -> None:
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.day_passes(55)


async def before_ticks(alerts: AlertStage) -> None:
    await before_opens(alerts)
    await alerts.evaluate()
    await alerts.change_connection(state="needs_attention", state_since=alerts.stage.clock(), due_at=None)
    alerts.stage.clock.forward(timedelta(minutes=40))


@asynccontextmanager
async def anew(
    before: Callable[[AlertStage], Awaitable[None]], kind: str, request: pytest.FixtureRequest, project: str
) -> AsyncIterator[tuple[AlertStage, list[AlertRule]]]:
    """An installation on a store of this kind, just before the flow."""
    store: Store = SqliteStore(":memory:")
    if kind == "firestore":
        store = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
    async with staged(store=store) as stage:
        alerts = await alert_stage(stage)
        rules = [await alerts.rule("lenient"), await alerts.rule("strict")]
        rules[1] = await alerts.change_rule(rules[1], condition=rules[1].condition.model_copy(update={"below": 60.0}))
        await before(alerts)
        yield alerts, rules
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "firestore"])
@pytest.mark.parametrize(("flow", "before"), [(opens, before_opens), (ends, before_ends), (ticks, before_ticks)])
async def test_a_crash_at_any_port_call_is_healed(
    flow: Flow,
    before: Callable[[AlertStage], Awaitable[None]],
    kind: str,
    request: pytest.FixtureRequest,
    project: str,
) -> None:
    counting = Fuse()
    async with anew(before, kind, request, f"{project}-0") as (alerts, rules):
        await flow(alerts, armed(alerts.app, counting))
        await recover(alerts)
        expected = await remains(alerts, rules)
        announced = await announced_once(alerts)
    assert len(counting.calls) > 8
    assert expected.incidents
    for fuse in fuses(len(counting.calls)):
        name = f"{project}-{fuse.at}-{fuse.after}".lower()
        async with anew(before, kind, request, name) as (alerts, rules):
            with pytest.raises(Crash):
                await flow(alerts, armed(alerts.app, fuse))
            await flow(alerts, alerts.app)
            await recover(alerts)
            where = f"call {fuse.at} {'after' if fuse.after else 'before'}: {fuse.calls[-1]}"
            assert await remains(alerts, rules) == expected, where
            assert await announced_once(alerts) == announced, where


async def recover(alerts: AlertStage) -> None:
    """What happens by itself: the next minute's tick."""
    alerts.stage.clock.forward(timedelta(minutes=1))
    await ticking.tick(alerts.app)


async def announced_once(alerts: AlertStage) -> int:
    """Every notification was announced, however often; how many there are."""
    planned = {f"{each.id}#0" for each in await alerts.notifications()}
    assert planned <= set(await alerts.announced())
    return len(planned)


def fuses(calls: int) -> list[Fuse]:
    """Between two port calls nothing is written, so after one is before the next; only the last has an after."""
    return [fuse for fuse in every_fuse(calls) if not fuse.after or fuse.at == calls]
