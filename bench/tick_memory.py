"""The peak memory of a process that does nothing but one tick: `python -m bench.tick_memory FIRESTORE PUBSUB PROJECT TIER` prints bytes.

Each size has a process of its own: what an earlier tick left in the allocator would hide what this one takes.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys

from pydantic import SecretStr

from bench.children import ROOT
from bench.installation import ADMIN_KEY, NOW
from functions.sync import ticking
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import PubSubQueue
from hedgerow.adapters.sealed import SealedVault
from hedgerow.app import App
from hedgerow.outbound import GuardedOutbound
from hedgerow.settings import Settings
from local.environment import with_variables

SECONDS = 600


def peak(firestore: str, pubsub: str, project: str, tier: str, due: int) -> float:
    """The megabytes at most resident in a process that ticks this tier; `RuntimeError` unless it found `due`."""
    command = [sys.executable, "-m", "bench.tick_memory", firestore, pubsub, project, tier]
    said = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=with_variables(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if said.returncode != 0:
        raise RuntimeError(said.stderr.strip().splitlines()[-1] if said.stderr.strip() else "the tick's process failed")
    found, kilobytes = map(int, said.stdout.split()[-2:])
    if found != due:
        raise RuntimeError(f"the tick found {found} connections, not {due}")
    return kilobytes / 1024


def main(firestore: str, pubsub: str, project: str, tier: str) -> None:
    """One tick; prints how many were due and the peak in kilobytes."""
    due = asyncio.run(_tick(firestore, pubsub, project, tier))
    sys.stdout.write(f"\n{due} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")


async def _tick(firestore: str, pubsub: str, project: str, tier: str) -> int:
    store = FirestoreStore(project, emulator_host=firestore)
    queue = PubSubQueue(project, emulator_host=pubsub)
    config = Settings(admin_key=SecretStr(ADMIN_KEY))
    app = App(config, store, SealedVault(store, bytes(32)), queue, GuardedOutbound(()), lambda: NOW)
    try:
        return await ticking.tick(app, ticking.tier_of(tier))
    finally:
        await queue.close()
        await store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
