"""How the operator's commands run: in this process, on the installation that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hedgerow.cli.stops import FAILED, REFUSED, UNREACHABLE, Stop

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.errors import HedgerowError

T = TypeVar("T")

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The folder of an embedded installation; HEDGEROW_DATA when left out."),
]


def run(data: Path | None, work: Callable[[App], Awaitable[T]], *, may_be_new: bool = False) -> T:
    """Do the work on the installation; an error of ours becomes the stop that says it."""
    from hedgerow.cli.operations.installation import opened, read_settings
    from hedgerow.errors import HedgerowError

    async def whole() -> T:
        async with opened(read_settings(data), may_be_new=may_be_new) as app:
            return await work(app)

    try:
        return asyncio.run(whole())
    except HedgerowError as error:
        raise stop_of(error) from error


def stop_of(error: HedgerowError) -> Stop:
    """The stop an error of ours leads to."""
    from hedgerow.errors import RefusedError, TransientError

    code = FAILED
    if isinstance(error, TransientError):
        code = UNREACHABLE
    elif isinstance(error, RefusedError):
        code = REFUSED
    return Stop(code, error.detail, code=error.code, hint=error.hint)
