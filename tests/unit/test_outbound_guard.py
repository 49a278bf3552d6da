"""The guard: what is not public is refused by the address that would be connected to, whatever it is called."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import aiohttp
import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.addresses import AddressRefusedError, Allowed, is_public
from hedgerow.outbound import AnswerTooLargeError, GuardedOutbound, read_capped
from tests.loopback import answering, http

CLOSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.9.9.9 168.63.129.16 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7
203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
64:ff9b:1::1 100::1 2001::1 2001:0:1::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%lo fec0::1 ff02::1
""".split()  # noqa: SIM905 -- read as a table
OPEN = """
1.1.1.1 8.8.8.8 52.20.10.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 198.20.0.1 223.255.255.1
2606:4700:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::
""".split()  # noqa: SIM905 -- read as a table


@pytest.mark.parametrize("text", CLOSED)
def test_closed_addresses_are_not_public(text: str) -> None:
    assert is_public(ip_address(text)) is False


@pytest.mark.parametrize("text", OPEN)
def test_open_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text)) is True


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_like_itself(address: object) -> None:
    bare = ip_address(str(address))
    mapped, nat64 = ip_address(f"::ffff:{bare}"), ip_address(int(ip_address("64:ff9b::")) + int(bare))
    assert is_public(bare) is is_public(mapped) is is_public(nat64)
    if is_public(bare):
        assert bare.is_multicast is bare.is_loopback is bare.is_private is False


def test_the_allowed_are_pairs_of_host_and_port() -> None:
    allowed = Allowed.of(("LocalHost:8000", "[::1]:80", "10.0.0.5:443"))
    assert allowed.has("localhost.", 8000)
    assert allowed.has("0:0:0:0:0:0:0:1", 80)
    assert not allowed.has("localhost", 8001)
    assert not allowed.has("10.0.0.5", 80)
    for bad in ("localhost", "localhost:", "localhost:http"):
        with pytest.raises(ValueError, match="host:port"):
            Allowed.of((bad,))


