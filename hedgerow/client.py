"""A typed client of the five operations, for back ends in Python: one method an operation, PostHog's word back.

    async with Client("https://hedgerow.example.com", "phc_…") as hedgerow:
        answer = await hedgerow.capture.event(distinct_id="u1", event_name="purchase_completed")
        if not answer.ok:
            print(answer.error_message)

What Hedgerow refuses before an operation begins is raised as the errors of `hedgerow.errors`;
so is a Hedgerow that cannot be reached, as `OutboundError`. Retries nothing: an event sent
again is another event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from hedgerow import __version__
from hedgerow.errors import (
    ForbiddenError,
    HedgerowError,
    InvalidError,
    MalformedError,
    MissingError,
    OutboundError,
    OversizedError,
    RefusedError,
    StateConflictError,
    TooManyError,
    TransientError,
    UnauthorizedError,
)

if TYPE_CHECKING:
    import httpx

Operation = Literal["alias", "event", "identity", "page", "screen"]
Value = str | int | float | bool | None
"""What a property of an event, a page or a screen may be."""

SECONDS = 15.0
REFUSALS: dict[int, type[RefusedError]] = {
    error.status: error
    for error in (
        MalformedError,
        UnauthorizedError,
        ForbiddenError,
        MissingError,
        StateConflictError,
        OversizedError,
        InvalidError,
    )
}


@dataclass(frozen=True, slots=True)
class OperationResult:
    """The answer of one operation.

    `status_code`: 200 success, -1 a parameter, 429 wait, 500 anything else; see
    docs/operations-api.md. `original_status_code` is PostHog's own HTTP status, 0 when it was
    not asked or did not answer. `event_id` is the event's uuid, "" where none was made.
    """

    status_code: int
    original_status_code: int
    error_message: str
    data: Mapping[str, object] = field(default_factory=dict)
    event_id: str = ""
    warning: str = ""

    @property
    def ok(self) -> bool:
        """PostHog took the event; in the durable mode, Hedgerow keeps it."""
        return self.status_code == 200


class Capture:
    """The five operations. An option left out is not sent; `durable` is ?mode=durable."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def alias(self, *, distinct_id: str, alias: str, durable: bool = False) -> OperationResult:
        """Merge `alias` into the person of `distinct_id`."""
        return await self._client.perform("alias", {"distinct_id": distinct_id, "alias": alias}, durable=durable)

    async def event(
        self,
        *,
        distinct_id: str,
        event_name: str,
        properties: Mapping[str, Value] | None = None,
        durable: bool = False,
    ) -> OperationResult:
        """Track a custom event. `timestamp` in `properties`, in Unix milliseconds, is the event's own."""
        parameters = {"distinct_id": distinct_id, "event_name": event_name, "properties": properties}
        return await self._client.perform("event", parameters, durable=durable)

    async def identity(
        self,
        *,
        distinct_id: str,
        name: str | None = None,
        email: str | None = None,
        plan: str | None = None,
        signup_date: str | None = None,
        referral_source: str | None = None,
        properties_set: Mapping[str, object] | None = None,
        properties_set_once: Mapping[str, object] | None = None,
        durable: bool = False,
    ) -> OperationResult:
        """Set properties of a person: `name`, `email`, `plan` and `properties_set` overwrite, the others do not."""
        parameters = {
            "distinct_id": distinct_id,
            "name": name,
            "email": email,
            "plan": plan,
            "signup_date": signup_date,
            "referral_source": referral_source,
            "properties_set": properties_set,
            "properties_set_once": properties_set_once,
        }
        return await self._client.perform("identity", parameters, durable=durable)

    async def page(
        self,
        *,
        distinct_id: str,
        page_url: str,
        page_name: str | None = None,
        referrer: str | None = None,
        properties: Mapping[str, Value] | None = None,
        durable: bool = False,
    ) -> OperationResult:
        """Track a page view. `page_url` has its protocol; without `page_name` the title is its path."""
        parameters = {
            "distinct_id": distinct_id,
            "page_url": page_url,
            "page_name": page_name,
            "referrer": referrer,
            "properties": properties,
        }
        return await self._client.perform("page", parameters, durable=durable)

    async def screen(
        self,
        *,
        distinct_id: str,
        screen_view_name: str,
        screen_category: str | None = None,
        app_version: str | None = None,
        device_type: str | None = None,
        properties: Mapping[str, Value] | None = None,
        durable: bool = False,
    ) -> OperationResult:
        """Track a screen view in a mobile app."""
        parameters = {
            "distinct_id": distinct_id,
            "screen_view_name": screen_view_name,
            "screen_category": screen_category,
            "app_version": app_version,
            "device_type": device_type,
            "properties": properties,
        }
        return await self._client.perform("screen", parameters, durable=durable)


