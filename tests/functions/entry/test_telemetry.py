"""Metrics reach an OTLP receiver from inside of requests, seldom, and never at their cost."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from functions.connect.main import connect
from functions.sync.main import sync_tick
from hedgerow import telemetry, wiring
from hedgerow.app import App
from tests.functions.alerts.notifying_room import OK, Receiver, receiving
from tests.loopback import http
from tests.stage import ADMIN_KEY, Stage, staged

MINUTE = timedelta(minutes=1)


@dataclass
class Room:
    stage: Stage
    receiver: Receiver

    @property
    def app(self) -> App:
        return self.stage.app

    async def tick(self) -> int:
        """A schedule target is called; the status of its answer."""

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b'{"tier": "pro"}', "more_body": False}

        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
        with wiring.override(self.app):
            answer: Any = await sync_tick(Request(scope, receive))
        return int(answer.status_code)

    def sent(self) -> dict[str, dict[str, Any]]:
        """The metrics of the last sending, by name."""
        (resource,) = self.receiver.bodies[-1]["resourceMetrics"]
        (scope,) = resource["scopeMetrics"]
        return {metric["name"]: metric for metric in scope["metrics"]}


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with receiving() as receiver, staged([f"127.0.0.1:{receiver.port}"]) as stage:
        wanted = {
            "telemetry_endpoint": f"http://127.0.0.1:{receiver.port}/",
            "telemetry_headers": SecretStr("X-Key=a%20b,other=c"),
            "service": "hedgerow-sync-tick",
        }
        stage.app = replace(stage.app, settings=stage.app.settings.model_copy(update=wanted))
        yield Room(stage, receiver)


async def test_what_was_counted_goes_out_once_a_minute(room: Room) -> None:
    assert [await room.tick() for _ in range(3)] == [200, 200, 200]
    assert not room.receiver.bodies
    room.stage.clock.forward(MINUTE)
    assert await room.tick() == 200
    assert await room.tick() == 200
    assert len(room.receiver.bodies) == 1
    (requests,) = room.sent()["hedgerow.requests"]["sum"]["dataPoints"]
    assert requests["asInt"] == "4"
    assert {each["key"]: each["value"]["stringValue"] for each in requests["attributes"]} == {
        "family": "sync_tick",
        "status": "2xx",
    }
    (due,) = room.sent()["hedgerow.due.oldest"]["gauge"]["dataPoints"]
    assert float(due.get("asDouble", due.get("asInt"))) == 0
    room.stage.clock.forward(MINUTE)
    assert await room.tick() == 200
    assert room.sent()["hedgerow.requests"]["sum"]["dataPoints"][0]["asInt"] == "6"


async def test_a_clock_that_is_set_back_does_not_stop_the_sending(room: Room) -> None:
    assert await room.tick() == 200
    room.stage.clock.forward(-60 * MINUTE)
    assert await room.tick() == 200
    room.stage.clock.forward(MINUTE)
    assert await room.tick() == 200
    assert room.receiver.bodies


async def test_every_instrument_is_written_as_otlp_has_it(room: Room) -> None:
    for instrument in telemetry.INSTRUMENTS:
        telemetry.record(room.app, instrument, 7, **dict.fromkeys(instrument.labels, "x"))
    await telemetry.send_if_due(room.app)
    room.stage.clock.forward(MINUTE)
    await telemetry.send_if_due(room.app)
    sent = room.sent()
    assert sent.keys() == {instrument.name for instrument in telemetry.INSTRUMENTS}
    runs = sent["hedgerow.runs"]["sum"]
    assert (runs["aggregationTemporality"], runs["isMonotonic"]) == (2, True)
    (took,) = sent["hedgerow.sync.duration"]["histogram"]["dataPoints"]
    assert took["explicitBounds"] == list(telemetry.BOUNDS)
    assert took["bucketCounts"] == ["0"] * 6 + ["1"] + ["0"] * 5
    assert (took["count"], took["sum"]) == ("1", 7)
    assert took["timeUnixNano"].isdigit()
    assert took["startTimeUnixNano"].isdigit()
    resource = room.receiver.bodies[-1]["resourceMetrics"][0]["resource"]["attributes"]
    here = {each["key"]: each["value"]["stringValue"] for each in resource}
    assert (here["service.name"], len(here["service.instance.id"])) == ("hedgerow-sync-tick", 16)
    headers = room.receiver.headers[-1]
    assert (headers["x-key"], headers["other"], headers["content-type"]) == ("a b", "c", "application/json")


async def test_an_api_call_takes_what_was_counted_along(room: Room) -> None:
    async with room.stage.calling(connect, ADMIN_KEY) as client:
        assert (await client.get("/v1/tenants")).status_code == 200
        assert (await client.get("/v1/nowhere")).status_code == 404
        room.stage.clock.forward(MINUTE)
        assert (await client.get("/v1/tenants")).status_code == 200
    points = room.sent()["hedgerow.requests"]["sum"]["dataPoints"]
    assert sorted((point["attributes"][1]["value"]["stringValue"], point["asInt"]) for point in points) == [
        ("2xx", "2"),
        ("4xx", "1"),
    ]


@pytest.mark.parametrize("answer", [http(b"no", "500 Internal Server Error"), http(b"", "400 Bad Request"), b""])
async def test_a_receiver_that_fails_is_told_of_once_and_left_alone_for_a_while(
    room: Room, answer: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    room.receiver.answers = [answer]
    assert await room.tick() == 200
    for _ in range(12):
        room.stage.clock.forward(MINUTE)
        assert await room.tick() == 200
    tries = len(room.receiver.bodies)
    assert 2 <= tries <= 6
    said = capfd.readouterr().err
    assert said.count('"event": "telemetry.not_sent"') == 1
    assert "a%20b" not in said
    room.receiver.answers = [OK]
    room.stage.clock.forward(5 * MINUTE)
    assert await room.tick() == 200
    assert room.sent()["hedgerow.requests"]["sum"]["dataPoints"][0]["asInt"] == "14"


async def test_a_receiver_that_hangs_costs_one_request_a_moment(room: Room) -> None:
    room.receiver.delay = 30
    assert await room.tick() == 200
    room.stage.clock.forward(MINUTE)
    assert await room.tick() == 200
    assert await room.tick() == 200
    assert len(room.receiver.bodies) == 1


async def test_labels_are_those_of_the_instrument(room: Room) -> None:
    with pytest.raises(ValueError, match="tier"):
        telemetry.record(room.app, telemetry.OLDEST_DUE, 1, connection="con_1")


async def test_without_an_endpoint_nothing_is_loaded_or_sent(room: Room) -> None:
    settings = room.app.settings.model_copy(update={"telemetry_endpoint": ""})
    room.stage.app = replace(room.app, settings=settings)
    before = set(sys.modules)
    assert await room.tick() == 200
    room.stage.clock.forward(MINUTE)
    assert await room.tick() == 200
    assert not room.receiver.bodies
    assert not {name for name in set(sys.modules) - before if name.startswith("opentelemetry")}
