"""PostHog's limit/offset lists: `{count, next, previous, results}`."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

MOST_A_PAGE = 1000


def page(request: Request, items: list[dict[str, Any]], *, default: int = 100) -> dict[str, Any]:
    """One page of a list, with the addresses of the pages beside it."""
    limit = min(_number(request, "limit", default) or default, MOST_A_PAGE)
    offset = _number(request, "offset", 0)
    more = offset + limit < len(items)
    return {
        "count": len(items),
        "next": _address(request, limit, offset + limit) if more else None,
        "previous": _address(request, limit, max(0, offset - limit)) if offset else None,
        "results": items[offset : offset + limit],
    }


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _address(request: Request, limit: int, offset: int) -> str:
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in ("limit", "offset")]
    query = urlencode([*kept, ("limit", limit), ("offset", offset)])
    return f"{request.url.scheme}://{request.url.netloc}{request.url.path}?{query}"
