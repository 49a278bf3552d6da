"""One request to an upstream, its answer untouched: no unpacking, no redirect, the body whole within a bound or streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from functions.capture.through.asking import Headers
from hedgerow.errors import OutboundError

if TYPE_CHECKING:
    import aiohttp

_NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What aiohttp would add where the SDK sent none."""


@dataclass(slots=True)
class Fetched:
    """An answer. `body` is an iterator where it was longer than asked for whole, or not asked for whole at all."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes]
    response: aiohttp.ClientResponse = field(repr=False)

    def discard(self) -> None:
        """Let go of an answer whose body nobody will read."""
        self.response.close()


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer."""

    why: Literal["slow", "unreachable", "broke_off", "refused"]

    @property
    def is_down(self) -> bool:
        """Is it the upstream that is in trouble, and not this one request?"""
        return self.why != "refused"


async def fetch(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: list[tuple[str, str]],
    body: bytes,
    *,
    seconds: float,
    whole: int,
) -> Fetched | Failure:
    """Ask, within a budget that covers the head and the body up to `whole` bytes; a longer body streams after it."""
    import aiohttp
    from yarl import URL

    response: aiohttp.ClientResponse | None = None
    fetched: Fetched | None = None
    try:
        async with asyncio.timeout(seconds):
            response = await session.request(
                method,
                URL(url, encoded=True),
                data=body or None,
                headers=headers,
                skip_auto_headers=_NOT_OURS,
                allow_redirects=False,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=max(seconds, 60.0)),
            )
            parts, has_ended = await _beginning(response, whole)
        read = b"".join(parts) if has_ended else _rest(response, parts)
        fetched = Fetched(response.status, list(response.raw_headers), read, response)
    except TimeoutError:
        return Failure("slow")
    except aiohttp.ClientConnectorError:
        return Failure("unreachable")
    except (aiohttp.ClientError, OSError):
        return Failure("broke_off")
    except (OutboundError, ValueError):
        return Failure("refused")
    finally:
        if response is not None and fetched is None:
            response.close()
    return fetched


async def _beginning(response: aiohttp.ClientResponse, whole: int) -> tuple[list[bytes], bool]:
    """The first parts of the body, and whether that was all of it."""
    parts: list[bytes] = []
    left = whole - (response.content_length or 0)
    if not whole or left < 0:
        return parts, False
    left = whole
    async for part in response.content.iter_any():
        parts.append(part)
        left -= len(part)
        if left < 0:
            return parts, False
    return parts, True


async def _rest(response: aiohttp.ClientResponse, beginning: list[bytes]) -> AsyncIterator[bytes]:
    import aiohttp

    try:
        for part in beginning:
            yield part
        async for part in response.content.iter_any():
            yield part
    except (aiohttp.ClientError, OSError) as error:
        raise OutboundError("PostHog broke off in the middle of its answer.", code="posthog_broke_off") from error
    finally:
        response.close()
