"""One trace from the tick through the queue to the chat message, and back from the page behind its link."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from functions.alerts.channels import channels
from functions.alerts.channels.channels import ChannelWanted
from functions.alerts.conditions.kinds import Threshold
from functions.alerts.main import alert_pages
from functions.alerts.records import AlertRule, Incident, Notification
from functions.alerts.spec import MetricSeries
from hedgerow import runs, wiring
from hedgerow.adapters.courier import Courier
from hedgerow.adapters.embedded import Wanted
from hedgerow.models import SyncRun
from hedgerow.ports import Add
from local.private import PrivateTargets
from tests.sync_stage import NOW, StraightOut, SyncStage, sync_stage

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

TICK, LATER = "4bf92f3577b34da6a3ce929d0e0e4736", "b" * 32


@dataclass
class Journey:
    stage: SyncStage
    private: PrivateTargets
    capfd: pytest.CaptureFixture[str]
    told: list[dict[str, Any]] = field(default_factory=list)

    async def fire(self, target: str, trace: str, body: dict[str, str] | None = None) -> None:
        """Cloud Scheduler calls a target, whose request the platform gave this trace."""
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "Authorization": "Bearer ours"}
        transport = httpx.ASGITransport(app=self.private)
        async with httpx.AsyncClient(transport=transport, base_url="http://private", headers=headers) as client:
            answer = await client.post(f"/{target}", json=body or {})
        assert answer.status_code == 200, answer.text

    async def deliver(self) -> None:
        assert await Courier(self.stage.queue, self.private.deliver, self.private.subscribers).drain(30) == 0

    async def lose(self) -> None:
        """Every message that waits is lost, as if the process had died before it published."""
        topics = [Wanted(topic, 0, 100) for topic in self.private.subscribers]
        waiting = await self.stage.queue.exchange([], topics)
        await self.stage.queue.exchange([one.id for one in waiting], topics)

    def traces(self) -> dict[str, str]:
        """The last trace of each event logged since the last look."""
        found: dict[str, str] = {}
        for line in self.capfd.readouterr().err.splitlines():
            if line.startswith("{"):
                fields = json.loads(line)
                name = fields["event"] if fields["event"] != "target.done" else f"{fields['target']} done"
                found[name] = fields.get("logging.googleapis.com/trace", "")
        return found

    async def watch(self) -> None:
        """A rule that fires at once, told in a chat."""
        wanted = ChannelWanted(name="ops", kind="slack", url=SecretStr("https://hooks.slack.com/services/T0/B0/x"))
        channel = (await channels.create(self.stage.app, self.stage.tenant.id, wanted))[0]
        rule = AlertRule(
            id="rule_1",
            tenant_id=self.stage.tenant.id,
            connection_id=self.stage.connection_id,
            name="Few people",
            series=MetricSeries(name="posthog_dau"),
            condition=Threshold(below=1_000),
            channels=(channel.id,),
            created_at=NOW,
            updated_at=NOW,
        )
        await self.stage.store.commit(Add(rule))

    async def acknowledge(self, link: str) -> None:
        """Somebody presses the button of the page behind the message's link, in a request of its own trace."""

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            answer: Any = await alert_pages(Request(scope, receive))
            await answer(scope, receive, send)

        transport = httpx.ASGITransport(app=served)
        headers = {"traceparent": f"00-{LATER}-00f067aa0ba902b7-00"}
        with wiring.override(self.stage.app):
            async with httpx.AsyncClient(transport=transport, headers=headers) as person:
                assert (await person.post(link)).status_code == 200


@pytest.fixture
async def journey(capfd: pytest.CaptureFixture[str]) -> AsyncIterator[Journey]:
    events = [
        {
            "event": "$pageview",
            "distinct_id": f"person_{person}",
            "timestamp": (NOW - timedelta(days=age)).isoformat(),
            "properties": {},
        }
        for age in range(1, 12)
        for person in range(3)
    ]
    settings = {"invoker": "ours", "public_url": "https://hedgerow.test", "project": "acme"}
    async with sync_stage(events, settings=settings) as stage, _with_chat(stage) as (reached, told):
        private = PrivateTargets(reached.app)
        yield Journey(reached, private, capfd, told)
        await private.close()


