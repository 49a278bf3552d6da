"""What each target of the manifest is asked by its caller, on an installation that has one of everything."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from functions.alerts.pages import links
from functions.alerts.records import Incident
from hedgerow import keys
from hedgerow.messages import NotificationDue, PurgeRequested, RunEnded, SyncRequested
from hedgerow.models import Connection, Tenant, TokenClaim
from hedgerow.ports import Add
from hedgerow.posthog.keys import claim_id
from hedgerow.records import new_id
from tests.deploy.deployment import Request

if TYPE_CHECKING:
    from functions.api import manifest
    from hedgerow.app import App
    from hedgerow.messages import Message

TOKEN = "phc_deployeddeployeddeployeddeplo"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Case:
    """A request, the status of its answer, and what its body says."""

    request: Request
    status: int
    says: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """One tenant with a key, one connection that is due, one open incident and the link to its page."""

    key: str
    connection: Connection
    page: str
    chart: str

    def cases(self, targets: dict[str, manifest.Target]) -> dict[str, list[Case]]:
        """What to ask each target; a target that nobody asks is missing here."""
        ticks = {
            name: [Case(_post("/", json.dumps(each.body).encode()), 200) for each in target.schedules]
            for name, target in targets.items()
            if target.trigger == "schedule"
        }
        return {**ticks, **self._topics(), **self._families(), **self._public()}

    def _topics(self) -> dict[str, list[Case]]:
        connection, run = self.connection.id, "run_nobodys"
        dead = {
            "CloudPubSubDeadLetterSourceSubscription": "hedgerow-run-ended",
            "CloudPubSubDeadLetterSourceDeliveryCount": "10",
        }
        ended = RunEnded(connection_id=connection, run_id=run)
        return {
            "sync_connection": [_pushed(SyncRequested(connection_id=connection, due_at=self.connection.due_at))],
            "purge_connection": [_pushed(PurgeRequested(connection_id=connection))],
            "evaluate_alerts": [_pushed(ended)],
            "notify": [_pushed(NotificationDue(notification_id="ntf_nobodys"))],
            "bury_message": [_pushed(ended, dead)],
        }

    def _families(self) -> dict[str, list[Case]]:
        of_one = f"/v1/connections/{self.connection.id}"
        return {
            "connect": [self._get("/v1/connections", self.connection.id)],
            "sync": [self._get(f"{of_one}/runs", "items")],
            "metrics": [self._get(f"{of_one}/metrics?name=posthog_dau", "posthog_dau")],
            "disconnect": [Case(_post(f"{of_one}/disconnect", b"{}", self._bearer()), 202)],
            "outbox": [self._get(f"{of_one}/outbox", "items")],
            "alerts": [self._get("/v1/incidents", "Orders fell.")],
            "alert_pages": [
                Case(Request("GET", self.page), 200, "Orders fell."),
                Case(Request("GET", self.chart), 200, "PNG"),
            ],
        }

    def _public(self) -> dict[str, list[Case]]:
        event = {"event": "order placed", "distinct_id": "ada", "properties": {}, "uuid": str(_UUID)}
        batch = json.dumps({"api_key": TOKEN, "batch": [event]}).encode()
        return {
            "api": [
                self._get("/v1/metrics/catalog", "posthog_dau"),
                self._get("/v1/connections", self.connection.id),
                Case(Request("GET", "/v1/connections"), 401, "key_missing"),
                Case(Request("GET", "/health"), 200),
            ],
            "capture": [
                Case(_post("/batch/", batch), 200),
                Case(Request("GET", "/health"), 200),
                Case(_post("/v1/capture/event", b"{}"), 401, "key_missing"),
            ],
        }

    def _get(self, path: str, says: str) -> Case:
        return Case(Request("GET", path, headers=self._bearer()), 200, says)

    def _bearer(self) -> dict[str, str]:
        return {**JSON, "Authorization": f"Bearer {self.key}"}


_UUID = "019a5b3c-0000-7000-8000-000000000001"


async def install(app: App, host: str) -> Installation:
    """Make the installation; `host` is its PostHog, which need not answer."""
    now = app.now()
    tenant = Tenant(id=new_id("ten"), name="Shop", tier="scale", created_at=now)
    record, key = keys.make(tenant.id, "deployed", "write", now)
    id = new_id("con")
    connection = Connection(
        id=id,
        tenant_id=tenant.id,
        name="Shop",
        host=host,
        ingestion_host=host,
        project_id="1",
        project_token=TOKEN,
        secret_ref=await app.vault.write(id, SecretStr("phx_nobodys0123456789")),
        state="connected",
        state_since=now,
        tier="scale",
        created_at=now,
        due_at=now - timedelta(minutes=1),
    )
    incident = Incident(
        id=new_id("inc"),
        tenant_id=tenant.id,
        connection_id=id,
        rule_id="rule_gone",
        rule_name="Orders",
        connection_name="Shop",
        severity="critical",
        since=now - timedelta(hours=2),
        opened_at=now - timedelta(hours=1),
        sentence="Orders fell.",
    )
    claim = TokenClaim(id=claim_id(TOKEN), connection_id=id, proved=True)
    await app.store.commit(Add(tenant), Add(record), Add(connection), Add(claim), Add(incident))
    until = now + timedelta(days=1)
    page = await links.sign(app, "incident", incident.id, until)
    chart = await links.sign(app, "chart", incident.id, until)
    base = app.settings.public_url
    return Installation(key.get_secret_value(), connection, page.removeprefix(base), chart.removeprefix(base))


def _pushed(message: Message, attributes: dict[str, str] | None = None) -> Case:
    """As Pub/Sub pushes it; 204 acknowledges."""
    data = base64.b64encode(message.model_dump_json().encode()).decode()
    envelope = {
        "message": {"data": data, "attributes": {"key": message.key, **(attributes or {})}, "messageId": "1"},
        "subscription": f"projects/p/subscriptions/hedgerow-{message.topic}",
    }
    return Case(_post("/", json.dumps(envelope).encode()), 204)


def _post(path: str, body: bytes, headers: dict[str, str] | None = None) -> Request:
    return Request("POST", path, body, headers or JSON)
