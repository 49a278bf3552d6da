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
    return ApiError(
        401,
        "authentication_error",
        "not_authenticated",
        "Authentication credentials were not provided.",
    )


def authentication_failed(detail: str) -> ApiError:
    return ApiError(401, "authentication_error", "authentication_failed", detail)


def permission_denied(detail: str) -> ApiError:
    return ApiError(403, "authentication_error", "permission_denied", detail)


def not_found(detail: str = "Not found.") -> ApiError:
    return ApiError(404, "invalid_request", "not_found", detail)


def method_not_allowed(method: str) -> ApiError:
    return ApiError(
        405, "invalid_request", "method_not_allowed", f'Method "{method}" not allowed.'
    )


def parse_error(detail: str) -> ApiError:
    return ApiError(400, "invalid_request", "parse_error", detail)


def invalid_field(attr: str, detail: str, code: str = "invalid_input") -> ApiError:
    return ApiError(400, "validation_error", code, detail, attr=attr)


def throttled(seconds: int) -> ApiError:
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
        f"Exceeded maximum concurrency limit: {limit} for key: "
        f"api:query:per-org:{organization} and task: {task}",
    )


def server_error(detail: str = "A server error occurred.") -> ApiError:
    return ApiError(500, "server_error", "error", detail)
