"""Calls to a Hedgerow server: one request, its JSON, or the stop that a refusal leads to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hedgerow.cli.environment import environment
from hedgerow.cli.keys import hedgerow_key
from hedgerow.cli.stops import FAILED, UNREACHABLE, USAGE, Stop, refused

if TYPE_CHECKING:
    import httpx

Shown = dict[str, Any]
"""A JSON object of the API, printed as it is or by the names that README documents."""

# A proof runs a query that PostHog may queue before it answers.
ANSWER_SECONDS = 150.0

_ID = re.compile(r"[a-z]+_[0-9a-f]+")
_WORD = re.compile(r"[a-z]+")


class Server:
    """The server at HEDGEROW_URL, called with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **query: object) -> Shown:
        """The JSON of a reading call; a query value of None is left out, a tuple is repeated."""
        return _decoded(self._send("GET", path, query=query))

    def text(self, path: str, accept: str, **query: object) -> str:
        """The body of a reading call in another format."""
        return self._send("GET", path, query=query, accept=accept).text

    def pages(self, path: str, **query: object) -> list[Shown]:
        """Every item of a list, page by page."""
        items: list[Shown] = []
        cursor: object = None
        while True:
            page = self.get(path, limit=1000, cursor=cursor, **query)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def post(self, path: str, body: Shown | None = None) -> Shown:
        """The JSON of a POST."""
        return _decoded(self._send("POST", path, body=body or {}))

    def put(self, path: str, body: Shown) -> Shown:
        """The JSON of a PUT."""
        return _decoded(self._send("PUT", path, body=body))

    def patch(self, path: str, body: Shown) -> Shown:
        """The JSON of a PATCH."""
        return _decoded(self._send("PATCH", path, body=body))

    def delete(self, path: str) -> Shown:
        """The JSON of a DELETE; empty where the answer is."""
        response = self._send("DELETE", path)
        return _decoded(response) if response.content else {}

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Shown | None = None,
        body: Shown | None = None,
        accept: str = "application/json",
    ) -> httpx.Response:
        import httpx

        pairs: list[tuple[str, str | int | float | bool | None]] = [
            (name, str(each))
            for name, value in (query or {}).items()
            for each in (value if isinstance(value, tuple | list) else (value,))
            if each is not None
        ]
        try:
            with httpx.Client(
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=10), trust_env=not _is_loopback(self.url)
            ) as client:
                response = client.request(
                    method, self.url + path, params=pairs, json=body, headers={**self._headers, "Accept": accept}
                )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Stop(
                USAGE, "HEDGEROW_URL is not an http:// or https:// address.", hint="For example http://127.0.0.1:8080"
            ) from error
        except httpx.TransportError as error:
            raise Stop(
                UNREACHABLE,
                f"Cannot reach Hedgerow at {shown_url(self.url)} ({type(error).__name__}).",
                hint="Start it with `hedgerow dev`, or set HEDGEROW_URL to where it runs.",
            ) from error
        except UnicodeEncodeError:
            # Bytes of the command line or the environment that are no text; the error itself would hold them.
            raise Stop(
                USAGE, "An argument or a variable holds bytes that are not text.", hint="Write it in UTF-8."
            ) from None
        if response.is_success:
            return response
        raise _refusal(response)


def tenant_server() -> Server:
    """The server, called with the tenant's key."""
    there = environment()
    return Server(there.url, hedgerow_key("HEDGEROW_API_KEY", there.api_key))


def admin_server() -> Server:
    """The server, called with the operator's key."""
    there = environment()
    return Server(there.url, hedgerow_key("HEDGEROW_ADMIN_KEY", there.admin_key))


def the_connection(server: Server, asked: str | None) -> str:
    """The id that was given, or that of the only connection there is."""
    if asked is not None:
        return in_path(asked)
    every = server.pages("/v1/connections")
    active = [each for each in every if each["state"] not in {"disconnecting", "disconnected"}]
    for candidates in (active, every):
        if len(candidates) == 1:
            return in_path(str(candidates[0]["id"]))
    if not every:
        raise Stop(
            USAGE, "There is no connection yet.", hint="Make one: hedgerow connect --host https://us.posthog.com"
        )
    names = ", ".join(f"{each['id']} ({each['name']})" for each in every)
    raise Stop(USAGE, "There are several connections; say which one is meant.", hint=names)


def in_path(id: str, kind: str = "") -> str:
    """The id, fit for a path; anything else ends the command before a request is made of it. `kind`: how it begins.

    A path that holds `..`, `/`, `?` or nothing where an id belongs is another call, such as
    the tenant's end where one of its keys was meant.
    """
    if _ID.fullmatch(id) is None:
        begun = re.match(r"[a-z]+(?=_)", id)
        like = f"{kind or (begun[0] if begun else 'con')}_4f1d09ab"
        raise Stop(USAGE, f"{id!r} is not an id.", hint=f"Such ids look like {like}: letters, _, hexadecimal digits.")
    return id


def tier_in_path(tier: str) -> str:
    """The name of a tier, fit for a path in the same way."""
    if _WORD.fullmatch(tier) is None:
        raise Stop(USAGE, f"{tier!r} is not a tier.", hint="Tiers are starter, basic, pro and scale.")
    return tier


def _decoded(response: httpx.Response) -> Shown:
    try:
        decoded = response.json()
    except ValueError:
        decoded = None
    if isinstance(decoded, dict):
        return decoded
    raise Stop(
        FAILED,
        f"The server answered {response.status_code} with something that is not Hedgerow's JSON.",
        hint="Check HEDGEROW_URL.",
    )


def _refusal(response: httpx.Response) -> Stop:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict) or "detail" not in problem:
        return refused(response.status_code, "", f"The server answered {response.status_code}.", "Check HEDGEROW_URL.")
    hint = str(problem.get("hint", ""))
    if "id" in problem:
        hint = f"{hint} ({problem['id']})".strip()
    stop = refused(response.status_code, str(problem.get("code", "")), str(problem["detail"]), hint)
    stop.problem = problem
    return stop


def shown_url(url: str) -> str:
    """The address without what may be secret: user, password, query."""
    import httpx

    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def _is_loopback(url: str) -> bool:
    import httpx

    return httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}
