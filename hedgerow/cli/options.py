"""Options and arguments that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

ConnectionArgument = Annotated[
    str | None, typer.Argument(metavar="CON", help="The connection's id; may be left out when there is only one.")
]
ThatConnectionArgument = Annotated[str, typer.Argument(metavar="CON", help="The connection's id, con_….")]
ConnectionOption = Annotated[
    str | None,
    typer.Option("--connection", metavar="CON", help="The connection's id; may be left out when there is only one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's JSON as it is.")]
JsonAtOnceOption = Annotated[
    bool, typer.Option("--json", help="Print the API's JSON as it is, without waiting for the run.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD, in the project's zone.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, included.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
