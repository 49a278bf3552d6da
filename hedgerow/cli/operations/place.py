"""The folder of an embedded installation: is it served, and what a refusal takes away again.

Refuses to touch a file that was there before, a folder that a server has taken, and one that is being made.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hedgerow.errors import HedgerowError, InvalidError, StateConflictError

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
    """Within the block an installation may be made in the folder; an error of ours leaves none where none was.

    One process at a time: `StateConflictError` while another is within such a block, whose files one would take away.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidError(f"{folder} cannot be a folder: {error.strerror}.", hint="Name another by --data.") from error
    with _held(folder):
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


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateConflictError(
                f"Another import writes into {folder} just now.",
                code="import_under_way",
                hint="Wait for it to end, then run this one again: it goes on.",
            ) from error
        yield
    finally:
        os.close(opened)
