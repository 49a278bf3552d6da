"""Other processes on the same store or queue, for tests that kill them: `python -m tests.contract.processes VERB …`.

Each verb prints a word when it has come as far as its test wants it, then waits to be killed.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.adapters.courier import Courier
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.google import PubSubQueue
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import ConflictError
from hedgerow.messages import RunEnded
from hedgerow.ports import Add, Swap
from tests.contract.specimens import Leaf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hedgerow.ports import Queue

ROOT = Path(__file__).parents[2]


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a verb; it is killed at the end at the latest."""
    command = [sys.executable, "-m", "tests.contract.processes", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def kill_after(word: str, *words: str) -> None:
    """Run a verb until it has said `word`, then SIGKILL it."""
    with process(*words) as running:
        assert running.stdout is not None
        assert running.stdout.readline().strip() == word
        running.send_signal(signal.SIGKILL)
        assert running.wait(10) == -signal.SIGKILL


async def _publish(queue: Queue, number: int) -> None:
    await queue.publish(*(RunEnded(connection_id="con_1", run_id=f"run_{each}") for each in range(number)))
    await _stay("published")


async def _deliver(path: str) -> None:
    begun = 0

    async def deliver(topic: str, envelope: bytes) -> int:
        nonlocal begun
        begun += 1
        if begun == 1:
            return 200
        if begun == 3:
            await asyncio.sleep(0.2)
            sys.stdout.write("delivering\n")
            sys.stdout.flush()
        await asyncio.sleep(60)
        return 200

    await Courier(EmbeddedQueue(path), deliver, [RunEnded.topic]).run()


async def _count_to(path: str, number: int, name: str) -> None:
    store = SqliteStore(path)
    for each in range(number):
        while True:
            read = await store.get(Leaf, "shared")
            add = Add(Leaf(id=f"{name}_{each}"))
            try:
                if read is None:
                    await store.commit(Add(Leaf(id="shared", height=1)), add)
                else:
                    await store.commit(Swap(read.model_copy(update={"height": read.height + 1})), add)
            except ConflictError:
                continue
            break
    await store.close()
    sys.stdout.write("counted\n")


async def _commit(path: str) -> None:
    store = SqliteStore(path)
    await store.commit(Add(Leaf(id="x", name="kept")))
    await _stay("committed")


async def _stay(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


def main(verb: str, *words: str) -> None:
    match verb, *words:
        case "publish-embedded", path, number:
            asyncio.run(_publish(EmbeddedQueue(path), int(number)))
        case "publish-pubsub", host, project, number:
            asyncio.run(_publish(PubSubQueue(project, emulator_host=host), int(number)))
        case "deliver", path:
            asyncio.run(_deliver(path))
        case "count", path, number, name:
            asyncio.run(_count_to(path, int(number), name))
        case "commit", path:
            asyncio.run(_commit(path))
        case _:
            sys.exit(2)


if __name__ == "__main__":
    main(*sys.argv[1:])
