"""Why a command ends early, and the exit code that says so to a script.

0 done · 1 the thing failed · 2 wrong usage · 3 cannot reach the server · 4 refused
"""

from __future__ import annotations

FAILED, USAGE, UNREACHABLE, REFUSED = 1, 2, 3, 4
REFUSING_STATUSES = frozenset({401, 403, 404, 409, 422})


class Stop(Exception):  # noqa: N818 - not every stop is an error
    """End the command with an exit code, after saying what happened and what to do next."""

    def __init__(self, exit_code: int, detail: str = "", *, code: str = "", hint: str = "") -> None:
        super().__init__(detail)
        self.exit_code = exit_code
        self.detail = detail
        self.code = code
        self.hint = hint
        self.problem: dict[str, object] = {}


def refused(status: int, code: str, detail: str, hint: str) -> Stop:
    """The stop that a refusal of the API leads to."""
    return Stop(REFUSED if status in REFUSING_STATUSES else FAILED, detail, code=code, hint=hint)
