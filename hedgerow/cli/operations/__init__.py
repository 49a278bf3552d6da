"""The work behind the commands that an operator runs in process: no typer, no printing."""
