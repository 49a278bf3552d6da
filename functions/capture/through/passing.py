"""Everything on the SDKs' host that is not ingestion: through to PostHog, or from the last good answer while it is away.

This cannot be used to reach anything but PostHog. The host is never the request's to choose: it
is the ingestion host of the connection whose token the request names or, for scripts and
pictures without a token, one that this installation knows already. The path is only ever
appended to it, and redirects are not followed. Without a known token everything else is nobody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.through.asking import Asked, Passed, kind_of, question_of, token_of
from functions.capture.through.freshness import fits, is_same
from functions.capture.through.inquiring import Inquirer, Inquiry
from functions.capture.through.last_good import Kept, LastGood, age_of, unpacked
from functions.capture.through.passed_headers import returned
from functions.capture.through.stored_answers import StoredAnswers
from functions.capture.through.upstreams import Upstreams

if TYPE_CHECKING:
    from hedgerow.app import App

__all__ = ["Asked", "Passed", "Passing", "token_of"]

FLAG_BYTES, FLAG_ANSWERS = 32 * 1024 * 1024, 16_000
OTHER_BYTES, OTHER_ANSWERS = 32 * 1024 * 1024, 4_000
"""Room of their own: flags come by the person, and would push out what every page needs."""
RETRY_AFTER = b"5"
_OF_THE_BODY = frozenset({b"content-type", b"content-encoding", b"content-length"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
LAST_GOOD = (b"hedgerow-answer", b"last-good")


class Passing:
    """The way through, with what this process remembers of it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._upstreams = Upstreams(app)
        self._stored = StoredAnswers(app)
        self._flags = LastGood(FLAG_BYTES, FLAG_ANSWERS)
        self._others = LastGood(OTHER_BYTES, OTHER_ANSWERS)
        self._flag_inquirer = Inquirer(app, self._flags, self._stored)
        self._inquirer = Inquirer(app, self._others, self._stored)

    async def answer(self, asked: Asked, project_origin: str | None, connection_id: str = "") -> Passed | None:
        """PostHog's answer, or its last good one. None where no known project is named and one is needed: 401.

        `project_origin` is the ingestion origin of the token's project; None when the request
        names no token we know. `connection_id` lets what is kept at rest be purged with its connection.
        """
        if not asked.path.startswith("/") or {".", ".."} & set(asked.path.split("/")):
            return _said(400, b"bad path")
        upstream = await self._upstreams.of(asked, project_origin)
        if upstream is None:
            return None
        kind = kind_of(asked)
        if kind == "other":
            return await self._through(Inquiry(asked, kind, upstream))
        inquiry = Inquiry(asked, kind, upstream, question_of(asked, kind, upstream), connection_id)
        kept = self._found(inquiry)
        if kept is not None and kept.fresh_until > self._app.now() and kept.readable_by(asked):
            return self._from(kept, asked)
        return await self._current(inquiry, kept)

    async def _current(self, inquiry: Inquiry, kept: Kept | None) -> Passed:
        """What PostHog says now, else what it said last."""
        inquirer = self._flag_inquirer if inquiry.kind == "flags" else self._inquirer
        outcome = await inquirer.ask(inquiry, kept)
        if outcome.kept is not None:
            return self._from(outcome.kept, inquiry.asked)
        if outcome.fetched is None:
            return await self._last_good(inquiry, kept, outcome.retry_after)
        status, body = outcome.fetched.status, outcome.fetched.body
        length = len(body) if isinstance(body, bytes) and status not in {204, 304} else None
        return Passed(status, returned(outcome.fetched.headers, length=length), body)

    async def _through(self, inquiry: Inquiry) -> Passed:
        """What is never kept, as it comes. SDKs lose what they post when they are redirected, so none is."""
        fetched = await self._inquirer.stream(inquiry)
        if fetched is None:
            return _away(b"")
        if fetched.status in _REDIRECTS and inquiry.asked.method not in {"GET", "HEAD"}:
            fetched.discard()
            return _away(b"")
        return Passed(fetched.status, returned(fetched.headers, length=None), fetched.body)

    async def _last_good(self, inquiry: Inquiry, kept: Kept | None, retry_after: bytes) -> Passed:
        """The last good answer with its age, if it is not too old; else the truth."""
        oldest = self._app.settings.fallback_seconds
        if kept is None and oldest and inquiry.is_stored and inquiry.question is not None:
            kept = await self._stored.load(inquiry.question)
            if kept is not None:
                self._others.keep(inquiry.question, kept)
        if not oldest or kept is None or not fits(kept.vary, inquiry.asked):
            return _away(retry_after)
        age = age_of(kept, self._app.now())
        if age > oldest:
            return _away(retry_after)
        return self._from(kept, inquiry.asked, (LAST_GOOD, (b"hedgerow-answer-age", str(age).encode())))

    def _found(self, inquiry: Inquiry) -> Kept | None:
        memory = self._flags if inquiry.kind == "flags" else self._others
        kept = memory.find(inquiry.question) if inquiry.question is not None else None
        return kept if kept is not None and fits(kept.vary, inquiry.asked) else None

    def _from(self, kept: Kept, asked: Asked, more: tuple[tuple[bytes, bytes], ...] = ()) -> Passed:
        """An answer that is held, for this client: 304 where it has it already, unpacked where it cannot unpack."""
        headers, body = kept.headers, kept.body
        if not kept.readable_by(asked):
            text = unpacked(body, kept.encoding)
            if text is None:
                return _away(b"")
            headers = [pair for pair in headers if pair[0].lower() != b"content-encoding"]
            body = text
        if age := age_of(kept, self._app.now()):
            more = (*more, (b"age", str(age).encode()))
        if is_same(kept.etag, asked.header(b"if-none-match")):
            headers = [pair for pair in headers if pair[0].lower() not in _OF_THE_BODY]
            return Passed(304, [*returned(headers, length=None), *more], b"")
        return Passed(200, [*returned(headers, length=len(body)), *more], body)


def _away(retry_after: bytes) -> Passed:
    """No answer, in the plain text of PostHog's own refusals; 503, because SDKs repeat a 502 at once."""
    wait = retry_after.strip()
    return _said(
        503,
        b"service unavailable, please retry",
        (b"retry-after", wait if wait.isdigit() and len(wait) < 5 else RETRY_AFTER),
    )


def _said(status: int, text: bytes, *more: tuple[bytes, bytes]) -> Passed:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode()), *more]
    return Passed(status, headers, text)
