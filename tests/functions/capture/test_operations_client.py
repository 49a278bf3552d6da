"""The Python client against the real function, and against servers that are none."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import pytest

from functions.capture.operating.operation_forms import FORMS
from hedgerow.client import Capture, Client, OperationResult
from hedgerow.errors import (
    ForbiddenError,
    InvalidError,
    MissingError,
    OutboundError,
    RefusedError,
    StateConflictError,
    TooManyError,
    TransientError,
    UnauthorizedError,
)
from tests.functions.capture.operation_stage import Shop, shop
from tests.loopback import answering
from tests.loopback import http as http_answer

KEY = "phc_secret_of_the_test"


def client_of(made: Shop, key: str | None = None, connection: str | None = None) -> Client:
    key = made.posthog.project_token if key is None else key
    return Client("http://hedgerow.test/", key, connection=connection, http=made.client)


async def test_the_five_operations_by_the_client() -> None:
    async with shop() as made:
        capture = client_of(made).capture
        answers = [
            await capture.event(distinct_id="u1", event_name="paid", properties={"amount": 1.5}),
            await capture.identity(distinct_id="u1", name="John", properties_set_once={"tags": ["a"]}),
            await capture.page(distinct_id="u1", page_url="https://a.example/x", page_name="X"),
            await capture.screen(distinct_id="u1", screen_view_name="Home", device_type="iPad"),
            await capture.alias(distinct_id="u1", alias="anonymous_1"),
        ]
        arrived = {event.name: event for event in await made.arrived()}
    assert all(answer.ok for answer in answers)
    assert {answer.event_id for answer in answers} == {event.uuid for event in arrived.values()}
    assert arrived["paid"].properties == {"amount": 1.5, "$ip": "127.0.0.1"}
    assert arrived["$identify"].properties["$set"] == {"name": "John"}
    assert arrived["$identify"].properties["$set_once"] == {"tags": ["a"]}
    assert arrived["$pageview"].properties["title"] == "X"
    assert arrived["$screen"].properties["device_type"] == "iPad"
    assert answers[0] == OperationResult(200, 200, "", {"status": 1}, answers[0].event_id, "")


async def test_a_failure_is_an_answer_and_a_warning_is_told() -> None:
    async with shop() as made:
        capture = client_of(made).capture
        bad: Any = {"amount": float("nan")}
        refused = await capture.event(distinct_id="u1", event_name="paid", properties=bad)
        await capture.alias(distinct_id="known", alias="first")
        await capture.event(distinct_id="visitor", event_name="seen")
        warned = await capture.alias(distinct_id="visitor", alias="known")
        kept = await capture.event(distinct_id="u1", event_name="paid", durable=True)
        assert len(await made.arrived()) == 3
    assert (refused.ok, refused.status_code, refused.event_id) == (False, -1, "")
    assert "Properties.amount".lower() in refused.error_message.lower()
    assert warned.ok
    assert "exchanged" in warned.warning
    assert (kept.ok, kept.original_status_code) == (True, 0)


async def test_refusals_are_the_errors_of_hedgerow() -> None:
    async with shop() as made:
        key = await made.stage.key(made.tenant, "capture")
        reader = await made.stage.key(made.tenant, "read")
        cases: list[tuple[Client, type[RefusedError], str]] = [
            (client_of(made, "phc_nobodys000000000"), UnauthorizedError, "project_token_unknown"),
            (client_of(made, reader, made.connection.id), ForbiddenError, "forbidden"),
            (client_of(made, key), InvalidError, "connection_missing"),
            (client_of(made, key, "con_nothing"), MissingError, "not_found"),
        ]
        for client, kind, code in cases:
            with pytest.raises(kind) as caught:
                await client.capture.event(distinct_id="u1", event_name="paid")
            assert caught.value.code == code
            assert caught.value.hint
        assert (await client_of(made, key, made.connection.id).capture.identity(distinct_id="u1")).ok
        await made.change(state="disconnected")
        with pytest.raises(StateConflictError):
            await client_of(made).capture.identity(distinct_id="u1")


PROBLEM = b'{"type":"about:blank","status":0,"code":"odd","detail":"Why.","hint":"What.","field":"mode"}'


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http_answer(PROBLEM, "422 Unprocessable", "Content-Type: application/problem+json"), InvalidError),
        (http_answer(PROBLEM, "429 Too Many", "Retry-After: 7"), TooManyError),
        (http_answer(PROBLEM, "503 Unavailable"), TransientError),
        (http_answer(b"<html>", "502 Bad Gateway", "Content-Type: text/html"), OutboundError),
        (http_answer(b"<html>", "200 OK", "Content-Type: text/html"), OutboundError),
        (http_answer(b'{"status":1}', "200 OK"), OutboundError),
        (http_answer(b'{"error":"x"}', "404 Not Found"), OutboundError),
        (http_answer(b"", "302 Found", "Location: http://elsewhere.test/"), OutboundError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", OutboundError),
        (b"", OutboundError),
    ],
)
async def test_what_is_no_answer_of_an_operation_is_an_error(answer: bytes, kind: type[Exception]) -> None:
    async with answering(answer) as server:
        async with Client(f"http://127.0.0.1:{server.port}", KEY, seconds=5) as client:
            with pytest.raises(kind) as caught:
                await client.capture.event(distinct_id="u1", event_name="paid")
        assert f"authorization: Bearer {KEY}".lower() in server.seen[0].lower()
    assert KEY not in f"{caught.value!r} {caught.value} {client!r} {client.capture!r}"
    if isinstance(caught.value, TooManyError):
        assert caught.value.retry_after == 7
    if isinstance(caught.value, InvalidError):
        assert (caught.value.code, caught.value.hint, caught.value.members) == ("odd", "What.", {"field": "mode"})


async def test_a_hedgerow_that_is_slow_or_not_there() -> None:
    async with answering(http_answer(PROBLEM), delay=2) as server:
        async with Client(f"http://127.0.0.1:{server.port}", KEY, seconds=0.1) as client:
            with pytest.raises(OutboundError, match="in time") as slow:
                await client.capture.event(distinct_id="u1", event_name="paid")
        port = server.port
    async with Client(f"http://127.0.0.1:{port}", KEY) as client:
        with pytest.raises(OutboundError, match="no answer") as gone:
            await client.capture.event(distinct_id="u1", event_name="paid")
    assert (slow.value.code, slow.value.transient, gone.value.code) == ("timed_out", True, "unreachable")


async def test_a_client_of_the_callers_stays_open() -> None:
    async with httpx.AsyncClient() as http:
        async with Client("http://hedgerow.test", KEY, http=http):
            pass
        assert not http.is_closed


async def test_what_is_no_json_is_named() -> None:
    bad: Any = {"at": object()}
    async with Client("http://hedgerow.test", KEY) as client:
        with pytest.raises(InvalidError, match="cannot be written as JSON"):
            await client.capture.event(distinct_id="u1", event_name="paid", properties=bad)


@pytest.mark.parametrize("operation", FORMS)
def test_the_client_has_every_parameter(operation: str) -> None:
    parameters = inspect.signature(getattr(Capture, operation)).parameters
    assert set(parameters) - {"self", "durable"} == set(FORMS[operation].model_fields)
    required = {name for name, one in parameters.items() if one.default is inspect.Parameter.empty} - {"self"}
    assert required == {name for name, one in FORMS[operation].model_fields.items() if one.is_required()}
