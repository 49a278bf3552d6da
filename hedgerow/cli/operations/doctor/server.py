"""Does the server at HEDGEROW_URL answer, is it ready, does it know the admin key, and do the clocks agree?

Its Date header and Google's say how far this machine's clock is off: tokens are refused
from a minute on.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from hedgerow.cli.operations.doctor.findings import fine, found

if TYPE_CHECKING:
    import httpx

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

ANSWER_SECONDS = 10.0
SKEW = timedelta(seconds=30)


async def check(case: Case) -> list[Finding]:
    """One finding for each thing that is wrong with it, or with a clock."""
    import httpx

    async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
        findings = await _google(client, case)
        try:
            health = await client.get(f"{case.url}/health")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = f"{case.url} does not answer ({type(error).__name__}): no SDK, no schedule and no message gets in."
            return [*findings, found("server.down", case.url, what, command=_start(case))]
        if health.status_code != 200:
            what = f"{case.url}/health answered HTTP {health.status_code}: it is no Hedgerow, or an old one."
            return [*findings, found("server.down", case.url, what, command="Check HEDGEROW_URL.")]
        findings += [*_skew(case, "HEDGEROW_URL", health)]
        findings += [*await _ready(client, case), *await _key(client, case)]
    return findings or [fine("server", f"{case.url} is up and ready; the clocks agree")]


async def _ready(client: httpx.AsyncClient, case: Case) -> list[Finding]:
    import httpx

    try:
        status = (await client.get(f"{case.url}/ready")).status_code
    except httpx.HTTPError:
        status = 0
    if status == 200:
        return []
    what = f"{case.url} is up, but not ready (HTTP {status}): its store or queue does not answer."
    return [found("server.not_ready", case.url, what, command="Look in its log for ready.failed.")]


async def _key(client: httpx.AsyncClient, case: Case) -> list[Finding]:
    if not case.admin_key:
        return []
    import httpx

    headers = {"Authorization": f"Bearer {case.admin_key}"}
    try:
        answer = await client.get(f"{case.url}/v1/tenants", params={"limit": 1}, headers=headers)
    except (httpx.HTTPError, UnicodeEncodeError) as error:
        what = f"The admin key could not be tried ({type(error).__name__})."
        return [found("server.key_refused", case.url, what, command="export HEDGEROW_ADMIN_KEY=…")]
    if answer.status_code not in {401, 403}:
        return []
    what = f"{case.url} does not take HEDGEROW_ADMIN_KEY (HTTP {answer.status_code})."
    key = "hedgerow dev prints it" if case.settings.store == "sqlite" else "terraform output read_admin_key"
    return [found("server.key_refused", case.url, what, command=f"export HEDGEROW_ADMIN_KEY=…; {key}")]


async def _google(client: httpx.AsyncClient, case: Case) -> list[Finding]:
    if not case.google:
        return []
    import httpx

    with suppress(httpx.HTTPError):
        return _skew(case, "Google", await client.get(case.google))
    return []


def _skew(case: Case, whose: str, answer: httpx.Response) -> list[Finding]:
    try:
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return []
    # The header is whole seconds, and the answer took its time: both are far below what matters.
    ahead = case.now - (there if there.tzinfo else there.replace(tzinfo=UTC))
    if abs(ahead) <= SKEW:
        return []
    seconds = abs(ahead).total_seconds()
    what = f"This machine's clock is {seconds:,.0f} s {'ahead of' if ahead > timedelta() else 'behind'} {whose}'s."
    return [found("clock.skewed", whose, what, command="timedatectl set-ntp true")]


def _start(case: Case) -> str:
    if case.settings.store == "sqlite":
        return f"hedgerow dev --data {case.settings.data}, or set HEDGEROW_URL"
    return "export HEDGEROW_URL=…: terraform output api_url"