class Client:
    """One Hedgerow, called with one key.

    `key` is a project token (`phc_…`), or a key of a tenant (`hdg_…`) together with the
    `connection` it writes to. `seconds` is for a whole call; PostHog itself has eight of them.
    `http` is a client of the caller's own, which stays open; without it one is opened and
    closed here. The key is in no repr and no error.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        connection: str | None = None,
        seconds: float = SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        import httpx

        self.url = url.rstrip("/")
        self.connection = connection
        self.capture = Capture(self)
        self._key = key
        self._seconds = seconds
        self._is_ours = http is None
        self._http = http or httpx.AsyncClient()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what was opened here."""
        if self._is_ours:
            await self._http.aclose()

    async def perform(
        self, operation: Operation, parameters: Mapping[str, object], *, durable: bool = False
    ) -> OperationResult:
        """One operation by its name; parameters that are None are left out.

        Raises the `RefusedError` of the refusal, `TransientError` while Hedgerow's own store is
        down, and `OutboundError` when no answer of Hedgerow came. After the latter the event
        may have been taken.
        """
        import httpx

        query = {"connection": self.connection, "mode": "durable" if durable else None}
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            # As httpx would, but NaN too, so that Hedgerow can name the parameter that holds it.
            body = json.dumps(given, ensure_ascii=True).encode()
        except (TypeError, ValueError) as error:
            raise InvalidError(f"The parameters cannot be written as JSON: {error}.") from None
        try:
            answer = await self._http.post(
                f"{self.url}/v1/capture/{operation}",
                params={name: value for name, value in query.items() if value is not None},
                content=body,
                headers={
                    "Authorization": f"Bearer {self._key}",
                    "Content-Type": "application/json",
                    "User-Agent": f"hedgerow-python/{__version__}",
                },
                timeout=self._seconds,
                follow_redirects=False,
            )
        except httpx.TimeoutException:
            raise OutboundError(f"{self.url} did not answer in time.", code="timed_out", transient=True) from None
        except httpx.HTTPError as error:
            # Its text may hold what was sent.
            why = type(error).__name__
            raise OutboundError(f"{self.url} gave no answer ({why}).", code="unreachable", transient=True) from None
        return _read(answer, self.url)


def _read(answer: httpx.Response, url: str) -> OperationResult:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise _stranger(answer, url)
    if answer.status_code != 200:
        raise _refusal(answer, said) if isinstance(said.get("code"), str) else _stranger(answer, url)
    try:
        return OperationResult(
            status_code=int(said["StatusCode"]),
            original_status_code=int(said["OriginalStatusCode"]),
            error_message=str(said["ErrorMessage"]),
            data=dict(said["Data"]),
            event_id=answer.headers.get("Hedgerow-Event-Id", ""),
            warning=answer.headers.get("Hedgerow-Warning", ""),
        )
    except (KeyError, TypeError, ValueError):
        raise _stranger(answer, url) from None


def _refusal(answer: httpx.Response, said: Mapping[str, object]) -> HedgerowError:
    """The error of a problem document."""
    code, detail, hint = (str(said.get(name, "")) for name in ("code", "detail", "hint"))
    if answer.status_code == 429:
        wait = answer.headers.get("Retry-After", "")
        return TooManyError(detail, retry_after=int(wait) if wait.isascii() and wait.isdigit() else 60)
    kind = REFUSALS.get(answer.status_code)
    if kind is None:
        return TransientError(detail, code=code, hint=hint)
    known = {"type", "status", "code", "detail", "hint"}
    return kind(
        detail, code=code, hint=hint, members={name: value for name, value in said.items() if name not in known}
    )


def _stranger(answer: httpx.Response, url: str) -> OutboundError:
    return OutboundError(
        f"What {url} answered ({answer.status_code}) is no answer of Hedgerow.",
        code="malformed_answer",
        hint="Check the address: it is the one of the `capture` function, or of `hedgerow dev`, without a path.",
        status=answer.status_code,
    )
