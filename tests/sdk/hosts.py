"""Where an SDK can be pointed: straight at a local PostHog, or at Hedgerow in front of a project of its own.

Owns the two servers of the suite and their projects; every `Site` is a project nobody else uses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.journeys.local_servers import dev, posthog

ADMIN = "the-operators-own-key"
PREFIX = "/ph"
EVERYONE: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 100}]}
HALF: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 50}]}
PAYING: dict[str, Any] = {
    "groups": [{"properties": [{"key": "plan", "type": "person", "operator": "exact", "value": ["pro"]}]}]
}
VARIANTS: dict[str, Any] = {
    **EVERYONE,
    "multivariate": {
        "variants": [{"key": "control", "rollout_percentage": 50}, {"key": "test", "rollout_percentage": 50}]
    },
    "payloads": {"control": '{"colour": "green"}', "test": '{"colour": "blue"}'},
}
SETTINGS: dict[str, Any] = {**EVERYONE, "payloads": {"true": '{"limit": 5}'}}
FLAGS = {"new-checkout": EVERYONE, "half": HALF, "by-plan": PAYING, "variants": VARIANTS, "settings": SETTINGS}


@dataclass(frozen=True)
class Site:
    """A project, and the host an SDK is given for it."""

    host: str
    posthog: str
    project_id: int
    token: str
    personal_api_key: str
    connection: str = ""

    @property
    def is_through(self) -> bool:
        """Whether Hedgerow stands between."""
        return self.host != self.posthog

    def ask(self, hogql: str) -> list[list[Any]]:
        """What this project's PostHog says to a HogQL query."""
        answer = httpx.post(
            f"{self.posthog}/api/projects/{self.project_id}/query/",
            json={"query": {"kind": "HogQLQuery", "query": hogql}, "refresh": "force_blocking"},
            headers={"Authorization": f"Bearer {self.personal_api_key}"},
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        rows: list[list[Any]] = answer.json()["results"]
        return rows


@dataclass
class Stage:
    """A local PostHog and a Hedgerow in front of it."""

    posthog: str
    hedgerow: str
    api_key: str

    def straight(self, **offers: Any) -> Site:
        """A new project, asked directly."""
        made = self.control("POST", "projects", {"name": "straight"})
        site = Site(self.posthog, self.posthog, made["project_id"], made["project_token"], made["personal_api_key"])
        for key, filters in FLAGS.items():
            self.control("POST", "flags", {"key": key, "project_id": site.project_id, "filters": filters})
        if offers:
            self.control("POST", "projects", {"id": site.project_id, **offers})
        return site

    def through(self, **offers: Any) -> Site:
        """A new project, connected to Hedgerow, asked through it."""
        site = self.straight(**offers)
        connected = self.call(
            "POST",
            "/v1/connections",
            {
                "host": self.posthog,
                "project_id": str(site.project_id),
                "personal_api_key": site.personal_api_key,
                "project_token": site.token,
            },
        )
        id = str(connected["id"])
        # The first sync keeps the local PostHog's one engine busy: flags asked meanwhile could be late.
        run = f"/v1/connections/{id}/runs/{connected['run']['id']}"
        for _ in range(300):
            if self.call("GET", run)["state"] in ("succeeded", "failed"):
                break
            time.sleep(0.1)
        return Site(self.hedgerow, self.posthog, site.project_id, site.token, site.personal_api_key, id)

    def control(self, method: str, name: str, body: Any = None) -> Any:
        """A `/_local` call of the local PostHog."""
        answer = httpx.request(method, f"{self.posthog}/_local/{name}", json=body, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Hedgerow's API with the tenant's key."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        answer = httpx.request(method, self.hedgerow + path, json=body, headers=headers, timeout=30, trust_env=False)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def misbehave(self, **fault: Any) -> None:
        """From now on PostHog meets what it is asked with a fault."""
        if fault["kind"] == "off":
            self.control("POST", "off", {"off": True})
        else:
            self.control("POST", "faults", fault)

    def behave(self) -> None:
        """PostHog is well again."""
        self.control("DELETE", "faults")


@contextmanager
def stage(folder: Path, assets: Path) -> Iterator[Stage]:
    """Both servers on free ports, until the end of the block."""
    with posthog(folder / "posthog", "--assets", str(assets)) as there:
        host = there["host"]
        httpx.post(f"{host}/_local/limits", json={"off": True}, trust_env=False).raise_for_status()
        variables = {
            "HEDGEROW_ADMIN_KEY": ADMIN,
            "HEDGEROW_ALLOWED_PRIVATE_HOSTS": host.removeprefix("http://"),
            "HEDGEROW_STATIC_HOST": host,
            "HEDGEROW_CAPTURE_PREFIX": PREFIX,
            # The tests ask for the outbox as fast as they can.
            "HEDGEROW_REQUESTS_PER_MINUTE": "100000",
        }
        with dev(folder / "hedgerow", **variables) as server:
            made = httpx.post(
                f"{server.url}/v1/tenants",
                json={"name": "Acme", "tier": "pro"},
                headers={"Authorization": f"Bearer {ADMIN}"},
                timeout=30,
                trust_env=False,
            )
            yield Stage(host, server.url, made.raise_for_status().json()["api_key"])
