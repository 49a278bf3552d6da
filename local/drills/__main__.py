"""`make drill NAME=…`: plays one incident; without a name, or with one of nobody, lists them."""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from local.drills.incidents import DRILLS
from local.drills.room import Room
from local.stage import Stage, StepError

ROOT = Path(__file__).resolve().parent.parent.parent


def main(names: list[str]) -> int:
    """0 when the incident was seen and mended as told, 1 when not, 2 for a name of no drill."""
    wanted = [name for name in names if name]
    if not wanted:
        _list()
        return 0
    if wanted[0] not in DRILLS:
        near = difflib.get_close_matches(wanted[0], DRILLS, n=1)
        print(f"There is no drill {wanted[0]!r}.{f' Did you mean {near[0]}?' if near else ''}\n", file=sys.stderr)
        _list()
        return 2
    return _play(wanted[0])


def _list() -> None:
    print("make drill NAME=…\n")
    for name, drill in DRILLS.items():
        print(f"  {name:<18} {drill.what}")
    print("\nEach takes about a minute, needs no account, and cleans up after itself.")


def _play(name: str) -> int:
    began = time.monotonic()
    home = ROOT / ".demo"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"drill-{name}-", dir=home))
    stage = Stage(folder)
    try:
        with stage:
            print(f"Drill: {DRILLS[name].what}", flush=True)
            DRILLS[name].play(Room.begin(stage))
            print(f"\nPlayed in {time.monotonic() - began:.0f} s. The runbook: docs/operations/{DRILLS[name].runbook}")
    except (StepError, subprocess.TimeoutExpired, httpx.HTTPError, OSError) as error:
        print(f"\nThe drill stopped: {error}\n{stage.last_words()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; both servers have ended.", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
