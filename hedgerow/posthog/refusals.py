"""Reads what PostHog, or whatever stands before it, answered instead of what was asked for.

Pure: status, headers and body in, `PostHogError` out. PostHog's own refusals are JSON
with `type`, `code` and `detail`; anything else came from something in front of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from hedgerow.foreign import printable
from hedgerow.key_shapes import without_keys
from hedgerow.posthog.errors import Code, PostHogError

_SCOPE = re.compile(r"missing required scope '([a-z_]+:[a-z_]+)'")
_WAIT = re.compile(r"available in (\d{1,6}) second")
_QUOTED_CHARACTERS = 300
# PostHog's own are short; a large one would cost memory and the event loop's time.
_LONGEST_REFUSAL = 65_536
LONGEST_WAIT = 86_400.0
DEFAULT_WAIT = 60.0

# What a 403 says, in PostHog's words, and what it means.
_FORBIDDEN: tuple[tuple[str, Code], ...] = (
    ("does not allow using personal api keys", "personal_keys_forbidden"),
    ("only supported on project-based endpoints", "key_bound_to_projects"),
    ("does not support personal api key access", "not_for_keys"),
)
_TOO_HEAVY = ("query size exceeded", "max memory limit", "max execution time", "execution time is too long")


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> PostHogError:
    """What an answer outside 2xx means."""
    if 300 <= status < 400:
        return _redirected(status, headers)
    said = _said(body)
    if said is None:
        return _from_before(status, headers, body)
    quoted = without_keys(said)[:_QUOTED_CHARACTERS]
    lower = said.lower()
    if status == 429:
        return _limited(headers, quoted)
    if status == 403:
        return _forbidden(said, quoted)
    if status in {504, 512} or any(words in lower for words in _TOO_HEAVY):
        return PostHogError(f"PostHog gave up on the query: {quoted}", code="query_too_heavy", status=status)
    if status == 405 or (status == 404 and "endpoint" in lower):
        return PostHogError(f"This PostHog does not have the call: {quoted}", code="call_missing", status=status)
    code = _BY_STATUS.get(status, "server_error" if status >= 500 else "query_invalid")
    return PostHogError(f"{_LEAD[code]}: {quoted}", code=code, status=status)


_BY_STATUS: dict[int, Code] = {
    401: "key_refused",
    402: "billing_limited",
    404: "project_missing",
    502: "gateway",
    503: "busy",
}
_LEAD: dict[Code, str] = {
    "key_refused": "PostHog does not know the personal API key",
    "billing_limited": "PostHog's billing limit is reached",
    "project_missing": "PostHog has no such project here",
    "gateway": "PostHog's gateway found it down",
    "busy": "PostHog is busy",
    "server_error": "PostHog failed",
    "query_invalid": "PostHog refused the call",
}


def wait_of(headers: Mapping[str, str], said: str) -> float | None:
    """How many seconds PostHog asks to wait: its header, else its sentence."""
    header = headers.get("retry-after", "").strip()
    if header.isascii() and header.isdecimal() and len(header) < 12:
        return min(float(header), LONGEST_WAIT)
    sentence = _WAIT.search(said)
    return min(float(sentence[1]), LONGEST_WAIT) if sentence else None


def _said(body: bytes) -> str | None:
    """The `detail` of PostHog's own error form, None where the body is something else."""
    if len(body) > _LONGEST_REFUSAL:
        return None
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(problem, dict) and isinstance(problem.get("detail"), str) and isinstance(problem.get("type"), str):
        return printable(str(problem["detail"]))
    return None


def _limited(headers: Mapping[str, str], quoted: str) -> PostHogError:
    wait = wait_of(headers, quoted)
    if wait is None and "concurren" in quoted.lower():
        return PostHogError(
            f"PostHog runs too many queries of this project: {quoted}", code="concurrency_limited", status=429
        )
    return PostHogError(
        f"PostHog limits the rate of calls: {quoted}",
        code="rate_limited",
        status=429,
        retry_after=DEFAULT_WAIT if wait is None else wait,
    )


def _forbidden(said: str, quoted: str) -> PostHogError:
    scope = _SCOPE.search(said)
    if scope:
        return PostHogError(
            f"The personal API key lacks the scope {scope[1]}.", code="scope_missing", status=403, scope=scope[1]
        )
    for words, code in _FORBIDDEN:
        if words in said.lower():
            return PostHogError(f"PostHog refused the personal API key: {quoted}", code=code, status=403)
    return PostHogError(f"PostHog refused the key this project: {quoted}", code="project_forbidden", status=403)


def _redirected(status: int, headers: Mapping[str, str]) -> PostHogError:
    target = urlsplit(headers.get("location", ""))
    if target.hostname is None or target.path.startswith("/login"):
        return PostHogError(
            "The host redirects instead of answering: this is not PostHog's API.", code="not_posthog", status=status
        )
    where = printable(f"{target.scheme}://{target.hostname}")[:_QUOTED_CHARACTERS]
    return PostHogError(
        f"The host redirects to {where}; Hedgerow does not carry keys across redirects.",
        code="redirected",
        status=status,
    )


def _from_before(status: int, headers: Mapping[str, str], body: bytes) -> PostHogError:
    """An answer that is not PostHog's: a proxy, a firewall, another site."""
    if status == 429:
        return _limited(headers, "the answer came from something in front of it")
    if status in {502, 504} or 520 <= status <= 530:
        return PostHogError(f"The gateway in front of PostHog answered {status}.", code="gateway", status=status)
    if status == 503:
        return PostHogError("The host answered 503.", code="busy", status=status)
    if status in {401, 403, 406, 407, 451}:
        cloudflare = b"cloudflare" in body.lower() or b"error code: 10" in body or "cf-ray" in headers
        who = "Cloudflare" if cloudflare else "Something in front of PostHog"
        return PostHogError(
            f"{who} refused the call with {status} before it reached PostHog.",
            code="blocked_before_posthog",
            status=status,
        )
    if status >= 500:
        return PostHogError(f"The host failed with {status}.", code="server_error", status=status)
    return PostHogError(f"The host answered {status}, and not in PostHog's form.", code="not_posthog", status=status)
