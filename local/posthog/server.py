"""The local PostHog on a port: loads events, says its keys on the first line, serves until SIGTERM."""

import fcntl
import json
import signal
import socket
import sys
from datetime import datetime
from pathlib import Path

from local.posthog import LocalPostHog

# Well under the five seconds that a SIGTERM may take.
SECONDS_TO_FINISH = 2


class FolderHeldError(OSError):
    """Another process has the data folder open."""


def serve(
    port: int,
    data: Path,
    now: datetime | None = None,
    timezone: str | None = None,
    events: Path | None = None,
    assets: Path | None = None,
) -> None:
    """Serve on 127.0.0.1 until told to end; port 0 picks a free one.

    Raises ValueError for an unknown time zone or a line of `events` that is no event, OSError for
    a port that is taken or a folder that another process holds.
    """
    import uvicorn

    listener = _listener(port)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_if_held(data)
    posthog = LocalPostHog(data, now=now, timezone=timezone, assets=assets)
    try:
        if events is not None:
            posthog.load(events)
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        first_line = {
            "host": host,
            "project_id": posthog.project_id,
            "project_token": posthog.project_token,
            "personal_api_key": posthog.personal_api_key,
        }
        config = uvicorn.Config(
            posthog.app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
        )
        sys.stdout.write(json.dumps(first_line) + "\n")
        sys.stdout.flush()
        # uvicorn raises the signal it ended by once more; here the end is a clean one.
        signal.signal(signal.SIGTERM, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        posthog.close()


def _refuse_if_held(data: Path) -> None:
    """ClickHouse locks this file of its folder; asking it first spares its own, wordier refusal."""
    status = data / "status"
    if not status.exists():
        return
    with status.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderHeldError(f"another process holds {data}") from error


def _listener(port: int) -> socket.socket:
    """Listening before the first line is printed, so that whoever reads it can connect at once."""
    # asyncio turns Nagle's delay off only where the protocol is named; with it, every answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2048)
    return listener
