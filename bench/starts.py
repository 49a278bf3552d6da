"""Start from the zip to the first answer, on Google's emulators, against a function that imports the same clients.

`functions-framework --target … --source …` as the cloud starts it, from the start of the
process to the whole first answer. The floor imports the same Google clients; for a row with
a promise it makes the same store calls, as many and of the same kinds, for the others, which
do a target's ordinary work, one get. What is promised is the clock's; the processor's time
stands beside it, which a busy machine changes less. Every start finds a project of its own
on the emulators, prepared beforehand.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from uuid import uuid4

from bench.capture_stage import far_away
from bench.children import ROOT, cpu_seconds
from bench.deployed import Deployed, deploy
from bench.figures import Row, compared, unmeasured
from bench.first_calls import Asked, Call, Stage, calls
from bench.installation import ADMIN_KEY
from bench.nginx import free_port
from bench.rounds import in_turn
from bench.sizes import Sizes
from hedgerow import messages, wiring
from hedgerow.outbound import GuardedOutbound
from hedgerow.settings import Settings
from tests.emulators import EmulatorMissingError, firestore_emulator, pubsub_emulator

NAME = "starts"
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Took:
    """What one start took until its answer: by the clock, and of the processor."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is: what was deployed, the emulators, PostHog's two addresses, the log."""

    deployed: Deployed
    firestore: str
    pubsub: str
    alive: str
    closed: str
    log: Path

    def variables(self, project: str) -> dict[str, str]:
        """The environment of a function, as Terraform would set it."""
        hosts = ",".join(origin.removeprefix("http://") for origin in (self.closed, self.alive))
        return {
            "FIRESTORE_EMULATOR_HOST": self.firestore,
            "PUBSUB_EMULATOR_HOST": self.pubsub,
            "HEDGEROW_STORE": "firestore",
            "HEDGEROW_QUEUE": "pubsub",
            "HEDGEROW_PROJECT": project,
            "HEDGEROW_SEALING_KEY": base64.b64encode(bytes(32)).decode(),
            "HEDGEROW_ADMIN_KEY": ADMIN_KEY,
            "HEDGEROW_ALLOWED_PRIVATE_HOSTS": hosts,
        }


def measure(sizes: Sizes) -> list[Row]:
    """A row for capture, for every schedule and topic target, and for `api`."""
    with tempfile.TemporaryDirectory() as name, far_away(0, Path(name)) as alive:
        folder, closed = Path(name), f"http://127.0.0.1:{free_port()}"
        try:
            with firestore_emulator() as firestore, pubsub_emulator() as pubsub:
                place = Place(deploy(folder), firestore, pubsub, alive, closed, folder / "starts.log")
                return asyncio.run(_measure(sizes, place))
        except EmulatorMissingError as missing:
            return [unmeasured(NAME, "start to first answer", str(missing))]


async def _measure(sizes: Sizes, place: Place) -> list[Row]:
    rows: list[Row] = []
    for call in calls():
        cpu: dict[str, list[float]] = {"figure": [], "floor": []}
        starts = {"figure": partial(_start, place, call), "floor": partial(_start_floor, place, call)}
        seconds = await in_turn(
            sizes.rounds, {name: partial(_by_clock, start, cpu[name]) for name, start in starts.items()}
        )
        what = f"start from the zip to first answer, {call.target}"
        note = f"{call.does}; {_of_cpu(cpu)}"
        rows.append(compared(NAME, what, seconds["figure"], seconds["floor"], limit=call.limit, note=note))
    return rows


async def _by_clock(start: Callable[[], Awaitable[Took]], cpu: list[float]) -> float:
    took = await start()
    cpu.append(took.cpu)
    return took.seconds


def _of_cpu(cpu: dict[str, list[float]]) -> str:
    # The first of each belongs to the round that is not counted.
    figure, floor = median(cpu["figure"][1:]), median(cpu["floor"][1:])
    return f"of the processor {1000 * figure:.0f} ms against {1000 * floor:.0f} ms, {figure / floor:.2f}"


async def _start(place: Place, call: Call) -> Took:
    project = f"bench-{uuid4().hex[:12]}"
    variables = place.variables(project)
    asked = await _prepared(place, call, variables)
    return await _timed(place, call.target, call.source, asked, variables)


async def _start_floor(place: Place, call: Call) -> Took:
    name = "one_get_beside_publisher" if call.publishes else "bare_calls"
    asked = Asked("GET", f"/?calls={call.store}", b"")
    # A project of its own too: the emulators take longer over the first call of one they have not met.
    variables = place.variables(f"bench-{uuid4().hex[:12]}")
    return await _timed(place, name, ROOT / f"bench/{name}.py", asked, variables)


async def _prepared(place: Place, call: Call, variables: dict[str, str]) -> Asked:
    """Fill the project's store, and make its topics where something will be published."""
    named = {
        name.removeprefix("HEDGEROW_").lower(): value for name, value in variables.items() if "EMULATOR" not in name
    }
    app = wiring.build(Settings(FIRESTORE_EMULATOR_HOST=place.firestore, PUBSUB_EMULATOR_HOST=place.pubsub, **named))
    try:
        if call.publishes:
            await asyncio.gather(
                *(_make_topic(place.pubsub, named, kind) for kind in messages.Message.__subclasses__())
            )
        return await call.asked(Stage(app, place.alive, place.closed))
    finally:
        if isinstance(app.outbound, GuardedOutbound):
            await app.outbound.close()
        for seam in (app.queue, app.vault, app.store):
            await seam.close()


async def _make_topic(host: str, named: dict[str, str], kind: type[messages.Message]) -> None:
    """A topic without any subscription: what is published is not what is measured."""
    import grpc.aio
    from google.pubsub_v1 import PublisherAsyncClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

    async with grpc.aio.insecure_channel(host) as channel:
        client = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        await client.create_topic({"name": f"projects/{named['project']}/topics/hedgerow-{kind.topic}"})


async def _timed(place: Place, target: str, source: str | Path, asked: Asked, variables: dict[str, str]) -> Took:
    port = free_port()
    began = time.perf_counter()
    with place.deployed.started(target, source, port, place.log, variables) as process:
        status, body = await asyncio.to_thread(_first_answer, target, asked, port, process.poll)
        took = Took(time.perf_counter() - began, cpu_seconds(process))
    if status != asked.status:
        said = place.log.read_text(encoding="utf-8")[-2000:]
        raise RuntimeError(f"{target} answered {status}: {body[:500]!r}\n{said}")
    return took


def _first_answer(target: str, asked: Asked, port: int, is_over: Callable[[], int | None]) -> tuple[int, bytes]:
    """Knock until the port opens, then make the call."""
    until = time.monotonic() + START_SECONDS
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        try:
            client.connect()
        except ConnectionRefusedError:
            if is_over() is not None or time.monotonic() > until:
                raise RuntimeError(f"{target} did not start") from None
            time.sleep(0.002)
            continue
        try:
            client.request(asked.method, asked.path, asked.body, asked.headers)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()
