"""Capture with PostHog down: what it accepts against what it forwards, on each store; and what arrives in the end.

Both hosts run on a store of the same kind, side by side. The dead one's upstream is a closed
port, and every event it answered 200 for must lie in its outbox afterwards.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from uuid import uuid4

from bench import capture_arrivals, load, nginx
from bench.capture_bodies import bodies
from bench.capture_stage import connected, serving
from bench.figures import Must, Row, rated, unmeasured
from bench.load import Load
from bench.rounds import one_by_one
from bench.sizes import Sizes
from hedgerow import wiring
from hedgerow.deliveries import DeliveryStory
from hedgerow.models import Connection
from hedgerow.ports import Where
from hedgerow.settings import Settings
from tests.emulators import EmulatorMissingError, firestore_emulator

NAME = "capture_down"
CONNECTIONS = 64
KINDS = {"one": ("single events", 1), "fifty": ("batches of 50", 50)}
ON_SQLITE, ON_FIRESTORE = "SQLite, synchronous=FULL", "Firestore emulator"
LEAST = {ON_SQLITE: 0.9, ON_FIRESTORE: 0.5}


def measure(sizes: Sizes) -> list[Row]:
    """Rates for both stores, and what arrived with the upstream off for a while."""
    if not nginx.is_there() or not load.is_there():
        return [unmeasured(NAME, "capture with PostHog down", "nginx and wrk (apt-get install nginx-light wrk)")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = bodies(folder / "bodies")
        with nginx.upstream(folder / "nginx") as alive:
            rows = _accepted(sizes, ON_SQLITE, folder / "sqlite", files, alive, {})
            try:
                with firestore_emulator() as host:
                    variables = {"HEDGEROW_STORE": "firestore", "FIRESTORE_EMULATOR_HOST": host}
                    rows += _accepted(sizes, ON_FIRESTORE, folder / "firestore", files, alive, variables)
            except EmulatorMissingError as missing:
                rows.append(
                    unmeasured(NAME, ON_FIRESTORE, str(missing), Must(LEAST[ON_FIRESTORE], "ratio", at_least=True))
                )
        return rows + asyncio.run(capture_arrivals.measure(sizes, NAME, folder / "arrivals"))


def _accepted(
    sizes: Sizes, where: str, folder: Path, files: Mapping[str, Path], alive: str, variables: Mapping[str, str]
) -> list[Row]:
    """A row for single events and one for batches."""
    up, down = _stage(folder / "up", variables), _stage(folder / "down", variables)
    dead = f"http://127.0.0.1:{nginx.free_port()}"
    asyncio.run(connected(_settings(up), alive))
    connection = asyncio.run(connected(_settings(down), dead))
    rows: list[Row] = []
    sent = 0
    with serving("ours", alive, folder, **up) as (healthy, _), serving("ours", dead, folder, **down) as (lonely, _):
        for kind, (what, size) in KINDS.items():
            load_of_kind = Load(files[kind])
            answered: list[int] = []
            measured = {
                "healthy": partial(_rate, sizes, healthy, load_of_kind, size, []),
                "lonely": partial(_rate, sizes, lonely, load_of_kind, size, answered),
            }
            rates = one_by_one(sizes.rounds, measured)
            # Those under way when the load ended may have been accepted too; nobody heard it.
            kept = asyncio.run(_kept(_settings(down), connection)) - sent
            most = sum(answered) + len(answered) * CONNECTIONS * size
            if not sum(answered) <= kept <= most:
                raise RuntimeError(f"{sum(answered)} events were answered 200, {kept} lie in the outbox ({where})")
            sent += kept
            rows.append(
                rated(
                    NAME,
                    f"accepted with the upstream dead against healthy, {what}, {where}",
                    rates["lonely"],
                    rates["healthy"],
                    least=LEAST[where],
                    note=f"events a second; {sum(answered):,} answered 200, {kept:,} found in the outbox",
                )
            )
    return rows


def _stage(data: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The settings of one host: a folder, and where the store lies elsewhere a project of its own."""
    data.mkdir(parents=True)
    return {**variables, "HEDGEROW_DATA": str(data), "HEDGEROW_PROJECT": f"bench-{uuid4().hex[:12]}"}


def _settings(stage: Mapping[str, str]) -> Settings:
    """The same settings in this process."""
    prefix = "HEDGEROW_"
    return Settings.model_validate(
        {name.removeprefix(prefix).lower() if name.startswith(prefix) else name: value for name, value in stage.items()}
    )


def _rate(sizes: Sizes, origin: str, sent: Load, size: int, answered: list[int]) -> float:
    """Events a second; `answered` is how many events each run heard 200 for."""
    run = load.run(origin, sent, connections=CONNECTIONS, seconds=5 if sizes.full else 2)
    answered.append(run.requests * size)
    return run.rate * size


async def _kept(settings: Settings, connection: Connection) -> int:
    """How many events wait in the outbox."""
    app = wiring.build(settings)
    kept, cursor = 0, None
    try:
        while True:
            page = await app.store.find(
                DeliveryStory,
                Where("connection_id", "==", connection.id),
                Where("state", "==", "pending"),
                limit=500,
                cursor=cursor,
            )
            kept += sum(story.count for story in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return kept
    finally:
        await app.store.close()
        await app.queue.close()
