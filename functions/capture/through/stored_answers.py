"""The few answers that must outlive this process, in the store: written seldom, read only when memory has none.

A store that does not answer costs nobody an answer: keeping and loading are attempts.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.capture.through.last_good import MOST_UNPACKED_BYTES, Kept, unpacked
from hedgerow.errors import HedgerowError
from hedgerow.last_answers import MOST_BODY_BYTES, LastAnswer, answer_id
from hedgerow.logs import log
from hedgerow.ports import Add, Swap

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.app import App

STORE_SECONDS = 2.0
WRITE_EVERY_SECONDS = 60.0
MOST_WRITES_A_MINUTE = 60
"""Of this process: questions can be invented, and each would be a document."""
CONFIRMED_AFTER = timedelta(hours=1)
"""An unchanged answer is written again after that, or the age limit would forget what PostHog still says."""
ABSENT_SECONDS = 15.0
MOST_KNOWN = 5_000
_NOT_STORED = frozenset({b"content-encoding", b"content-length", b"age", b"set-cookie"})


@dataclass(slots=True)
class _Known:
    digest: str = ""
    kept_at: datetime | None = None
    not_before: float = 0.0
    absent_until: float = 0.0


class StoredAnswers:
    """Answers at rest, and what this process knows of them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._minute = 0.0
        self._writes = 0

    async def keep(self, question: str, kept: Kept, connection_id: str) -> None:
        """Write it when it changed or was confirmed long ago, at most once a minute."""
        known = self._knowledge(question)
        if known.not_before > time.monotonic():
            return
        text = unpacked(kept.body, kept.encoding)
        if text is None:
            return
        digest = hashlib.sha256(text).hexdigest()
        if self._stands(known, digest, kept) or not self._may_write():
            return
        known.not_before = time.monotonic() + WRITE_EVERY_SECONDS
        packed = gzip.compress(text, 5, mtime=0)
        if len(packed) > MOST_BODY_BYTES:
            return
        answer = LastAnswer(
            id=answer_id(question),
            connection_id=connection_id,
            question=question,
            kept_at=kept.kept_at,
            headers={
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in kept.headers
                if name.lower() not in _NOT_STORED
            },
            vary=kept.vary,
            body=packed,
            digest=digest,
        )
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._write(answer, known)
        except (HedgerowError, TimeoutError) as error:
            log().warning("capture.answer_not_stored", detail=str(error))

    async def load(self, question: str) -> Kept | None:
        """What a process before this one kept, or None."""
        known = self._knowledge(question)
        if known.absent_until > time.monotonic():
            return None
        known.absent_until = time.monotonic() + ABSENT_SECONDS
        try:
            async with asyncio.timeout(STORE_SECONDS):
                found = await self._app.store.get(LastAnswer, answer_id(question))
        except (HedgerowError, TimeoutError):
            return None
        text = unpacked(found.body, b"gzip") if found is not None and found.question == question else None
        if found is None or text is None or len(text) > MOST_UNPACKED_BYTES:
            return None
        known.digest, known.kept_at = found.digest, found.kept_at
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in found.headers.items()]
        return Kept(headers, text, found.kept_at, found.kept_at, found.vary)

    async def _write(self, answer: LastAnswer, known: _Known) -> None:
        stands = await self._app.store.get(LastAnswer, answer.id)
        if stands is None:
            await self._app.store.commit(Add(answer))
        elif stands.digest != answer.digest or answer.kept_at - stands.kept_at > self._confirmed_after:
            await self._app.store.commit(Swap(answer.model_copy(update={"version": stands.version})))
        else:
            # Another process of ours has written it meanwhile.
            answer = stands
        known.digest, known.kept_at = answer.digest, answer.kept_at

    def _stands(self, known: _Known, digest: str, kept: Kept) -> bool:
        return (
            known.digest == digest
            and known.kept_at is not None
            and kept.kept_at - known.kept_at <= self._confirmed_after
        )

    @property
    def _confirmed_after(self) -> timedelta:
        return min(CONFIRMED_AFTER, timedelta(seconds=self._app.settings.fallback_seconds / 4))

    def _may_write(self) -> bool:
        now = time.monotonic()
        if now - self._minute > 60:
            self._minute, self._writes = now, 0
        self._writes += 1
        return self._writes <= MOST_WRITES_A_MINUTE

    def _knowledge(self, question: str) -> _Known:
        known = self._known.get(question)
        if known is None:
            known = self._known[question] = _Known()
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(question)
        return known
