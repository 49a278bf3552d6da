"""Faults on command: what the local PostHog does wrong, where, and how often.

Some stand in front of every answer (slow, status, reset, half, wrong type); some falsify query
answers silently (truncate, clamp, double), so that a reader's own checks can be tried.
"""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

FaultKind = Literal[
    "slow",
    "status",
    "reset",
    "reset_after",
    "half",
    "wrong_type",
    "cloudflare",
    "truncate",
    "clamp",
    "double_events",
    "double_rows",
]
QUERY_FAULTS = frozenset(["truncate", "clamp", "double_events", "double_rows"])


class Fault(BaseModel):
    """One fault. `count` requests meet it, or all until it is cleared; `path` is a prefix.

    `seconds` is for slow; `status`, `body` and `headers` for status; `rows` for truncate (rows
    dropped from the end) and clamp (rows kept).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    path: str = "/"
    method: str | None = None
    count: int | None = None
    seconds: float = 0.0
    status: int = 500
    body: JsonValue = None
    headers: dict[str, str] = {}
    rows: int = 1


@dataclass(slots=True)
class Faults:
    """The faults in force, in the order they were set; the first that fits is met."""

    is_off: bool = False
    _in_force: list[tuple[Fault, int | None]] = field(default_factory=list)

    def set(self, fault: Fault) -> None:
        self._in_force.append((fault, fault.count))

    def clear(self) -> None:
        self._in_force.clear()
        self.is_off = False

    def meet(self, method: str, path: str) -> Fault | None:
        """The fault an answer to this request meets, counted down."""
        return self._take(method, path, of_queries=False)

    def meet_in_query(self, path: str) -> Fault | None:
        """The fault that falsifies this query's answer, counted down."""
        return self._take("POST", path, of_queries=True)

    def _take(self, method: str, path: str, *, of_queries: bool) -> Fault | None:
        for index, (fault, left) in enumerate(self._in_force):
            if (fault.kind in QUERY_FAULTS) is not of_queries:
                continue
            if not path.startswith(fault.path) or fault.method not in (None, method):
                continue
            if left is not None:
                if left <= 1:
                    del self._in_force[index]
                else:
                    self._in_force[index] = fault, left - 1
            return fault
        return None
