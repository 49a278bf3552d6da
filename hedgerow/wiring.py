"""Which adapters this process runs on. The only file that names them.

`build` makes an App from settings; `current` is the process's own, built at first use
because functions-framework loads the source before the server forks; `override` puts
another in its place, for the local server and for tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from hedgerow.app import App
from hedgerow.errors import MisconfiguredError
from hedgerow.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hedgerow.inspection import Inspection
    from hedgerow.ports import Planned, Queue, Schedules, Store, Vault

_override: ContextVar[App | None] = ContextVar("hedgerow_app", default=None)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def build(config: Settings, now: Callable[[], datetime] = utc_now) -> App:
    """An App on the adapters the settings name."""
    from hedgerow.outbound import GuardedOutbound

    store = _store(config)
    return App(
        settings=config,
        store=store,
        vault=_vault(config, store),
        queue=_queue(config),
        outbound=GuardedOutbound(config.allowed_private_hosts),
        now=now,
    )


async def close(app: App) -> None:
    """Let go of what `build` opened, in this event loop. The session of the way out ends with the loop."""
    for seam in (app.queue, app.vault, app.store):
        await seam.close()


def schedules(
    config: Settings, store: Store, planned: Iterable[Planned], now: Callable[[], datetime] = utc_now
) -> Schedules:
    """The schedules: Cloud Scheduler's, or where it is not, those of `planned` whose state `store` holds.

    Google has no emulator of it: with the emulators, `hedgerow dev` keeps the time too.
    """
    if config.queue == "pubsub" and not config.pubsub_emulator:
        if not config.region:
            raise MisconfiguredError(
                "No region is set, and Cloud Scheduler's jobs are in one.",
                code="wrong_region",
                hint='Set HEDGEROW_REGION: eval "$(terraform output -raw operator_environment)".',
            )
        from hedgerow.adapters.cloud_scheduler import CloudSchedules

        return CloudSchedules(config.project, config.region, config.schedule_prefix)
    from hedgerow.adapters.local_schedules import LocalSchedules

    return LocalSchedules(store, planned, now)


def inspection(config: Settings, queue: Queue) -> Inspection:
    """A look at the queue from outside, for the operator."""
    from hedgerow.adapters.embedded import EmbeddedQueue
    from hedgerow.adapters.inspection import EmbeddedInspection, PubSubInspection

    if isinstance(queue, EmbeddedQueue):
        return EmbeddedInspection(queue)
    return PubSubInspection(config.project, config.topic_prefix, emulator_host=config.pubsub_emulator or None)


def current() -> App:
    """The App of this request: an override, or the process's own."""
    return _override.get() or _own()


@contextmanager
def override(app: App) -> Iterator[App]:
    """Within the block, in this task and those it starts, `current()` is `app`."""
    token = _override.set(app)
    try:
        yield app
    finally:
        _override.reset(token)


@cache
def _own() -> App:
    # Imported here: a command of the operator's wires adapters too, and leaves its collector as it is.
    from hedgerow import collecting

    collecting.keep_what_is_loaded()
    return build(settings())


def _store(config: Settings) -> Store:
    if config.store == "firestore":
        from hedgerow.adapters.firestore import FirestoreStore

        return FirestoreStore(config.project, config.database, emulator_host=config.firestore_emulator or None)
    from hedgerow.adapters.sqlite import SqliteStore

    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteStore(config.data / "store.db")


def _queue(config: Settings) -> Queue:
    if config.queue == "pubsub":
        from hedgerow.adapters.google import PubSubQueue

        return PubSubQueue(config.project, config.topic_prefix, emulator_host=config.pubsub_emulator or None)
    from hedgerow.adapters.embedded import EmbeddedQueue

    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return EmbeddedQueue(config.data / "queue.db")


def _vault(config: Settings, store: Store) -> Vault:
    if config.vault == "secret_manager":
        from hedgerow.adapters.google import SecretManagerVault

        return SecretManagerVault(config.project, config.secret_prefix)
    from base64 import b64decode

    from hedgerow.adapters.sealed import SealedVault, load_or_create_key

    if config.sealing_key is not None:
        return SealedVault(store, b64decode(config.sealing_key.get_secret_value()))
    if config.store == "firestore" and not config.firestore_emulator:
        # A key of this process's own would open nothing that others sealed.
        return SealedVault(store, None)
    beside = config.data / "store.db" if config.store == "sqlite" else None
    return SealedVault(store, load_or_create_key(config.data / "sealing.key", beside))
