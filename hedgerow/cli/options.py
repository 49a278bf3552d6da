"""Options and arguments that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

ConnectionArgument = Annotated[
    str | None, typer.Argument(metavar="CON", help="The connection's id; may be left out when there is only one.")
]
ThatConnectionArgument = Annotated[str, typer.Argument(metavar="CON", help="The connection's id, con_….")]
ConnectionOption = Annotated[
    str | None,
    typer.Option("--connection", metavar="CON", help="The connection's id; may be left out when there is only one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
JsonAtOnceOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts, without waiting for the run.")]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD, in the project's zone.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, included.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class VerbByDefault(TyperGroup):
    """A group whose bare call, with a connection or without, is its commonest verb."""

    verb: ClassVar[str]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is no verb and no call for help belongs to the default verb."""
        first = args[0] if args else ""
        is_verb = first in self.commands or first in {"-h", "--help"}
        return super().parse_args(ctx, args if is_verb else [self.verb, *args])
