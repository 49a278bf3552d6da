"""Asks PostHog one question for everybody who asks it at the same time, judges the answer and remembers a good one.

A breaker for each upstream and kind of question: a dead PostHog costs a page its patience
now and then, not at every request. Says nothing to the client.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from functions.capture.accept.breakers import Breakers
from functions.capture.through.asking import Asked, Headers, Kind, is_plain
from functions.capture.through.fetching import Failure, Fetched, fetch
from functions.capture.through.freshness import fits, is_same, may_be_shared, number, seconds_fresh, varying
from functions.capture.through.last_good import Kept, LastGood
from functions.capture.through.passed_headers import accepts, first, outgoing
from functions.capture.through.soundness import judge

if TYPE_CHECKING:
    from functions.capture.through.stored_answers import StoredAnswers
    from hedgerow.app import App

SECONDS: dict[Kind, float] = {
    "flags": 2.5,
    "definitions": 8.0,
    "config": 5.0,
    "lists": 5.0,
    "payload": 5.0,
    "static": 10.0,
    "other": 30.0,
}
"""How long PostHog has. SDKs wait 3 s for flags and ask again when they heard nothing; 10 s for definitions."""
WHOLE_BYTES = 4 * 1024 * 1024
"""A longer answer streams through and is not kept."""
_FOR_ALL: frozenset[Kind] = frozenset({"config", "lists", "static"})
_STORED: frozenset[Kind] = frozenset({"config", "lists", "definitions"})
_SAFE_PATH = "/!$&'()*+,;=:@-._~"
_SAFE_QUERY = _SAFE_PATH + "?%[]|\\^`{}"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A request with everything that was found out about it. Without a question nothing is remembered."""

    asked: Asked
    kind: Kind
    upstream: str
    question: str | None = None
    connection_id: str = ""

    @property
    def is_for_all(self) -> bool:
        """May others get the answer too, as far as the request goes?"""
        return self.kind in _FOR_ALL and self.question is not None and not self.asked.header(b"authorization")

    @property
    def is_stored(self) -> bool:
        """Does its answer outlive this process?"""
        return self.kind in _STORED and self.question is not None and is_plain(self.asked)

    @property
    def place(self) -> str:
        """What fails together."""
        return f"{self.upstream} {self.kind}"


@dataclass(slots=True)
class Outcome:
    """What became of asking: a good answer, now kept; another answer; or, with neither, none that can be used."""

    kept: Kept | None = None
    fetched: Fetched | None = None
    is_down: bool = False
    retry_after: bytes = b""


