"""The only way out of Hedgerow: one aiohttp session whose connector refuses what is not public, and httpx over it.

Owns the lazy opening of both, and the reading of a body under a size cap. Redirects are
never followed here: who follows one sends a new request, through the guard again.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from hedgerow.addresses import Allowed
from hedgerow.errors import OutboundError

if TYPE_CHECKING:
    import aiohttp
    import httpx


class AnswerTooLargeError(OutboundError):
    """The body went over the cap; what had come was thrown away."""

    code = "answer_too_large"
    hint = "Ask for less: fewer days, fewer series."


class GuardedOutbound:
    """Both ways out, opened at their first use, which must be inside the event loop."""

    def __init__(self, allowed_private_hosts: tuple[str, ...]) -> None:
        self.allowed = Allowed.of(allowed_private_hosts)
        self._session: aiohttp.ClientSession | None = None
        self._http: httpx.AsyncClient | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The guarded session. It follows redirects only where a call asks it to, through the guard."""
        if self._session is None:
            from hedgerow.connector import open_session

            self._session = open_session(self.allowed)
        return self._session

    @property
    def http(self) -> httpx.AsyncClient:
        """An httpx client over the session: no redirects, no cookies, nothing from the environment."""
        if self._http is None:
            from hedgerow.transport import open_client

            self._http = open_client(lambda: self.session)
        return self._http

    async def close(self) -> None:
        """Close what was opened; the next use opens anew."""
        http, self._http = self._http, None
        session, self._session = self._session, None
        if http is not None:
            await http.aclose()
        if session is not None:
            await session.close()


async def read_capped(response: httpx.Response, limit: int) -> bytes:
    """The decoded body of a streamed response; `AnswerTooLargeError` when it goes over `limit` bytes.

    Unpacked here and not by httpx, whose decoders unpack a whole chunk, encoding upon
    encoding, before anybody can count. `httpx.DecodingError` for anything but one gzip.
    """
    unpack = _unpacking(response.headers.get("content-encoding", ""))
    chunks: list[bytes] = []
    size = 0
    async for packed in response.aiter_raw():
        # One byte more than is left tells an answer that is too large from one that just fits.
        chunk = packed if unpack is None else _unpacked(unpack, packed, limit - size + 1)
        size += len(chunk)
        if size > limit:
            raise AnswerTooLargeError(f"The answer is over {limit} bytes.")
        chunks.append(chunk)
    if unpack is not None and chunks and not unpack.eof:
        raise _undecodable("the gzip stream has no end")
    return b"".join(chunks)


def _unpacking(encoding: str) -> zlib._Decompress | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
    raise _undecodable("its encoding was not asked for")


def _unpacked(unpack: zlib._Decompress, packed: bytes, most: int) -> bytes:
    try:
        return unpack.decompress(packed, most)
    except zlib.error:
        raise _undecodable("it is not the gzip it says it is") from None


def _undecodable(why: str) -> httpx.DecodingError:
    import httpx

    return httpx.DecodingError(f"The answer cannot be unpacked: {why}.")