@asynccontextmanager
async def _with_chat(stage: SyncStage) -> AsyncIterator[tuple[SyncStage, list[dict[str, Any]]]]:
    """The same installation, whose way out leads to a chat beside PostHog; what the chat was told."""
    told: list[dict[str, Any]] = []

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        assert not any(name.lower() in {b"traceparent", b"x-cloud-trace-context"} for name, _ in scope["headers"])
        request = Request(scope, receive)
        if request.url.hostname != "hooks.slack.com":
            await stage.posthog.app(scope, receive, send)
            return
        told.append(await request.json())
        await PlainTextResponse("ok")(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=outside)) as client:
        yield replace(stage, app=replace(stage.app, outbound=StraightOut(client))), told


async def test_from_the_tick_to_the_chat_and_back(journey: Journey) -> None:
    await journey.watch()
    journey.stage.forward(timedelta(hours=3, minutes=1))
    await journey.fire("sync_tick", TICK, {"tier": "pro"})
    await journey.deliver()
    here = f"projects/acme/traces/{TICK}"
    seen = journey.traces()
    steps = ["tick.done", "sync.ended", "sync_connection done", "incident.opened", "evaluate_alerts done"]
    steps += ["notification.sent", "notify done"]
    assert {step: seen.get(step) for step in steps} == dict.fromkeys(steps, here), seen

    (run,) = await journey.stage.runs()
    assert runs.view(run).trace_id == TICK
    (incident,) = (await journey.stage.store.find(Incident)).items
    assert incident.trace_id == TICK

    (message,) = journey.told
    (link,) = [button["url"] for button in _buttons(message) if button["text"]["text"] == "Acknowledge"]
    await journey.acknowledge(link)
    lines = [json.loads(line) for line in journey.capfd.readouterr().err.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"] == "incident.acknowledged"]
    assert line["logging.googleapis.com/trace"] == here
    assert line["request_trace_id"] == LATER
    assert line["incident_id"] == incident.id
    await journey.deliver()
    assert set(journey.traces().values()) <= {here}


async def test_a_run_that_a_tick_found_again_goes_on_in_its_own_trace(journey: Journey) -> None:
    connection = await journey.stage.connection()
    lost = runs.plan(connection, "refresh", NOW.date(), NOW.date(), NOW)[0]
    lost = lost.model_copy(update={"traceparent": f"00-{TICK}-00f067aa0ba902b7-01"})
    await journey.stage.store.commit(Add(lost))
    journey.stage.forward(timedelta(minutes=2))
    await journey.fire("sync_tick", LATER, {"tier": "starter"})
    await journey.deliver()
    seen = journey.traces()
    assert seen["tick.done"] == f"projects/acme/traces/{LATER}"
    assert seen["sync.ended"] == f"projects/acme/traces/{TICK}"
    assert (await journey.stage.store.get(SyncRun, lost.id) or lost).state == "succeeded"


async def test_a_notification_that_a_crash_left_goes_on_in_its_own_trace(journey: Journey) -> None:
    await journey.watch()
    journey.stage.forward(timedelta(hours=3, minutes=1))
    await journey.fire("sync_tick", TICK, {"tier": "pro"})
    await _deliver_but_notify(journey)
    await journey.lose()
    journey.stage.forward(timedelta(minutes=5))
    await journey.fire("alerts_tick", LATER)
    await journey.deliver()
    assert journey.traces()["notification.sent"] == f"projects/acme/traces/{TICK}"
    (told,) = (await journey.stage.store.find(Notification)).items
    assert (told.state, told.trace_id) == ("sent", TICK)


def _buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    text = json.dumps(message)
    found = [json.loads(each) for each in re.findall(r'\{"type": "button"(?:[^{}]|\{[^{}]*\})*\}', text)]
    assert found, text
    return found


async def _deliver_but_notify(journey: Journey) -> None:
    """Carry out all but the sending, which never hears of its message."""
    topics = [topic for topic in journey.private.subscribers if topic != "notification-due"]
    done: list[int] = []
    wanted = [Wanted(topic, 0, 100 if topic in topics else 0) for topic in journey.private.subscribers]
    while waiting := await journey.stage.queue.exchange(done, wanted):
        for message in waiting:
            assert await journey.private.deliver(message.topic, message.envelope("test")) == 204
        done = [message.id for message in waiting]
