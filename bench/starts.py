"""Process start to first answer, embedded: every target as the cloud starts it, against an empty async function.

`functions-framework --target … --source …` with the cloud's packages, on a copy of one
prepared folder, from the start of the process to the whole first answer of a call that does the target's work: a tick, a
push that is a first delivery, a read with a key. The answer's status is checked.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import cloud
from bench.capture_stage import far_away
from bench.children import ROOT, child
from bench.figures import Row, compared
from bench.first_calls import Call, prepare
from bench.installation import ADMIN_KEY
from bench.nginx import free_port
from bench.rounds import in_turn
from bench.sizes import Sizes

NAME = "starts"
START_SECONDS = 60.0

EMPTY = Call("empty", "bench/empty.py", None)


def measure(sizes: Sizes) -> list[Row]:
    """A row for each schedule, topic and API target."""
    return asyncio.run(_measure(sizes))


async def _measure(sizes: Sizes) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, far_away(0, Path(folder)) as alive:
        template, closed = Path(folder) / "template", f"http://127.0.0.1:{free_port()}"
        calls = await prepare(template, closed, alive)
        variables = {
            "HEDGEROW_ADMIN_KEY": ADMIN_KEY,
            "HEDGEROW_ALLOWED_PRIVATE_HOSTS": ",".join(origin.removeprefix("http://") for origin in (closed, alive)),
        }
        python = cloud.environment(Path(folder) / "cloud")
        start = partial(_start, python=python, template=template, folder=Path(folder), variables=variables)
        rows: list[Row] = []
        for name, call in calls.items():
            seconds = await in_turn(sizes.rounds, {"figure": partial(start, call), "floor": partial(start, EMPTY)})
            what = f"start to first answer, {name}"
            rows.append(compared(NAME, what, seconds["figure"], seconds["floor"], limit=call.limit, note=call.does))
    return rows


async def _start(call: Call, python: Path, template: Path, folder: Path, variables: dict[str, str]) -> float:
    data, log, port = folder / "run", folder / "starts.log", free_port()
    shutil.copytree(template, data)
    source = str(ROOT / call.source)
    command = [str(python), "-m", "functions_framework", "--target", call.target, "--source", source]
    try:
        began = time.perf_counter()
        with child(
            [*command, "--host", "127.0.0.1", "--port", str(port)], log, {**variables, "HEDGEROW_DATA": str(data)}
        ) as process:
            status, body = await asyncio.to_thread(_first_answer, call, port, process.poll)
            took = time.perf_counter() - began
    finally:
        shutil.rmtree(data, ignore_errors=True)
    if status != call.status:
        said = log.read_text(encoding="utf-8")[-2000:]
        raise RuntimeError(f"{call.target} answered {status}: {body[:500]!r}\n{said}")
    return took


def _first_answer(call: Call, port: int, is_over: Callable[[], int | None]) -> tuple[int, bytes]:
    """Knock until the port opens, then make the call."""
    until = time.monotonic() + START_SECONDS
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        try:
            client.connect()
        except ConnectionRefusedError:
            if is_over() is not None or time.monotonic() > until:
                raise RuntimeError(f"{call.target} did not start") from None
            time.sleep(0.002)
            continue
        try:
            client.request(call.method, call.path, call.body, call.headers)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()
