"""The PostHog client against answers as they really come: told apart, capped, and without the key in any error."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from hedgerow.outbound import GuardedOutbound
from hedgerow.posthog import client
from hedgerow.posthog.client import PostHog
from hedgerow.posthog.errors import REMEDIES, PostHogError
from local.posthog import LocalPostHog
from local.posthog.faults import Fault
from tests.loopback import answering, http, self_signed
from tests.stage import NOW

KEY = "phx_0123456789abcdef"


def said(detail: str, kind: str = "authentication_error") -> bytes:
    return json.dumps({"type": kind, "code": "x", "detail": detail, "attr": None}).encode()


async def asked(answer: bytes, seconds: float = 5.0, delay: float = 0.0) -> PostHogError:
    """What a query raises when the far side answers these bytes."""
    async with answering(answer, delay=delay) as far:
        return await raised(f"http://127.0.0.1:{far.port}", far.port, seconds)


async def raised(host: str, port: int, seconds: float = 5.0) -> PostHogError:
    outbound = GuardedOutbound((f"127.0.0.1:{port}", f"localhost:{port}"))
    posthog = PostHog(outbound.http, host, SecretStr(KEY), seconds=seconds)
    with pytest.raises(PostHogError) as error:
        await posthog.query("1", "select 1", {}, name="test")
    await outbound.close()
    assert posthog.requests == 1
    assert error.value.code in REMEDIES
    assert error.value.hint
    assert KEY not in error.value.detail + error.value.hint + repr(error.value)
    return error.value


@pytest.mark.parametrize(
    ("answer", "code", "transient"),
    [
        (http(said(f"Personal API key {KEY} is invalid."), "401 Unauthorized"), "key_refused", False),
        (http(b"<html>Sign in</html>", "401 Unauthorized"), "blocked_before_posthog", False),
        (http(said("API key missing required scope 'query:read'"), "403 Forbidden"), "scope_missing", False),
        (http(said("You don't have access to the project."), "403 Forbidden"), "project_forbidden", False),
        (
            http(said("Organization 'A' does not allow using personal API keys. Contact an admin."), "403 Forbidden"),
            "personal_keys_forbidden",
            False,
        ),
        (http(said("This action does not support personal API key access"), "403 Forbidden"), "not_for_keys", False),
        (
            http(said("API keys with scoped projects are only supported on project-based endpoints."), "403 Forbidden"),
            "key_bound_to_projects",
            False,
        ),
        (http(b"error code: 1010", "403 Forbidden"), "blocked_before_posthog", False),
        (http(b'{"message": "no"}', "403 Forbidden"), "blocked_before_posthog", False),
        (http(said("Project not found."), "404 Not Found"), "project_missing", False),
        (http(said("Endpoint not found."), "404 Not Found"), "call_missing", False),
        (http(b"<html>", "404 Not Found"), "not_posthog", False),
        (http(b"{}", "404 Not Found"), "not_posthog", False),
        (http(said("Unknown table `foo`.", "validation_error"), "400 Bad Request"), "query_invalid", False),
        (http(said("Your organization reached its billing limit."), "402 Payment Required"), "billing_limited", False),
        (http(said("Query has hit the max execution time"), "504 Gateway Timeout"), "query_too_heavy", False),
        (http(said("Estimated query execution time is too long."), "512 Unknown"), "query_too_heavy", False),
        (http(said("Query size exceeded.", "server_error"), "500 Internal Server Error"), "query_too_heavy", False),
        (http(b"<html>504</html>", "504 Gateway Timeout"), "gateway", True),
        (http(b"<html>502</html>", "502 Bad Gateway"), "gateway", True),
        (http(b"error code: 522", "522 Origin"), "gateway", True),
        (http(said("Queries are a little too busy right now."), "503 Service Unavailable"), "busy", True),
        (http(said("A server error occurred.", "server_error"), "500 Internal Server Error"), "server_error", True),
        (http(b"", "301 Moved", "Location: https://posthog.example.com/"), "redirected", False),
        (http(b"", "302 Found", "Location: /login?next=/"), "not_posthog", False),
        (http(b"<!DOCTYPE html><html></html>"), "not_posthog", False),
        (http(b'{"columns": ["a"], "results": [[1'), "malformed_answer", True),
        (http(b'{"columns": ["a"], "results": [[1]]}', length=9_999), "malformed_answer", True),
        (http(b'{"columns": ["a"], "results": [[1, 2]]}'), "malformed_answer", True),
        (http(b'{"columns": ["a"], "results": [{"a": 1}]}'), "malformed_answer", True),
        (http(b'{"columns": ["a"], "results": {}}'), "malformed_answer", True),
        (http(b'{"columns": null, "results": []}'), "malformed_answer", True),
        (http(b'{"columns": ["a"], "results": [[NaN]]}'), "malformed_answer", True),
        (http(b'{"query_status": {"complete": false}}', "202 Accepted"), "malformed_answer", True),
        (http(b"[" * 100_000), "malformed_answer", True),
        (http(b"\xff\xfe{}"), "malformed_answer", True),
        (http(b"[]"), "malformed_answer", True),
        (http(b"not gzip", "200 OK", "Content-Encoding: gzip"), "malformed_answer", True),
        (b"nonsense\r\n\r\n", "malformed_answer", True),
        (b"", "malformed_answer", True),
    ],
)
async def test_each_refusal_is_what_it_is(answer: bytes, code: str, transient: bool) -> None:
    error = await asked(answer)
    assert (error.code, error.transient) == (code, transient)


@pytest.mark.parametrize(
    ("answer", "code", "wait"),
    [
        (http(said("Request was throttled."), "429 Too Many", "Retry-After: 47"), "rate_limited", 47.0),
        (http(said("Request was throttled. Expected available in 12 seconds."), "429 Too Many"), "rate_limited", 12.0),
        (http(said("Request was throttled."), "429 Too Many"), "rate_limited", 60.0),
        (http(said("Request was throttled."), "429 Too Many", "Retry-After: 99999999"), "rate_limited", 86_400.0),
        (http(said("Request was throttled."), "429 Too Many", "Retry-After: soon"), "rate_limited", 60.0),
        (http(b"<html>", "429 Too Many", "Retry-After: 5"), "rate_limited", 5.0),
        (http(said("Exceeded maximum concurrency limit: 3 for key: x"), "429 Too Many"), "concurrency_limited", None),
    ],
)
async def test_how_long_to_wait_is_read_wherever_it_stands(answer: bytes, code: str, wait: float | None) -> None:
    error = await asked(answer)
    assert (error.code, error.retry_after, error.transient) == (code, wait, True)


async def test_a_key_without_a_prefix_that_is_echoed_is_cut_out_too() -> None:
    old = "0123456789abcdef0123"
    async with answering(http(said(f"Personal API key {old} is invalid."), "401 Unauthorized")) as far:
        outbound = GuardedOutbound((f"127.0.0.1:{far.port}",))
        posthog = PostHog(outbound.http, f"http://127.0.0.1:{far.port}", SecretStr(old), seconds=5.0)
        with pytest.raises(PostHogError) as error:
            await posthog.key_self()
        await outbound.close()
    assert old not in error.value.detail


async def test_a_missing_scope_is_named() -> None:
    error = await asked(http(said("API key missing required scope 'query:read'"), "403 Forbidden"))
    assert error.scope == "query:read"
    assert "query:read" in error.detail


async def test_silence_ends_at_its_time() -> None:
    error = await asked(http(b"{}"), seconds=0.3, delay=5.0)
    assert (error.code, error.transient) == ("timed_out", True)


async def test_a_drip_that_never_ends_is_cut_too() -> None:
    error = await asked(http(b"{", length=10_000)[:-1] + b"{" * 10, seconds=0.5)
    assert error.code in {"timed_out", "malformed_answer"}


async def test_nobody_there_and_a_closed_door_are_told_apart() -> None:
    async with answering(b"") as far:
        port = far.port
    assert (await raised(f"http://127.0.0.1:{port}", port)).code == "unreachable"
    error = await raised("https://10.0.0.5", 1)
    assert error.code == "address_refused"
    assert "HEDGEROW_ALLOWED_PRIVATE_HOSTS" in error.hint


async def test_a_certificate_nobody_signed_is_named(tmp_path: Path) -> None:
    async with answering(http(b"{}"), tls=self_signed(tmp_path)) as far:
        error = await raised(f"https://localhost:{far.port}", far.port)
        assert far.seen == []
    assert (error.code, error.transient) == ("certificate_invalid", False)
    assert "certificate" in error.detail


async def test_plain_http_where_tls_was_expected_is_no_certificate_to_trust() -> None:
    async with answering(http(b"{}")) as far:
        error = await raised(f"https://localhost:{far.port}", far.port, 1.0)
    assert error.code in {"certificate_invalid", "unreachable", "timed_out"}


@pytest.mark.parametrize("times", [1, 2])
async def test_a_small_bomb_does_not_fill_the_memory(times: int) -> None:
    bomb = b"0" * 200_000_000
    for _ in range(times):
        bomb = gzip.compress(bomb, 6)
    encoding = ", ".join(["gzip"] * times)
    tracemalloc.start()
    try:
        error = await asked(http(bomb, "200 OK", f"Content-Encoding: {encoding}"), seconds=30.0)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.code == "malformed_answer"
    assert most < 4 * client.QUERY_ANSWER_BYTES


@pytest.mark.parametrize("large", [b'{"a": "' + b"0" * client.ANSWER_BYTES + b'"}', b"[" * client.ANSWER_BYTES * 2])
async def test_only_a_query_may_have_a_large_answer(large: bytes) -> None:
    async with answering(http(gzip.compress(large), "200 OK", "Content-Encoding: gzip")) as far:
        outbound = GuardedOutbound((f"127.0.0.1:{far.port}",))
        posthog = PostHog(outbound.http, f"http://127.0.0.1:{far.port}", SecretStr(KEY), seconds=5.0)
        for call in (
            posthog.project("1"),
            posthog.key_self(),
            posthog.active_flags("1"),
            posthog.event_definitions("1"),
        ):
            with pytest.raises(PostHogError, match="is over 262144 bytes"):
                await call
        await outbound.close()


async def test_a_large_refusal_is_not_read() -> None:
    error = await asked(http(said("x" * 100_000), "400 Bad Request"))
    assert (error.code, error.status) == ("not_posthog", 400)


async def test_a_large_answer_of_a_query_comes_whole() -> None:
    said = {"columns": ["a"], "results": [["0" * 1000] for _ in range(2_000)]}
    packed = gzip.compress(json.dumps(said).encode())
    for answer, whole in ((packed, True), (packed[:-20], False)):
        async with answering(http(answer, "200 OK", "Content-Encoding: gzip")) as far:
            outbound = GuardedOutbound((f"127.0.0.1:{far.port}",))
            posthog = PostHog(outbound.http, f"http://127.0.0.1:{far.port}", SecretStr(KEY), seconds=5.0)
            if whole:
                assert len((await posthog.query("1", "select 1", {}, name="test")).rows) == 2_000
            else:
                with pytest.raises(PostHogError, match="no whole HTTP answer"):
                    await posthog.query("1", "select 1", {}, name="test")
            await outbound.close()


@pytest.mark.parametrize("answer", [b"", http(b"half", length=1_000)])
async def test_a_connection_that_broke_off_is_called_that(answer: bytes) -> None:
    error = await asked(answer)
    assert (error.code, error.transient) == ("malformed_answer", True)
    assert "broke off" in error.detail
    assert "too old" not in error.hint


async def test_every_call_says_who_it_is() -> None:
    answer = json.dumps({"columns": ["a"], "results": [[1]], "types": [["a", "UInt8"]], "timezone": "UTC"}).encode()
    async with answering(http(answer)) as far:
        outbound = GuardedOutbound((f"127.0.0.1:{far.port}",))
        posthog = PostHog(outbound.http, f"http://127.0.0.1:{far.port}", SecretStr(KEY), seconds=5.0)
        found = await posthog.query("1", "select 1 as a limit 1", {}, name="test")
        await outbound.close()
    head = far.seen[0].lower()
    assert "user-agent: hedgerow/" in head
    assert f"authorization: bearer {KEY}" in head
    assert (found.columns, found.rows, found.types, found.timezone) == (("a",), [[1]], ("UInt8",), "UTC")


async def with_local(work: Callable[[PostHog, LocalPostHog], Awaitable[None]]) -> None:
    with LocalPostHog(now=NOW, timezone="Asia/Kathmandu") as local:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=local.app)) as way:
            key = SecretStr(local.personal_api_key)
            await work(PostHog(way, "https://us.posthog.com", key, seconds=20.0), local)


async def test_a_query_and_its_values_reach_a_posthog() -> None:
    async def work(posthog: PostHog, local: LocalPostHog) -> None:
        local.load([{"event": 'it\'s "🎉"', "distinct_id": "u", "timestamp": NOW.isoformat()}])
        answer = await posthog.query(
            local.project_id,
            "select event, count() as c from events where event = {name} group by event limit 10",
            {"name": 'it\'s "🎉"'},
            name="test",
        )
        assert (answer.columns, answer.rows, answer.timezone) == (("event", "c"), [['it\'s "🎉"', 1]], "Asia/Kathmandu")

    await with_local(work)


async def test_active_flags_are_counted_by_one_request() -> None:
    async def work(posthog: PostHog, local: LocalPostHog) -> None:
        for number in range(3):
            local.put_flag(f"on-{number}")
        local.put_flag("off", active=False)
        assert await posthog.active_flags(local.project_id) == 3
        assert posthog.requests == 1

    await with_local(work)


async def test_flags_without_a_count_are_counted_page_by_page_at_our_own_host() -> None:
    pages = [
        {"results": [{"id": 1}], "next": "http://internal:8000/api/projects/1/feature_flags/?limit=1&offset=1"},
        {"results": [{"id": 1}], "next": "http://internal:8000/api/projects/1/feature_flags/?limit=100&offset=1"},
        {"results": [{"id": 2}, {"id": 3}], "next": None},
    ]
    asked_for: list[str] = []

    async def old(scope: object, receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        assert isinstance(scope, dict)
        asked_for.append(f"{dict(scope['headers'])[b'host'].decode()}{scope['path']}?{scope['query_string'].decode()}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(pages[len(asked_for) - 1]).encode()})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=old)) as way:
        posthog = PostHog(way, "https://posthog.example.com", SecretStr(KEY), seconds=5.0)
        assert await posthog.active_flags("1") == 3
    assert all(one.startswith("posthog.example.com/api/projects/1/feature_flags/?") for one in asked_for)
    assert asked_for[-1].endswith("limit=100&offset=1")


async def test_faults_of_the_local_posthog_are_what_they_are() -> None:
    async def work(posthog: PostHog, local: LocalPostHog) -> None:
        for fault, code in (
            (Fault(kind="half", count=1), "malformed_answer"),
            (Fault(kind="wrong_type", count=1), "malformed_answer"),
            (Fault(kind="cloudflare", count=1), "blocked_before_posthog"),
        ):
            local.faults.set(fault)
            with pytest.raises(PostHogError) as error:
                await posthog.query(local.project_id, "select 1 as a limit 1", {}, name="test")
            assert error.value.code == code
        with pytest.raises(PostHogError) as error:
            await posthog.query(local.project_id, "select nonsense from nowhere limit 1", {}, name="test")
        assert error.value.code == "query_invalid"
        with pytest.raises(PostHogError) as error:
            await posthog.query("999", "select 1 as a limit 1", {}, name="test")
        assert error.value.code in {"project_missing", "project_forbidden"}

    await with_local(work)
