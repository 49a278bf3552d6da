"""`hedgerow dev` and `hedgerow posthog`: the two servers of the laptop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.cli.stops import FAILED, USAGE, Stop

# Wide enough for any test, and as far from the calendar's ends as schedules and zones reach.
CLOCK_YEARS = range(1971, 9000)

PortOption = Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="0 takes a free one.")]
DataOption = Annotated[
    Path, typer.Option(metavar="DIR", help="Where everything is kept; a server started again on it goes on.")
]
NowOption = Annotated[
    str | None, typer.Option(metavar="INSTANT", help="Where the clock starts, ISO 8601; it runs on from there.")
]


def dev(
    port: PortOption = 8080,
    data: DataOption = Path(".hedgerow"),
    now: NowOption = None,
    emulators: Annotated[
        bool,
        typer.Option("--emulators", help="State in Firestore's emulator, work on Pub/Sub's, by their usual variables."),
    ] = False,
) -> None:
    """Every function on one port of this machine.

    With ticks and messages; prints `ready URL` when it is.
    """
    starts_at = _instant(now)
    from local.dev_settings import CannotStartError, Options
    from local.server import serve

    try:
        serve(Options(port=port, data=data, now=starts_at, emulators=emulators))
    except CannotStartError as error:
        raise Stop(FAILED, str(error)) from error


def posthog(
    port: PortOption = 8010,
    data: DataOption = Path(".posthog"),
    now: NowOption = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="TZ", help="The project's time zone; UTC when it is new.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Events to begin with: JSON lines, plain or .gz.")
    ] = None,
    assets: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Scripts for /static: the dist folder of posthog-js.")
    ] = None,
) -> None:
    """A PostHog for this machine, on ClickHouse.

    Its first line is JSON with its address and keys.
    """
    starts_at = _instant(now)
    if events is not None and not events.is_file():
        raise Stop(USAGE, f"There is no file {events}.")
    if assets is not None and not assets.is_dir():
        raise Stop(USAGE, f"There is no folder {assets}.")
    from local.posthog.server import serve

    try:
        serve(port, data, starts_at, timezone, events, assets)
    except ValueError as error:
        raise Stop(USAGE, str(error)) from error
    except OSError as error:
        raise Stop(
            FAILED, f"The local PostHog cannot start: {error.strerror or error}.", hint="Try another --port or --data."
        ) from error


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Stop(USAGE, f"--now: {text!r} is not an instant.", hint="For example 2026-03-01T09:30:00Z.") from error
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if instant.year not in CLOCK_YEARS:
        raise Stop(
            USAGE, f"--now: {text!r} is no time for a clock.", hint=f"Years {CLOCK_YEARS[0]} to {CLOCK_YEARS[-1]}."
        )
    return instant
