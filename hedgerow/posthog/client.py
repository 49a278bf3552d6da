"""PostHog's private API as Hedgerow calls it: one host, one personal API key, every call counted and capped.

Owns the sending and the naming of what went wrong; refuses redirects, answers over the
size cap, and anything that is not the shape asked for. Retries nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from hedgerow import __version__
from hedgerow.addresses import AddressRefusedError
from hedgerow.outbound import AnswerTooLargeError, read_capped
from hedgerow.posthog.answers import Answer, KeySelf, Me, Project, ProjectPage, answer_of, decoded, malformed, seen
from hedgerow.posthog.errors import PostHogError
from hedgerow.posthog.refusals import refusal

if TYPE_CHECKING:
    import httpx

# PostHog and the firewalls before it refuse calls without a descriptive one.
USER_AGENT = f"Hedgerow/{__version__} (PostHog integration)"
# Decoded, an answer of many small lists takes some thirty times this in memory.
ANSWER_BYTES = 256 * 1024
QUERY_ANSWER_BYTES = 16 * 1024 * 1024
# Above this an answer is decoded beside the event loop.
DECODED_AT_ONCE = 1024 * 1024
MOST_PAGES = 20
BROKEN_OFF = "Try again. If it stays, something between Hedgerow and PostHog, or PostHog itself, closes connections before it has answered."


class PostHog:
    """One project's home, seen with one key. `requests` counts what was sent."""

    def __init__(self, http: httpx.AsyncClient, host: str, key: SecretStr, *, seconds: float) -> None:
        self.http = http
        self.host = host
        self.key = key
        self.seconds = seconds
        self.requests = 0

    async def query(self, project_id: str, hogql: str, values: Mapping[str, object], *, name: str) -> Answer:
        """The rows of a HogQL query, computed now. `values` replace `{placeholders}` as constants."""
        asked = {
            "query": {
                "kind": "HogQLQuery",
                "query": hogql,
                "values": dict(values),
                # Days are cut by zones the query names itself.
                "modifiers": {"convertToProjectTimezone": False},
            },
            "refresh": "force_blocking",
            "name": name,
        }
        path = f"/api/projects/{project_id}/query/"
        body = await self.call("POST", path, asked=asked, limit=QUERY_ANSWER_BYTES)
        return await asyncio.to_thread(answer_of, body) if len(body) > DECODED_AT_ONCE else answer_of(body)

    async def active_flags(self, project_id: str) -> int:
        """How many feature flags are active. PostHog bills a listing: ask rarely."""
        path = f"/api/projects/{project_id}/feature_flags/"
        page = decoded(await self.call("GET", path, params={"active": "true", "limit": "1"}))
        if (
            isinstance(page.get("results"), list)
            and isinstance(count := page.get("count"), int)
            and not isinstance(count, bool)
            and count >= 0
        ):
            return count
        return await self._counted(path, {"active": "true", "limit": "100"})

    async def feature_flags(self, project_id: str) -> None:
        """Raises unless the key may list feature flags. One request, however many there are."""
        page = decoded(
            await self.call(
                "GET", f"/api/projects/{project_id}/feature_flags/", params={"active": "true", "limit": "1"}
            )
        )
        if not isinstance(page.get("results"), list):
            raise malformed("`results` is not a list")

    async def project(self, project_id: str) -> Project:
        """A project by id, or `@current`: the one its owner last looked at in PostHog."""
        return seen(Project, await self.call("GET", f"/api/projects/{project_id}/"))

    async def projects(self) -> tuple[Project, ...]:
        """The projects in sight, the first hundred of them."""
        return seen(ProjectPage, await self.call("GET", "/api/projects/", params={"limit": "100"})).results

    async def me(self) -> Me:
        """The key's owner."""
        return seen(Me, await self.call("GET", "/api/users/@me/"))

    async def key_self(self) -> KeySelf:
        """What the key itself may do. A 403 here says nothing about its other scopes."""
        return seen(KeySelf, await self.call("GET", "/api/personal_api_keys/@current/"))

    async def event_definitions(self, project_id: str) -> None:
        """Raises unless the key may list event definitions."""
        decoded(await self.call("GET", f"/api/projects/{project_id}/event_definitions/", params={"limit": "1"}))

    async def _counted(self, path: str, params: dict[str, str]) -> int:
        """Entries counted page by page: `next` gives the query only, our host and path stay."""
        total = 0
        for _ in range(MOST_PAGES):
            page = decoded(await self.call("GET", path, params=params))
            entries, following = page.get("results"), page.get("next")
            if not isinstance(entries, list):
                raise malformed("`results` is not a list")
            total += len(entries)
            if not isinstance(following, str):
                return total
            params = dict(parse_qsl(urlsplit(following).query))
        raise malformed("its pages do not end")

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        asked: object = None,
        limit: int = ANSWER_BYTES,
    ) -> bytes:
        """The body of a 2xx answer, at most `limit` bytes unpacked; everything else is a `PostHogError`."""
        # Here, because ticks share their file with the sync and start sooner without it.
        import httpx

        self.requests += 1
        request = self.http.build_request(
            method,
            self.host + path,
            params=params,
            json=asked,
            headers={
                "Authorization": f"Bearer {self.key.get_secret_value()}",
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            timeout=httpx.Timeout(self.seconds, connect=min(10.0, self.seconds)),
        )
        status, headers, body = await send(self.http, request, self.seconds, limit)
        if 200 <= status < 300:
            return body
        raise refusal(status, headers, body.replace(self.key.get_secret_value().encode(), "…".encode()))


async def send(
    http: httpx.AsyncClient, request: httpx.Request, seconds: float, limit: int = ANSWER_BYTES
) -> tuple[int, httpx.Headers, bytes]:
    """Send within `seconds`, read at most `limit` bytes; failures of the way are told apart as `PostHogError`."""
    import httpx

    host = f"{request.url.host}:{request.url.port}" if request.url.port else request.url.host
    try:
        async with asyncio.timeout(seconds):
            response = await http.send(request, stream=True, follow_redirects=False)
            try:
                return response.status_code, response.headers, await read_capped(response, limit)
            finally:
                await response.aclose()
    except AddressRefusedError as error:
        raise PostHogError(error.detail, code="address_refused", hint=error.hint) from None
    except AnswerTooLargeError as error:
        raise PostHogError(error.detail, code="malformed_answer", hint=error.hint) from None
    except (TimeoutError, httpx.TimeoutException):
        raise PostHogError(f"{host} did not answer within {seconds:g} seconds.", code="timed_out") from None
    except httpx.ReadError:
        raise PostHogError(f"The connection to {host} broke off.", code="malformed_answer", hint=BROKEN_OFF) from None
    except (httpx.DecodingError, httpx.RemoteProtocolError):
        raise PostHogError(f"What {host} answered is no whole HTTP answer.", code="malformed_answer") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreached(host, error) from None


def _unreached(host: str, error: Exception) -> PostHogError:
    cause: BaseException | None = error
    refused: ssl.SSLError | None = None
    while cause is not None:
        # aiohttp's own error counts as one of ssl's; the real one, which says why, is the last.
        refused = cause if isinstance(cause, ssl.SSLError) else refused
        cause = cause.__cause__
    if refused is None:
        return PostHogError(f"{host} cannot be reached.", code="unreachable")
    why = getattr(refused, "verify_message", "") or "the TLS handshake failed"
    return PostHogError(f"The certificate of {host} is not valid: {why}.", code="certificate_invalid")
