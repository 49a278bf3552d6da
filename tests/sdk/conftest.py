"""The servers of the SDK suite, started once for all of its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk import hosts
from tests.sdk.hosts import Stage


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, node_modules: Path) -> Iterator[Stage]:
    with hosts.stage(tmp_path_factory.mktemp("sdk"), node_modules / "posthog-js" / "dist") as started:
        yield started


@pytest.fixture
def stage(servers: Stage) -> Iterator[Stage]:
    """The servers, PostHog well before and after each test."""
    servers.behave()
    yield servers
    servers.behave()
