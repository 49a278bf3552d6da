"""Who may call an operation, and what is refused before one begins."""

from __future__ import annotations

import pytest

from tests.functions.capture.operation_stage import BODIES, OK, shop
from tests.stage import ADMIN_KEY


async def test_keys_of_the_tenant_name_their_connection() -> None:
    async with shop() as made:
        query = f"?connection={made.connection.id}"
        for role in ("capture", "write"):
            key = await made.stage.key(made.tenant, role)
            assert (await made.ask("event", BODIES["event"], query, key)).json() == OK
        assert (await made.ask("event", BODIES["event"], query)).json() == OK
        assert len(await made.arrived()) == 3


async def test_strangers_and_wrong_addresses_are_refused_before_anything() -> None:
    async with shop() as made:
        own, here = await made.stage.key(made.tenant, "capture"), f"?connection={made.connection.id}"
        reader = await made.stage.key(made.tenant, "read")
        other = await made.stage.key(await made.stage.tenant(name="Other"), "write")
        cases: list[tuple[str, str, str, bytes, int, str]] = [
            ("event", "", "", b"{}", 401, "key_missing"),
            ("event", "", "phc_unknown0000000000000000", b"{}", 401, "project_token_unknown"),
            ("event", "", "phx_personal0000000000000", b"{}", 401, "personal_key_as_project_token"),
            ("event", here, "hdg_unknown", b"{}", 401, "key_unknown"),
            ("event", here, ADMIN_KEY, b"{}", 401, "project_token_unknown"),
            ("event", here, reader, b"{}", 403, "forbidden"),
            ("event", "", own, b"{}", 422, "connection_missing"),
            ("event", here, other, b"{}", 404, "not_found"),
            ("event", "?connection=con_nothing", own, b"{}", 404, "not_found"),
            ("event", "?connection=con_nothing", made.posthog.project_token, b"{}", 404, "not_found"),
            ("event", "?mode=fast", made.posthog.project_token, b"{}", 422, "mode_unknown"),
            ("event", "?moed=durable", made.posthog.project_token, b"{}", 422, "query_unknown"),
            ("event", "?mode=durable&mode=durable", made.posthog.project_token, b"{}", 422, "query_unknown"),
            ("events", "", made.posthog.project_token, b"{}", 404, "not_found"),
            ("event", "", made.posthog.project_token, b"{", 400, "malformed"),
            ("event", "", made.posthog.project_token, b"[]", 400, "malformed"),
        ]
        for operation, query, bearer, body, status, code in cases:
            answer = await made.ask(operation, body, query, bearer)
            assert (answer.status_code, answer.json()["code"]) == (status, code), (operation, query, code)
            assert answer.headers["content-type"] == "application/problem+json"
            assert not bearer or bearer not in answer.text
        absent = [await made.ask("event", b"{}", where, other) for where in (here, "?connection=con_nothing")]
        assert absent[0].json() == absent[1].json()
        assert made.posthog.requests == {}


async def test_a_body_that_is_too_large() -> None:
    async with shop() as made:
        answer = await made.ask("event", b'{"a":"' + b" " * 1_048_576 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("state", ["disconnecting", "disconnected"])
async def test_a_disconnected_connection_takes_no_operations(state: str) -> None:
    async with shop() as made:
        await made.change(state=state)
        key = await made.stage.key(made.tenant, "capture")
        for query, bearer in (("", None), (f"?connection={made.connection.id}", key)):
            answer = await made.ask("event", BODIES["event"], query, bearer)
            assert (answer.status_code, answer.json()["code"]) == (409, "connection_disconnected")
