"""A real SIGKILL of `hedgerow dev` in the middle of a sync; started again on its folder it finishes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tests.journeys.local_servers import dev, posthog

ADMIN = "the-operators-own-key"


def call(url: str, method: str, path: str, key: str, body: Any = None) -> Any:
    answer = httpx.request(method, url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    assert answer.status_code < 300, answer.text
    return answer.json()


def wait_for(url: str, path: str, key: str, state: str, seconds: float) -> Any:
    until = time.monotonic() + seconds
    while True:
        run = call(url, "GET", path, key)
        if run["state"] == state:
            return run
        assert time.monotonic() < until, run
        time.sleep(0.1)


def test_a_sync_that_is_killed_is_finished_by_the_next_process(tmp_path: Path) -> None:
    with posthog(tmp_path / "posthog") as there:
        allowed = {"HEDGEROW_ALLOWED_PRIVATE_HOSTS": there["host"].removeprefix("http://")}
        data = tmp_path / "hedgerow"
        with dev(data, HEDGEROW_ADMIN_KEY=ADMIN, **allowed) as server:
            key = call(server.url, "POST", "/v1/tenants", ADMIN, {"name": "Acme", "tier": "pro"})["api_key"]
            wanted = {name: there[name] for name in ("host", "project_id", "personal_api_key")}
            connected = call(server.url, "POST", "/v1/connections", key, wanted)
            runs = f"/v1/connections/{connected['id']}/runs"
            wait_for(server.url, f"{runs}/{connected['run']['id']}", key, "succeeded", 30)
            fault = {"kind": "slow", "seconds": 60, "path": "/api/projects/"}
            httpx.post(f"{there['host']}/_local/faults", json=fault).raise_for_status()
            asked = call(server.url, "POST", f"/v1/connections/{connected['id']}/refresh", key, {})
            wait_for(server.url, f"{runs}/{asked['id']}", key, "running", 10)
            server.process.kill()
            server.process.wait(timeout=10)
        httpx.delete(f"{there['host']}/_local/faults").raise_for_status()
        with dev(data, HEDGEROW_ADMIN_KEY=ADMIN, **allowed) as again:
            run = wait_for(again.url, f"{runs}/{asked['id']}", key, "succeeded", 30)
            assert run["attempts"] == 2
            assert [each["state"] for each in call(again.url, "GET", runs, key)["items"]] == ["succeeded", "succeeded"]
