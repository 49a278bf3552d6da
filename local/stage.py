"""The processes of the demo: two servers with their logs, and the product's own commands, shown and checked.

Whatever happens, the servers end with the demo, unless they were told to stay.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from local.environment import with_variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

SCRIPT = Path(sys.executable).parent / "hedgerow"
COMMAND = (str(SCRIPT),) if SCRIPT.exists() else (sys.executable, "-m", "hedgerow.cli")
STEP_SECONDS = 120
LAST_LOG_LINES = 15
LINE_CHARACTERS = 900


class StepError(Exception):
    """A step did not do what the demo promised; the message says which."""


@dataclass
class Running:
    """One server and the file its log goes to."""

    name: str
    process: subprocess.Popen[str]
    log: Path


@dataclass
class Stage:
    """Starts servers, runs commands with `variables` set, and clears up."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    stays: bool = False
    servers: list[Running] = field(default_factory=list)

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.stays and kind is None:
            return
        for server in self.servers:
            server.process.terminate()
        for server in self.servers:
            try:
                server.process.wait(timeout=6)
            except subprocess.TimeoutExpired:
                server.process.kill()

    def serve(self, *arguments: str) -> IO[str]:
        """Start a server of the product in the background; the answer is its standard output."""
        log = self.folder / f"{arguments[0]}.log"
        # An interrupt between the start and the note of it would leave a server nobody ends.
        with log.open("w", encoding="utf-8") as errors, _interrupts_wait():
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                env=with_variables(**self.variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # A Ctrl-C is for the demo, which then ends its servers in order.
                start_new_session=True,
            )
            self.servers.append(Running(arguments[0], process, log))
        if process.stdout is None:
            raise StepError(f"hedgerow {arguments[0]} has no output")
        return process.stdout

    def run(self, *arguments: str, exits: int | None = 0) -> None:
        """Show a command, run it, and check its exit code (None: any will do); it prints for itself."""
        self._show(arguments)
        done = subprocess.run(
            [*COMMAND, *arguments], env=self._variables(), stdin=subprocess.DEVNULL, timeout=STEP_SECONDS, check=False
        )
        self._check(arguments, done.returncode, exits)

    def read(self, *arguments: str, shown: bool = True, exits: int | None = 0) -> str:
        """Run a command for its output; only the command itself is shown."""
        if shown:
            self._show(arguments)
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        self._check(arguments, done.returncode, exits)
        return done.stdout

    def last_words(self) -> str:
        """The ends of the servers' logs."""
        texts = []
        for server in self.servers:
            lines = server.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LOG_LINES:]
            texts.append(f"── the log of hedgerow {server.name} ends with\n" + "\n".join(map(_ends_of, lines)))
        return "\n".join(texts)

    def _variables(self) -> dict[str, str]:
        return with_variables(**self.variables)

    def _show(self, arguments: tuple[str, ...]) -> None:
        print(f"\n$ hedgerow {shlex.join(arguments)}", flush=True)

    def _check(self, arguments: tuple[str, ...], code: int, wanted: int | None) -> None:
        if wanted is not None and code != wanted:
            raise StepError(f"`hedgerow {shlex.join(arguments)}` ended with exit code {code} instead of {wanted}.")


def _ends_of(line: str) -> str:
    """A traceback is one long line of JSON; its end is what tells."""
    return (
        line
        if len(line) <= LINE_CHARACTERS
        else f"{line[: LINE_CHARACTERS // 3]} … {line[-LINE_CHARACTERS * 2 // 3 :]}"
    )


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Within the block SIGINT and SIGTERM are only noted; they take effect at its end."""
    noted: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: noted.append(number)) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if noted:
        raise KeyboardInterrupt


def _interrupt(_: int, __: object) -> None:
    raise KeyboardInterrupt
