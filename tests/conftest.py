"""Fixtures every suite may use: a store of each kind, Google's emulators, and the word about what was left out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from tests.emulators import HOW_TO_GET_THEM, EmulatorMissingError, firestore_emulator, pubsub_emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

    from hedgerow.ports import Store

LEFT_OUT = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """The last words of a run: wrapped around every other summary, so that nothing scrolls them away."""
    yield
    if left_out := config.stash[LEFT_OUT]:
        terminalreporter.section("NOT COVERED BY THIS RUN", sep="!", red=True, bold=True)
        for emulator, reason in left_out.items():
            terminalreporter.write_line(f"Everything on {emulator}: {reason}.", red=True, bold=True)
        terminalreporter.write_line(HOW_TO_GET_THEM)


@pytest.fixture(scope="session")
def firestore_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """ "host:port" of a Firestore emulator, or a loud skip."""
    yield from _started(request, "Google's Firestore emulator", firestore_emulator)


@pytest.fixture(scope="session")
def pubsub_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """ "host:port" of a Pub/Sub emulator, or a loud skip."""
    yield from _started(request, "Google's Pub/Sub emulator", pubsub_emulator)


@pytest.fixture
def project() -> str:
    """A project id that no other test uses: isolation on the emulators."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture(params=["sqlite", "firestore"])
async def store(request: pytest.FixtureRequest, project: str) -> AsyncIterator[Store]:
    """An empty store of each kind; a test that asks for it runs once on each."""
    opened: Store
    if request.param == "sqlite":
        opened = SqliteStore(":memory:")
    else:
        opened = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
    yield opened
    await opened.close()


def _started(
    request: pytest.FixtureRequest,
    name: str,
    emulator: Callable[[], AbstractContextManager[str]],
) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            host = stack.enter_context(emulator())
        except EmulatorMissingError as error:
            if os.environ.get("REQUIRE_EMULATORS") == "1":
                pytest.fail(f"{name} is required and missing: {error}.\n{HOW_TO_GET_THEM}", pytrace=False)
            request.config.stash[LEFT_OUT][name] = str(error)
            pytest.skip(f"{name} is missing: {error}")
        yield host
