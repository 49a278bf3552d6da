"""The folder of an embedded installation: is it served, and what a refusal takes away again.

Refuses to touch a file that was there before, and a folder that a server has taken.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "lock"
MADE = ("store.db", "queue.db", "sealing.key")
BESIDE = ("", "-wal", "-shm")


def is_served(folder: Path) -> bool:
    """Does a server run on the folder? `hedgerow dev` holds the lock of its own for as long as it does."""
    import fcntl

    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@contextmanager
def as_it_was_if_refused(folder: Path) -> Iterator[None]:
    """Within the block an installation may be made in the folder; an error of ours leaves none where none was."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    fresh = [name for name in MADE if not (folder / name).exists()]
    try:
        yield
    except HedgerowError:
        if not is_served(folder):
            for name in fresh:
                for end in BESIDE:
                    (folder / f"{name}{end}").unlink(missing_ok=True)
            with suppress(OSError):  # Somebody else has put something there meanwhile.
                for each in missing:
                    each.rmdir()
        raise
