"""Fixtures every suite may use: a store of each kind, the real parts a machine may lack, and the word about what was left out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.logs import log
from tests import node
from tests.emulators import HOW_TO_GET_THEM, EmulatorMissingError, firestore_emulator, pubsub_emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from hedgerow.ports import Store

LEFT_OUT = pytest.StashKey[dict[str, tuple[str, str]]]()
REQUIRED = "REQUIRE_EMULATORS=1 makes their absence a failure."


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = {}
    # The first line of a process configures structlog; within `capture_logs` it would undo that.
    log()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of a run in several processes hands over what it left out."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left_out"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """The process that began the workers gathers it."""
    node.config.stash[LEFT_OUT].update(getattr(node, "workeroutput", {}).get("left_out", {}))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """The last words of a run: wrapped around every other summary, so that nothing scrolls them away."""
    yield
    if left_out := config.stash[LEFT_OUT]:
        terminalreporter.section("NOT COVERED BY THIS RUN", sep="!", red=True, bold=True)
        for part, (reason, _) in left_out.items():
            terminalreporter.write_line(f"Everything on {part}: {reason}.", red=True, bold=True)
        for how in dict.fromkeys(how for _, how in left_out.values()):
            terminalreporter.write_line(how)
        terminalreporter.write_line(REQUIRED)


@pytest.fixture(scope="session")
def firestore_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """ "host:port" of a Firestore emulator, or a loud skip."""
    yield from _started(request, "Google's Firestore emulator", firestore_emulator)


@pytest.fixture(scope="session")
def pubsub_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """ "host:port" of a Pub/Sub emulator, or a loud skip."""
    yield from _started(request, "Google's Pub/Sub emulator", pubsub_emulator)


@pytest.fixture(scope="session")
def node_modules(request: pytest.FixtureRequest) -> Path:
    """The installed packages of `tests/sdk/package-lock.json`, or a loud skip."""
    try:
        return node.node_modules()
    except node.PartMissingError as error:
        _leave_out(request, "Node.js: posthog-node, posthog-js, tsc", str(error), error.how)


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> str:
    """The path of a Chromium, or a loud skip."""
    try:
        return node.browser()
    except node.PartMissingError as error:
        _leave_out(request, "a real browser", str(error), error.how)


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
            _leave_out(request, name, str(error), HOW_TO_GET_THEM)
        yield host


def _leave_out(request: pytest.FixtureRequest, name: str, reason: str, how: str) -> NoReturn:
    """Skip what needs a part and say so at the end of the run, or fail where parts are required."""
    if os.environ.get("REQUIRE_EMULATORS") == "1":
        pytest.fail(f"{name} is required and missing: {reason}.\n{how}", pytrace=False)
    request.config.stash[LEFT_OUT][name] = reason, how
    pytest.skip(f"{name} is missing: {reason}")
