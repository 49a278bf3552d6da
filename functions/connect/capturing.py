"""Tests a project token without writing an event: the flags call tells whether it exists, capture whether it listens."""

from __future__ import annotations

import json

import httpx

from functions.connect import verdicts
from hedgerow.models import Capability
from hedgerow.posthog.client import USER_AGENT, send
from hedgerow.posthog.errors import PostHogError
from hedgerow.posthog.keys import WHERE_TOKEN, trouble_of_project_token
from hedgerow.posthog.refusals import refusal

# Nobody's id: the flags call wants one, and stores nothing.
TESTER = "hedgerow-connection-test"
SECONDS = 15.0


async def test(http: httpx.AsyncClient, ingestion_host: str, token: str, *, required: bool) -> Capability:
    """The verdict on capture with this token at this host; its code is `ok` when the token exists there."""
    trouble = trouble_of_project_token(token)
    if trouble is not None:
        return verdicts.mistaken("capture", trouble, required=required)
    try:
        known = await is_known(http, ingestion_host, token)
        await _listens(http, ingestion_host)
    except PostHogError as error:
        return verdicts.refused("capture", error, ingestion_host, required=required)
    if known:
        return verdicts.passed(
            "capture", f"{ingestion_host} takes events, and knows the project token.", required=required
        )
    return verdicts.lacking(
        "capture",
        "project_token_unknown",
        f"{ingestion_host} does not know the project token.",
        f"Copy it from {WHERE_TOKEN}, in the region of this host.",
        required=required,
    )


async def is_known(http: httpx.AsyncClient, ingestion_host: str, token: str) -> bool:
    """Does a project have this token? Asked of /flags, on old instances of /decide; `PostHogError` when neither says."""
    asked = {"api_key": token, "token": token, "distinct_id": TESTER}
    for path in ("/flags?v=2", "/decide?v=3"):
        status, headers, body = await _post(http, ingestion_host + path, asked)
        if status == 401:
            return False
        # Over quota means known: PostHog would not count for a token of nobody.
        if status == 402 or (status == 200 and _is_object(body)):
            return True
        if status not in {404, 405}:
            break
    raise refusal(status, headers, body) if status >= 300 else _not_capture(ingestion_host)


async def _listens(http: httpx.AsyncClient, ingestion_host: str) -> None:
    """Sends capture an empty object, which it refuses in its own words; anything else is not capture."""
    status, headers, body = await _post(http, f"{ingestion_host}/i/v0/e/", {})
    if status in {200, 400, 401} and body.lstrip()[:1] != b"<":
        return
    raise refusal(status, headers, body) if status >= 300 else _not_capture(ingestion_host)


async def _post(http: httpx.AsyncClient, url: str, asked: object) -> tuple[int, httpx.Headers, bytes]:
    request = http.build_request("POST", url, json=asked, headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
    return await send(http, request, SECONDS)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _not_capture(host: str) -> PostHogError:
    return PostHogError(f"{host} does not take events as PostHog does.", code="not_posthog")
