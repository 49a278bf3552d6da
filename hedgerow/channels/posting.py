"""One request to a channel's service, its answer in bounds, and the errors every kind's refusals become.

No error ever holds an address or a service's own words beyond its error code: an address
lets anybody post, and a page may repeat it.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from hedgerow.errors import OutboundError
from hedgerow.outbound import AnswerTooLargeError, read_capped

if TYPE_CHECKING:
    import httpx

    from hedgerow.app import App

MOST_BYTES = 65_536
LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: at most `MOST_BYTES` of body, `retry_after` in seconds."""

    status: int
    body: bytes
    retry_after: float | None = None

    @property
    def text(self) -> str:
        """The body as text, without the space around it."""
        return self.body.decode(errors="replace").strip()

    def members(self) -> dict[str, object]:
        """The body's JSON object, empty when it is none."""
        try:
            told = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}


async def post(
    app: App,
    name: str,
    url: httpx.URL | str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Answer:
    """Send JSON once. `name` is the service's, for errors. `OutboundError` when no answer came."""
    import httpx

    # At INFO httpx writes every address it calls into the log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sent = {"content-type": "application/json; charset=utf-8", "user-agent": "Hedgerow", **(headers or {})}
    try:
        async with app.http.stream(method, url, content=body, headers=sent) as response:
            return Answer(
                response.status_code, await _read(response), waiting(response.headers.get("retry-after", ""), app.now())
            )
    except httpx.HTTPError as error:
        raise unreachable(f"{name} could not be reached: {_why(error)}.") from None
    except (httpx.InvalidURL, UnicodeError):
        raise refused(f"The address of this {name} channel cannot be read.") from None


async def _read(response: httpx.Response) -> bytes:
    try:
        return await read_capped(response, MOST_BYTES)
    except AnswerTooLargeError:
        # No service answers so much: whoever did is judged by the status, and by a body that says nothing of the kind.
        return b"too large"


def _why(error: httpx.HTTPError) -> str:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"


def waiting(header: str, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header, in seconds or as a date; None when it says nothing usable."""
    try:
        return bounded(float(header))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return bounded((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def bounded(seconds: float) -> float | None:
    """A wait between nothing and a day; None for what is no number."""
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


def refusal(
    name: str, answer: Answer, word: str = "", gone_at: frozenset[int] = frozenset({404, 410})
) -> OutboundError:
    """The error for an answer that is no success. `word` is the service's own error code; it must hold nothing else."""
    detail = f"{name} answered {answer.status}{f': {word}' if word else ''}."
    status = answer.status
    if status in gone_at:
        return gone(detail, status)
    if status == 429:
        return busy(detail, answer.retry_after, status)
    if status >= 500 or status in {408, 425}:
        return unreachable(detail, status, answer.retry_after)
    if 300 <= status < 400:
        return refused(f"{name} answered {status}, a redirect, which is not followed.", status)
    if status < 300:
        return unreachable(f"{name} answered {status}, but not as it does when a message has arrived.", status)
    return refused(detail, status)


def gone(detail: str, status: int | None = None) -> OutboundError:
    """Nothing will ever arrive there again."""
    hint = "Make a new webhook or token and give it: `hedgerow channels change`, or PATCH with `url`. That switches it on again."
    return OutboundError(detail, code="channel_gone", hint=hint, status=status)


def refused(detail: str, status: int | None = None) -> OutboundError:
    """This message will never be taken; another may."""
    hint = "Send a test to this channel; if it is refused too, check the address."
    return OutboundError(detail, code="channel_refused", hint=hint, status=status)


def busy(detail: str, retry_after: float | None, status: int | None = None) -> OutboundError:
    """Too many messages; wait `retry_after` seconds."""
    hint = "Nothing to do: it is sent again. Rules that often fire together can be grouped."
    return OutboundError(detail, code="channel_busy", hint=hint, transient=True, status=status, retry_after=retry_after)


def unreachable(detail: str, status: int | None = None, retry_after: float | None = None) -> OutboundError:
    """The service is down, too slow, or something else answered in its place."""
    hint = "Nothing to do: it is sent again."
    return OutboundError(
        detail, code="channel_unreachable", hint=hint, transient=True, status=status, retry_after=retry_after
    )
