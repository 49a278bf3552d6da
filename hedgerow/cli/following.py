"""Follows a sync run to its end: a progress bar at a terminal, a line a step elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path
from hedgerow.cli.stops import FAILED, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hedgerow.cli.calls import Server, Shown

LOOK_SECONDS = 0.4
# A run that waits for PostHog goes on without anybody watching.
PATIENCE_SECONDS = 45.0
ENDED = frozenset({"succeeded", "failed"})


def follow(server: Server, connection: str, run: Shown) -> Shown:
    """Watch the run until it ended; it is the last thing printed. A failed one is exit code 1."""
    window = screen.harmless(f"{run['from']} to {run['to']}")
    if screen.console().is_terminal:
        run = _under_a_bar(server, connection, run, f"Syncing {window}")
    else:
        screen.say(f"Syncing {window} (run {run['id']}).")
        for seen in _states(server, connection, run):
            run = seen
    if run["state"] == "succeeded":
        screen.say(_summary(run))
        return run
    trouble = run.get("error") or {}
    code, detail = str(trouble.get("code", "")), str(trouble.get("detail", "It has not ended yet."))
    if run["state"] == "failed":
        raise Stop(FAILED, f"The sync failed: {detail}", code=code, hint=str(trouble.get("hint", "")))
    again = f"It goes on by itself{_at_a_tick(run)}."
    raise Stop(
        FAILED, f"The sync is {run['state']}: {detail}", code=code, hint=f"{trouble.get('hint', '')} {again}".strip()
    )


def until(look: Callable[[], Shown], is_done: Callable[[Shown], bool]) -> Shown:
    """Look until it is done or patience ends; the answer is what was seen last."""
    patience = time.monotonic() + PATIENCE_SECONDS
    seen = look()
    while not is_done(seen) and time.monotonic() < patience:
        time.sleep(LOOK_SECONDS)
        seen = look()
    return seen


def _states(server: Server, connection: str, run: Shown) -> Iterator[Shown]:
    """The run, each time it was looked at; ends with the run, or when patience does."""
    patience = time.monotonic() + PATIENCE_SECONDS
    path = f"/v1/connections/{in_path(connection)}/runs"
    seen = run
    said = _wait(seen, before="")
    while seen["state"] not in ENDED and time.monotonic() < patience:
        time.sleep(LOOK_SECONDS)
        now = server.get(f"{path}/{in_path(run['id'])}")
        if run["parts"] > 1:
            parts = server.get(path, limit=2 * run["parts"])["items"]
            now["parts_done"] = sum(_is_part(each, run) and each["state"] in ENDED for each in parts)
        if _progress(now) != _progress(seen):
            patience = time.monotonic() + PATIENCE_SECONDS
        seen = now
        said = _wait(seen, before=said)
        yield seen


def _wait(run: Shown, before: str) -> str:
    """Say what a pending run waits for, unless that was said before; the answer is what was said last."""
    if run["state"] != "pending" or not (run.get("error") or run.get("retry_at")):
        return before
    why = str((run.get("error") or {}).get("detail") or "It waits.").rstrip(".")
    line = f"{why}; tried again{_at_a_tick(run)}."
    if line != before:
        screen.say(line)
    return line


def _at_a_tick(run: Shown) -> str:
    """A run that waits is taken up by a tick, which may be minutes after it may go on."""
    if not run.get("retry_at"):
        return ""
    return f" at the first tick after {screen.instant(run['retry_at'])[-8:]} UTC (ticks come every five minutes)"


def _under_a_bar(server: Server, connection: str, run: Shown, title: str) -> Shown:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen.console()) as progress:
        bar = progress.add_task(title, total=max(run["parts"], 1) if run["parts"] > 1 else None)
        for seen in _states(server, connection, run):
            run = seen
            progress.update(
                bar, completed=run.get("parts_done", 0), description=screen.harmless(f"{title}: {run['state']}")
            )
        if run["state"] == "succeeded":
            progress.update(bar, total=1, completed=1, description=title)
    return run


def _is_part(each: Shown, whole: Shown) -> bool:
    return bool(each["part"] and each["parts"] == whole["parts"] and each["created_at"] == whole["created_at"])


def _progress(run: Shown) -> tuple[object, ...]:
    return (run["state"], run.get("attempts"), run.get("requests"), run.get("rows"), run.get("parts_done"))


def _summary(run: Shown) -> str:
    days = run.get("days_changed") or []
    points = f"{run['points']:,} point{'' if run['points'] == 1 else 's'}"
    asked = f"{run['requests']} request{'' if run['requests'] == 1 else 's'} to PostHog"
    if not run["points"]:
        return f"Nothing had changed ({asked})."
    if not days:
        return f"{points} stored; no complete day moved ({asked})."
    which = f"{len(days)} days, {days[0]} to {days[-1]}" if len(days) > 7 else ", ".join(days)
    return f"{points} stored; complete days that moved: {which} ({asked})."
