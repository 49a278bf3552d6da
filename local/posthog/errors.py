"""PostHog's private-API errors: one shape, `{type, code, detail, attr}`, and the sentences PostHog uses.

ApiError
├── QueryError         400, the query's own fault (HogQL)
└── ClickHouseError    what ClickHouse said, before it is turned into an ApiError
"""

from collections.abc import Mapping

from starlette.responses import JSONResponse


class ApiError(Exception):
    """A refusal as PostHog words it; `headers` carries Retry-After where PostHog sends it."""

    def __init__(
        self,
        status: int,
        kind: str,
        code: str,
        detail: str,
        *,
        attr: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.code = code
        self.detail = detail
        self.attr = attr
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        body = {"type": self.kind, "code": self.code, "detail": self.detail, "attr": self.attr}
        return JSONResponse(body, status_code=self.status, headers=self.headers)


class QueryError(ApiError):
    """The HogQL text asks for something that does not exist or that is not done here."""

    def __init__(self, detail: str, code: str = "hogql_query_error") -> None:
        super().__init__(400, "validation_error", code, detail)


class ClickHouseError(Exception):
    """ClickHouse refused a statement; `name` is its own name for the fault."""

    def __init__(self, number: int, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.number = number
        self.name = name
        self.detail = detail


def not_authenticated() -> ApiError:
    """No key came with the request."""
    return ApiError(
        401,
        "authentication_error",
        "not_authenticated",
        "Authentication credentials were not provided.",
    )


def authentication_failed(detail: str) -> ApiError:
    """A key came that opens nothing."""
    return ApiError(401, "authentication_error", "authentication_failed", detail)


def permission_denied(detail: str) -> ApiError:
    """The key is known and may not do this."""
    return ApiError(403, "authentication_error", "permission_denied", detail)


def not_found(detail: str = "Not found.") -> ApiError:
    """The object, or the address itself, does not exist."""
    return ApiError(404, "invalid_request", "not_found", detail)


def method_not_allowed(method: str) -> ApiError:
    """The address exists and does not take this method."""
    return ApiError(405, "invalid_request", "method_not_allowed", f'Method "{method}" not allowed.')


def parse_error(detail: str) -> ApiError:
    """The body is not what the address takes."""
    return ApiError(400, "invalid_request", "parse_error", detail)


def invalid_field(attr: str, detail: str, code: str = "invalid_input") -> ApiError:
    """One field of the body is wrong or missing."""
    return ApiError(400, "validation_error", code, detail, attr=attr)


def throttled(seconds: int) -> ApiError:
    """Too many requests: the wait stands in the header and in the sentence."""
    plural = "" if seconds == 1 else "s"
    return ApiError(
        429,
        "throttled_error",
        "throttled",
        f"Request was throttled. Expected available in {seconds} second{plural}.",
        headers={"Retry-After": str(seconds)},
    )


def too_many_at_once(organization: str, task: str, limit: int) -> ApiError:
    """The refusal for concurrency: 429 without any waiting time, as PostHog sends it."""
    return ApiError(
        429,
        "throttled_error",
        "throttled",
        f"Exceeded maximum concurrency limit: {limit} for key: api:query:per-org:{organization} and task: {task}",
    )


def server_error(detail: str = "A server error occurred.") -> ApiError:
    """What PostHog says when it fails."""
    return ApiError(500, "server_error", "error", detail)
