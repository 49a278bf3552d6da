"""Hands a frozen batch to PostHog's capture, and says in one word what became of it.

Used by the first forward and by every later one. Never raises for PostHog's fault: an
answer, or none, is an `Outcome`. Sources: posthog-api.md sections 2.3 to 2.7.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hedgerow.errors import OutboundError
from hedgerow.foreign import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp


USER_AGENT = "hedgerow/0.1"
PATHS: dict[str, str] = {
    "events": "/batch/",
    "merges": "/batch/",
    "ai": "/i/v0/ai/batch/",
    "recordings": "/s/",
}
V1_PATH = "/i/v1/analytics/events"
MOST_ANSWER_BYTES = 4 * 1024 * 1024
LARGE_BYTES = 512 * 1024
LONGEST_RETRY_AFTER = 60.0

Kind = Literal["delivered", "refused", "too_large", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt.

    `refused` and `too_large` are PostHog's own word on this batch: sending it again changes
    nothing, a part of it may pass. `failed` is everything that may be otherwise next time.
    """

    kind: Kind
    code: str
    detail: str = ""
    status: int | None = None
    body: bytes = b""
    content_type: str = ""
    retry_after: float | None = None
    """Seconds; None when PostHog said nothing, at most a minute otherwise."""


async def send(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
) -> Outcome:
    """POST a body within a budget of seconds, from the first byte to the last of the answer."""
    import aiohttp

    # aiohttp writes a large body in pieces when it is a file, and warns when it is not.
    data = io.BytesIO(body) if len(body) > LARGE_BYTES else body
    try:
        async with asyncio.timeout(seconds):
            async with session.post(url, data=data, headers=headers, allow_redirects=False) as answer:
                return judge(answer.status, answer.headers, await _beginning(answer.content))
    except TimeoutError:
        return Outcome("failed", "posthog_slow", f"PostHog did not answer within {seconds:g} s.")
    except aiohttp.ClientConnectorError:
        return Outcome("failed", "posthog_unreachable", "PostHog could not be reached.")
    except (aiohttp.ClientError, OSError) as error:
        return Outcome("failed", "posthog_broke_off", f"The connection to PostHog broke ({type(error).__name__}).")
    except OutboundError as error:
        return Outcome("failed", error.code, error.detail)


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """The body as far as it is looked at."""
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_ANSWER_BYTES:
            break
    return b"".join(parts)


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """An answer of capture as an outcome. Only what PostHog's edge itself says is its word; a gateway's is not."""
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_html = content_type == "text/html" or body.lstrip()[:1] == b"<"
    said = printable(body[:300].decode("utf-8", "replace"))
    if 200 <= status < 300 and not is_html:
        return Outcome("delivered", "delivered", "", status, body, content_type)
    if status == 413:
        return Outcome(
            "too_large", "posthog_too_large", said or "PostHog says it is too large.", status, body, content_type
        )
    if status in {400, 422} and not is_html:
        return Outcome("refused", "posthog_refused", said or f"PostHog answered {status}.", status, body, content_type)
    what = "an HTML page" if is_html else (said or "nothing else")
    code = "posthog_busy" if status == 429 else "posthog_failed" if status >= 500 else "posthog_unexpected"
    return Outcome(
        "failed", code, f"PostHog answered {status}: {what}", status, body, content_type, _retry_after(headers)
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "").strip()
    return min(float(text), LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() else None
