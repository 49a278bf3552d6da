"""Clients that misbehave on the wire itself, on real sockets: slow, half gone, gone at once, chunked, waiting for a word."""

from __future__ import annotations

import asyncio
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest

from hedgerow.capture_rules import PrivacyRules
from tests.functions.capture.accept_room import Room, room
from tests.functions.capture.wire_bytes import V1, chunked, envelope, event, request, v1_headers


async def _arrived(there: Room, number: int) -> None:
    """Wait until PostHog has as many events."""
    async with asyncio.timeout(10):
        while len(there.upstream.uuids) < number:  # noqa: ASYNC110 -- the upstream has no event to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["/batch/", "/e", "/ph/i/v0/e/"])
async def test_a_client_gone_right_after_its_body_counts(path: str) -> None:
    async with room() as there:
        token = await there.project()
        for _ in range(20):
            await there.raw(request(path, envelope(token, [event()])), ends=False)
        await _arrived(there, 20)
        assert await there.books() == {"accepted": 20, "delivered": 20}


async def test_a_client_gone_after_a_large_body_counts() -> None:
    async with room() as there:
        token = await there.project()
        for _ in range(5):
            await there.raw(request("/batch/", envelope(token, [event(properties={"x": "y" * 900_000})])), ends=False)
        await _arrived(there, 5)
        assert await there.books() == {"accepted": 5, "delivered": 5}


async def test_a_client_that_cuts_the_line_while_posthog_is_asked_counts() -> None:
    async with room() as there:
        token = await there.project()
        _, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(request("/batch/", envelope(token, [event()])))
        await writer.drain()
        await _arrived(there, 1)
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        assert await there.books() == {"accepted": 1, "delivered": 1}


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_client_gone_half_way_was_told_nothing_and_leaves_nothing(is_chunked: bool) -> None:
    async with room() as there:
        token = await there.project()
        body = envelope(token, [event()])
        half = body[: len(body) // 2]
        sent = chunked("/batch/", half, end=False) if is_chunked else request("/batch/", half, length=len(body))
        await there.raw(sent, 0.05, ends=False)
        assert (await there.v0(token, [event()])).status_code == 200
        assert await there.books() == {"accepted": 1, "delivered": 1}


async def test_a_slow_body_arrives_and_a_silent_one_hears_408() -> None:
    async with room() as there:
        there.host.stall_seconds = 0.3
        token = await there.project()
        whole = request("/batch/", envelope(token, [event()]))
        third = len(whole) // 3
        said = await there.raw(whole[:third], 0.15, whole[third : 2 * third], 0.15, whole[2 * third :])
        assert said.startswith(b"HTTP/1.1 200 ")
        said = await there.raw(whole[:-5])
        assert said.startswith(b"HTTP/1.1 408 ")
        assert said.endswith(b"the body stopped coming")
        headers = [f"{name}: {value}" for name, value in v1_headers(token).items()]
        said = await there.raw(request(V1, b"{", *headers, length=50))
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"error":"body_read_timeout"' in said
        said = await there.raw(request("/v1/capture/event", b"{", f"Authorization: Bearer {token}", length=50))
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in said
        assert await there.books() == {"accepted": 1, "delivered": 1}


async def test_a_byte_now_and_then_is_not_waited_for_for_ever() -> None:
    async with room() as there:
        there.host.body_seconds = 0.4
        token = await there.project()
        drops: list[bytes | float] = []
        for _ in range(8):
            drops += [b"{", 0.1]
        said = await there.raw(request("/batch/", b"", length=500), *drops)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert (await there.v0(token, [event()])).status_code == 200


async def test_chunks_of_any_size_are_one_body() -> None:
    async with room() as there:
        token = await there.project()
        body = envelope(token, [event(), event()])
        for size in (1, 7, 1_000):
            parts = [body[at : at + size] for at in range(0, len(body), size)]
            assert (await there.raw(chunked("/batch/", *parts))).startswith(b"HTTP/1.1 200 ")
        assert await there.books() == {"accepted": 2, "delivered": 2}
        assert (await there.marks())["repeated"] == 4


async def test_a_chunked_body_over_the_limit_hears_413() -> None:
    async with room(capture_bytes=1_048_576) as there:
        said = await there.raw(chunked("/batch/", *[b"x" * 100_000] * 12))
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"maximum event size exceeded" in said


async def test_a_client_that_waits_for_a_word_before_its_body_gets_it() -> None:
    async with room() as there:
        token = await there.project()
        body = envelope(token, [event()])
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(request("/batch/", b"", "Expect: 100-continue", length=len(body)))
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert await there.books() == {"accepted": 1, "delivered": 1}


async def test_addresses_the_owner_keeps_out_are_not_in_the_chain_either() -> None:
    async with room() as there:
        open_one = await there.project()
        private = await there.project(privacy=PrivacyRules(no_ip=True))
        for token in (open_one, private):
            await there.v0(token, [event()], headers={"X-Forwarded-For": "203.0.113.9"})
            await there.v1(token, [event()])
        open_0, open_1, private_0, private_1 = there.upstream.seen
        assert open_0.headers["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1"
        assert open_1.headers["X-Forwarded-For"] == "127.0.0.1"
        assert open_0.events[0]["properties"]["$ip"] == "127.0.0.1"
        for batch in (private_0, private_1):
            assert "X-Forwarded-For" not in batch.headers
            assert "$ip" not in batch.events[0]["properties"]
            assert "203.0.113.9" not in str(batch)


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\x01\x02", b"a\tb", b"x" * 60_000, "ü".encode(), b"\x7f"])
@pytest.mark.parametrize("name", [b"User-Agent", b"X-Forwarded-For", b"PostHog-Sdk-Info", b"PostHog-Attempt"])
async def test_no_header_a_client_may_send_loses_its_events(name: bytes, value: bytes) -> None:
    async with room(forward_seconds=3.0) as there:
        token = await there.project()
        headers = {**v1_headers(token), "User-Agent": "test"}
        headers.pop(name.decode(), None)
        lines = [f"{key}: {text}" for key, text in headers.items()]
        taken = 0
        for path, more in ((V1, lines), ("/batch/", [])):
            body = envelope(token, [event()])
            sent = request(path, body, *more).replace(b"\r\n\r\n", b"\r\n" + name + b": " + value + b"\r\n\r\n", 1)
            said = await there.raw(sent)
            if said.startswith(b"HTTP/1.1 400"):
                # The server's own word: this is no HTTP.
                assert b"Invalid HTTP request received." in said
            else:
                assert said.startswith(b"HTTP/1.1 200 "), said
                taken += 1
        await there.drained()
        assert (await there.books()).get("delivered", 0) == taken
        for batch in there.upstream.seen:
            if batch.is_v1:
                assert batch.headers["PostHog-Attempt"] == "1"
                assert "/" in batch.headers["PostHog-Sdk-Info"]