class Zone(AbstractResolver):
    """A name server of one answer, which may change between two questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in answer
        ]

    async def close(self) -> None:
        return


@pytest.fixture
async def outbound() -> AsyncIterator[GuardedOutbound]:
    built = GuardedOutbound(())
    yield built
    await built.close()


def resolving(outbound: GuardedOutbound, *answers: list[str]) -> Zone:
    """Let the session ask this zone; the guard stays in front of it."""
    from hedgerow.connector import GuardedConnector, GuardedResolver

    zone, connector = Zone(*answers), outbound.session.connector
    assert isinstance(connector, GuardedConnector)
    assert isinstance(connector._resolver, GuardedResolver)
    connector._resolver.resolver = zone
    return zone


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1%25lo]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "http://8.8.8.8/",
        "http://example.com/",
    ],
)
async def test_no_way_of_writing_it_gets_past(outbound: GuardedOutbound, url: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        await outbound.http.get(url)
    assert "HEDGEROW_ALLOWED_PRIVATE_HOSTS" in refused.value.hint
    with pytest.raises((AddressRefusedError, aiohttp.InvalidURL)):
        await outbound.session.get(url)


async def test_octal_is_no_address_at_all(outbound: GuardedOutbound) -> None:
    with pytest.raises(httpx.InvalidURL):
        await outbound.http.get("https://0177.0.0.1/")
    with pytest.raises((AddressRefusedError, aiohttp.InvalidURL)):
        await outbound.session.get("https://0177.0.0.1/")


async def test_a_name_is_judged_by_where_it_leads(outbound: GuardedOutbound) -> None:
    resolving(outbound, ["10.0.0.5"])
    with pytest.raises(AddressRefusedError) as refused:
        await outbound.http.get("https://posthog.example.com/")
    assert "10.0.0.5" not in str(refused.value)


async def test_the_address_checked_is_the_address_called() -> None:
    async with answering(http(b"inside")) as inside:
        outbound = GuardedOutbound(())
        zone = resolving(outbound, ["192.0.2.1", "127.0.0.1"], ["127.0.0.1"])
        with pytest.raises(AddressRefusedError):
            await outbound.http.get(f"https://rebinding.example.com:{inside.port}/")
        # No second question whose answer nobody looked at.
        assert zone.asked == 1
        assert inside.seen == []
        await outbound.close()


async def test_the_allowed_get_through_by_name_and_by_address_plain_http_too() -> None:
    async with answering(http(b"inside")) as inside:
        for name in ("127.0.0.1", "localhost"):
            outbound = GuardedOutbound((f"{name}:{inside.port}",))
            assert (await outbound.http.get(f"http://{name}:{inside.port}/")).text == "inside"
            with pytest.raises(AddressRefusedError):
                await outbound.http.get(f"http://{name}:{inside.port + 1}/")
            await outbound.close()


async def test_an_allowed_name_opens_no_address_behind_it() -> None:
    async with answering(http(b"inside")) as inside:
        outbound = GuardedOutbound((f"localhost:{inside.port}",))
        assert (await outbound.http.get(f"http://localhost:{inside.port}/")).status_code == 200
        for other in (f"http://127.0.0.1:{inside.port}/", f"https://127.0.0.1:{inside.port}/"):
            with pytest.raises(AddressRefusedError):
                await outbound.http.get(other)
        await outbound.close()


async def test_redirects_are_not_followed_and_where_they_are_they_meet_the_guard() -> None:
    redirect = http(b"", "302 Found", "Location: http://169.254.169.254/latest/")
    async with answering(redirect) as inside:
        outbound = GuardedOutbound((f"127.0.0.1:{inside.port}",))
        assert (await outbound.http.get(f"http://127.0.0.1:{inside.port}/")).status_code == 302
        with pytest.raises(AddressRefusedError):
            await outbound.session.get(f"http://127.0.0.1:{inside.port}/", allow_redirects=True)
        with pytest.raises(AddressRefusedError):
            await outbound.http.get(f"http://127.0.0.1:{inside.port}/", follow_redirects=True)
        await outbound.close()


async def test_no_proxy_takes_the_call_elsewhere(outbound: GuardedOutbound, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(http(b"proxied")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        for call in (outbound.http.get("https://10.0.0.5/"), outbound.session.get("https://10.0.0.5/")):
            with pytest.raises(AddressRefusedError):
                await call
        with pytest.raises(AddressRefusedError):
            await outbound.session.get("https://8.8.8.8/", proxy=f"http://127.0.0.1:{proxy.port}")
        assert proxy.seen == []


async def test_tenants_share_no_cookies() -> None:
    async with answering(http(b"", "200 OK", "Set-Cookie: sessionid=1; Path=/")) as inside:
        outbound = GuardedOutbound((f"127.0.0.1:{inside.port}",))
        for _ in range(2):
            await outbound.http.get(f"http://127.0.0.1:{inside.port}/")
            async with outbound.session.get(f"http://127.0.0.1:{inside.port}/"):
                pass
        assert len(inside.seen) == 4
        assert not any("cookie" in head.lower() for head in inside.seen)
        await outbound.close()


async def test_a_body_over_the_cap_is_given_up() -> None:
    async with answering(http(b"x" * 100_000)) as inside:
        outbound = GuardedOutbound((f"127.0.0.1:{inside.port}",))
        async with outbound.http.stream("GET", f"http://127.0.0.1:{inside.port}/") as response:
            assert len(await read_capped(response, 100_000)) == 100_000
        async with outbound.http.stream("GET", f"http://127.0.0.1:{inside.port}/") as response:
            with pytest.raises(AnswerTooLargeError):
                await read_capped(response, 99_999)
        await outbound.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.ReadError),
        (b"nonsense\r\n\r\n", httpx.RemoteProtocolError),
        (http(b"half", length=1_000), httpx.ReadError),
    ],
)
async def test_a_broken_answer_raises_what_it_is(answer: bytes, error: type[httpx.TransportError]) -> None:
    async with answering(answer) as inside:
        outbound = GuardedOutbound((f"127.0.0.1:{inside.port}",))
        with pytest.raises(error):
            await outbound.http.get(f"http://127.0.0.1:{inside.port}/")
        await outbound.close()


async def test_a_closed_way_out_opens_anew(outbound: GuardedOutbound) -> None:
    first = outbound.http
    await outbound.close()
    assert outbound.http is not first


def test_importing_it_opens_and_loads_nothing() -> None:
    import subprocess
    import sys

    look = "import sys, hedgerow.outbound; sys.exit('aiohttp' in sys.modules or 'httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False, timeout=60).returncode == 0