class Inquirer:
    """Asks for one process, and remembers in `memory` and `stored`."""

    def __init__(self, app: App, memory: LastGood, stored: StoredAnswers) -> None:
        self._app = app
        self._memory = memory
        self._stored = stored
        self._breakers = Breakers()
        self._under_way: dict[tuple[str, bool], asyncio.Task[Outcome]] = {}

    async def ask(self, inquiry: Inquiry, kept: Kept | None) -> Outcome:
        """PostHog's answer to one of the kept kinds; `kept` is what was remembered of it, and no longer fresh."""
        # Before joining others too: while PostHog is down a probe may take its time, and nobody waits with it.
        if not self._breakers.may_try(inquiry.place, time.monotonic()):
            return Outcome()
        if not inquiry.is_for_all:
            return self._counted(inquiry, await self._inquire(inquiry, kept))
        key = (inquiry.question or "", accepts(inquiry.asked, b"gzip"))
        task = self._under_way.get(key)
        leads = task is None
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._inquire(inquiry, kept))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        outcome = await asyncio.shield(task)
        if not leads and not _is_for(outcome, inquiry.asked):
            outcome = await self._inquire(inquiry, kept)
        return self._counted(inquiry, outcome)

    async def stream(self, inquiry: Inquiry) -> Fetched | None:
        """PostHog's answer to anything else, as it comes; None when there is none."""
        if not self._breakers.may_try(inquiry.place, time.monotonic()):
            return None
        headers = outgoing(inquiry.asked, inquiry.kind, inquiry.upstream, for_all=False)
        fetched = await self._fetch(inquiry, headers, whole=0)
        if isinstance(fetched, Failure):
            self._counted(inquiry, Outcome(is_down=fetched.is_down))
            return None
        if fetched.status < 500:
            self._breakers.succeeded(inquiry.place)
        return fetched

    def _counted(self, inquiry: Inquiry, outcome: Outcome) -> Outcome:
        """Everybody who waited in vain counts, or a herd would find out as slowly as one client."""
        if outcome.is_down:
            self._breakers.failed(inquiry.place, time.monotonic())
        elif outcome.kept is not None or outcome.fetched is not None:
            self._breakers.succeeded(inquiry.place)
        return outcome

    async def _inquire(self, inquiry: Inquiry, kept: Kept | None) -> Outcome:
        headers = outgoing(inquiry.asked, inquiry.kind, inquiry.upstream, for_all=inquiry.is_for_all)
        tag = b""
        if kept is not None and inquiry.is_for_all and kept.readable_by(inquiry.asked):
            tag = kept.etag
        if tag:
            headers.append(("If-None-Match", tag.decode("latin-1")))
        fetched = await self._fetch(inquiry, headers, whole=WHOLE_BYTES)
        if isinstance(fetched, Failure):
            return Outcome(is_down=fetched.is_down)
        if not isinstance(fetched.body, bytes):
            return Outcome(fetched=fetched)
        match judge(inquiry.kind, inquiry.asked.path, fetched.status, fetched.headers, fetched.body):
            case "failed":
                return Outcome(is_down=True, retry_after=first(fetched.headers, b"retry-after"))
            case "busy":
                return Outcome(retry_after=first(fetched.headers, b"retry-after"))
            case "good":
                return Outcome(kept=await self._keep(inquiry, fetched.headers, fetched.body))
        if fetched.status == 304:
            return await self._confirmed(inquiry, kept, fetched, is_ours=bool(tag))
        return Outcome(fetched=fetched)

    async def _fetch(self, inquiry: Inquiry, headers: list[tuple[str, str]], *, whole: int) -> Fetched | Failure:
        asked = inquiry.asked
        url = inquiry.upstream + quote(asked.path, safe=_SAFE_PATH, errors="replace")
        if asked.query:
            url += "?" + quote(asked.query, safe=_SAFE_QUERY)
        return await fetch(
            self._app.outbound.session,
            asked.method,
            url,
            headers,
            asked.body,
            seconds=SECONDS[inquiry.kind],
            whole=whole,
        )

    async def _keep(self, inquiry: Inquiry, headers: Headers, body: bytes) -> Kept:
        now = self._app.now()
        age = timedelta(seconds=min(number(first(headers, b"age")), 365 * 86_400))
        fresh = seconds_fresh(headers) if inquiry.is_for_all else 0.0
        kept = Kept(
            headers=[pair for pair in headers if pair[0].lower() != b"age"],
            body=body,
            kept_at=now - age,
            fresh_until=now + timedelta(seconds=fresh),
            vary=varying(headers, inquiry.asked),
        )
        await self._remember(inquiry, kept)
        return kept

    async def _confirmed(self, inquiry: Inquiry, kept: Kept | None, fetched: Fetched, *, is_ours: bool) -> Outcome:
        """After a 304: what was kept is good as of now. `is_ours`: we asked whether it is, not the client."""
        if kept is None and inquiry.is_stored and inquiry.question is not None:
            kept = await self._stored.load(inquiry.question)
        tag = first(fetched.headers, b"etag") or inquiry.asked.header(b"if-none-match")
        if kept is None or not (is_ours or is_same(kept.etag, tag)):
            return Outcome(fetched=fetched)
        now = self._app.now()
        kept.kept_at = now
        if inquiry.is_for_all:
            said = fetched.headers if first(fetched.headers, b"cache-control") else kept.headers
            kept.fresh_until = now + timedelta(seconds=seconds_fresh(said))
        await self._remember(inquiry, kept)
        return Outcome(kept=kept) if is_ours else Outcome(fetched=fetched)

    async def _remember(self, inquiry: Inquiry, kept: Kept) -> None:
        if inquiry.question is None:
            return
        self._memory.keep(inquiry.question, kept)
        if inquiry.is_stored and self._app.settings.fallback_seconds:
            await self._stored.keep(inquiry.question, kept, inquiry.connection_id)


def _is_for(outcome: Outcome, asked: Asked) -> bool:
    """May this client have what another one's request brought?"""
    if outcome.kept is not None:
        return may_be_shared(outcome.kept.headers) and fits(outcome.kept.vary, asked)
    if outcome.fetched is None:
        return True
    return isinstance(outcome.fetched.body, bytes) and may_be_shared(outcome.fetched.headers)
