"""Asks before something that cannot be taken back; silence is never taken for a yes."""

from __future__ import annotations

import sys

import typer

from hedgerow.cli.stops import FAILED, USAGE, Stop


def confirm(question: str) -> None:
    """Ask on standard error, so that JSON on standard output stays JSON; anything but a yes is a stop."""
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort as abort:
        sys.stderr.write("\n")
        raise Stop(
            USAGE, "The question was not answered; nothing was done.", hint="Say --yes to go on without it."
        ) from abort
    if not agreed:
        raise Stop(FAILED, "Nothing was done.")


def somebody_is_there() -> bool:
    """Is standard input a terminal?"""
    return sys.stdin.isatty()
