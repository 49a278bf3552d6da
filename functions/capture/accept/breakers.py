"""One breaker for each upstream: a dead PostHog costs a probe now and then, not every request its budget."""

from __future__ import annotations

from dataclasses import dataclass

OPENS_AFTER = 5
"""Failures in a row."""
PROBE_SECONDS = 2.0
"""How long one probe has the floor; it is also the longest that a returned PostHog goes unnoticed."""
MOST = 10_000


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    next_probe: float = 0.0


class Breakers:
    """Breakers by origin. Times are seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._breakers: dict[str, _Breaker] = {}

    def is_open(self, origin: str, now: float) -> bool:
        """Whether nobody may ask this upstream just now; takes no probe."""
        breaker = self._breakers.get(origin)
        return breaker is not None and breaker.failures >= OPENS_AFTER and now < breaker.next_probe

    def may_try(self, origin: str, now: float) -> bool:
        """Whether to ask this upstream now. While it is open, one request in two seconds may: the probe."""
        breaker = self._breakers.get(origin)
        if breaker is None or breaker.failures < OPENS_AFTER:
            return True
        if now < breaker.next_probe:
            return False
        breaker.next_probe = now + PROBE_SECONDS
        return True

    def succeeded(self, origin: str) -> None:
        """It answered as PostHog does: closed."""
        if self._breakers:
            self._breakers.pop(origin, None)

    def failed(self, origin: str, now: float) -> None:
        """It did not."""
        if len(self._breakers) >= MOST and origin not in self._breakers:
            self._breakers.clear()
        breaker = self._breakers.setdefault(origin, _Breaker())
        breaker.failures += 1
        if breaker.failures == OPENS_AFTER:
            breaker.next_probe = now + PROBE_SECONDS
