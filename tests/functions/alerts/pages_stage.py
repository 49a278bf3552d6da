"""An installation with one open incident, sixty days of its series, and a visitor without a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.main import alert_pages
from functions.alerts.pages import links
from functions.alerts.records import AlertRule, Incident, Step
from functions.alerts.spec import MetricSeries
from tests.stage import NOW, Stage, staged


@dataclass
class Open:
    """An installation with one open incident, and a visitor without a key."""

    stage: Stage
    client: httpx.AsyncClient
    incident: Incident

    async def path(self, purpose: links.Purpose, extra: str = "Slack #ops") -> str:
        url = await links.sign(self.stage.app, purpose, self.incident.id, NOW + timedelta(days=7), extra)
        return url.removeprefix("https://alerts.test")

    async def now(self) -> Incident:
        incident = await self.stage.store.get(Incident, self.incident.id)
        assert incident is not None
        return incident


@asynccontextmanager
async def opened(state: str = "open", sentence: str = "DAU 12, usually 80 to 120") -> AsyncIterator[Open]:
    async with staged() as stage:
        stage.app = replace(
            stage.app, settings=stage.app.settings.model_copy(update={"public_url": "https://alerts.test"})
        )
        tenant = await stage.tenant()
        connection = await stage.connection(tenant, zone="Europe/Berlin")
        today = NOW.date()
        points = {("posthog_dau", today - timedelta(days=back)): 100.0 - 88 * (back < 3) for back in range(60)}
        await stage.points(connection, points)
        rule = await stage.add(
            AlertRule(
                id="rule_1",
                tenant_id=tenant.id,
                connection_id=connection.id,
                name="DAU drop",
                series=MetricSeries(name="posthog_dau"),
                condition=Threshold(below=80),
                created_at=NOW,
                updated_at=NOW,
            )
        )
        incident = await stage.add(
            Incident(
                id="inc_1",
                tenant_id=tenant.id,
                connection_id=connection.id,
                rule_id=rule.id,
                rule_name=rule.name,
                connection_name=connection.name,
                state="resolved" if state == "resolved" else "open",
                severity="critical",
                since=NOW - timedelta(days=2),
                opened_at=NOW - timedelta(days=2),
                resolved_at=NOW - timedelta(hours=1) if state == "resolved" else None,
                sentence=sentence,
                timeline=(Step(at=NOW - timedelta(days=2), kind="opened", sentence=sentence),),
            )
        )
        async with stage.calling(alert_pages, None) as client:
            yield Open(stage, client, incident)
