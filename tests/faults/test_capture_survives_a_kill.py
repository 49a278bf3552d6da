"""A real SIGKILL of `hedgerow dev` in the middle of a burst, with PostHog away: whatever was answered 200 arrives, once."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx

from tests.journeys.local_servers import dev, posthog
from tests.sdk import stored
from tests.sdk.hosts import ADMIN, Site
from tests.sdk.running import start

COUNT = 300
SECONDS = 4.0


def test_what_was_answered_before_a_kill_arrives_after_it(tmp_path: Path) -> None:
    with posthog(tmp_path / "posthog") as there:
        variables = {
            "HEDGEROW_ADMIN_KEY": ADMIN,
            "HEDGEROW_ALLOWED_PRIVATE_HOSTS": there["host"].removeprefix("http://"),
        }
        port = str(_free_port())
        with dev(tmp_path / "hedgerow", "--port", port, **variables) as server:
            site = _connected(server.url, there)
            _switch(there, off=True)
            sending = start(
                "python", site, "burst", name="burst", count=COUNT, seconds=SECONDS, options={"sync_mode": True}
            )
            time.sleep(SECONDS / 2)
            server.process.kill()
            server.process.wait(timeout=10)
            assert sending.process.poll() is None
        with dev(tmp_path / "hedgerow", "--port", port, **variables):
            said = sending.end()
            answered = set(said.own) - set(said.heard["failed"])
            # The SDK tries each four times, within seven seconds.
            assert len(answered) > COUNT / 2
            _switch(there, off=False)
            found = _settled(site, len(answered))
    ids = [event.uuid for event in found]
    assert len(ids) == len(set(ids))
    assert answered <= set(ids) <= set(said.own)
    stored.assert_own_times(
        found, {event.uuid: said.own[event.uuid] for event in found if int(event.properties["number"]) % 2}, late=0.002
    )


def _connected(url: str, there: dict[str, str]) -> Site:
    key = _post(f"{url}/v1/tenants", ADMIN, {"name": "Acme", "tier": "pro"})["api_key"]
    wanted = {name: there[name] for name in ("host", "project_id", "personal_api_key", "project_token")}
    connected = _post(f"{url}/v1/connections", key, wanted)
    return Site(
        url, there["host"], int(there["project_id"]), there["project_token"], there["personal_api_key"], connected["id"]
    )


def _settled(site: Site, least: int) -> list[stored.Event]:
    """What PostHog holds, once it is `least` events and no more come."""
    until, before = time.monotonic() + 30, -1
    while True:
        found = stored.events(site, "burst")
        if len(found) >= least and len(found) == before:
            return found
        assert time.monotonic() < until, (len(found), least)
        before = len(found)
        time.sleep(4)


def _switch(there: dict[str, str], *, off: bool) -> None:
    httpx.post(f"{there['host']}/_local/off", json={"off": off}, timeout=10, trust_env=False).raise_for_status()


def _post(url: str, key: str, body: object) -> dict[str, str]:
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False)
    said: dict[str, str] = answer.raise_for_status().json()
    return said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
