"""Do the addresses answer, are they ready, do they know the admin key, and do the clocks agree?

In the cloud capture has an address of its own beside the API's; on the laptop they share
one. Their Date header and Google's say how far this machine's clock is off: tokens are
refused from a minute on.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hedgerow.cli.operations.doctor.case import TERRAFORMS_VARIABLES, read_key
from hedgerow.cli.operations.doctor.findings import fine, found

if TYPE_CHECKING:
    import httpx

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

ANSWER_SECONDS = 10.0
SKEW = timedelta(seconds=30)
USUAL_PORT = 8080
"""Of `hedgerow dev`."""


async def check(case: Case) -> list[Finding]:
    """One finding for each thing that is wrong with an address, or with a clock."""
    import httpx

    async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
        findings = [*await _google(client, case), *await _api(client, case)]
        if case.is_cloud and not case.capture_url:
            what = "Capture's own address is not known here, so it was not tried."
            findings.append(found("unknown", "HEDGEROW_CAPTURE_URL", what, command=TERRAFORMS_VARIABLES))
        elif case.capture_url and case.capture_url != case.url:
            findings += await _capture(client, case)
    looked = " and ".join(dict.fromkeys(filter(None, (case.url, case.capture_url))))
    verb = "are" if " and " in looked else "is"
    return findings or [fine("server", f"{looked} {verb} up and ready; the clocks agree")]


async def _api(client: httpx.AsyncClient, case: Case) -> list[Finding]:
    import httpx

    lost = "no command and no call of /v1 gets in" if case.is_cloud else "no SDK, no schedule and no message gets in"
    try:
        health = await client.get(f"{case.url}/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        what = f"It does not answer ({type(error).__name__}): {lost}."
        return [found("server.down", case.url, what, command=_start(case))]
    if health.status_code != 200:
        what = f"/health answered HTTP {health.status_code}: it is no Hedgerow, or an old one."
        return [found("server.down", case.url, what, command=_address(case, "HEDGEROW_URL"))]
    findings = _skew(case, "HEDGEROW_URL", health)
    if status := await _unready(client, case.url):
        what = f"It is up, but not ready ({status}): its store or queue does not answer."
        findings.append(found("server.not_ready", case.url, what, command="Look in its log for ready.failed."))
    return [*findings, *await _key(client, case)]


async def _capture(client: httpx.AsyncClient, case: Case) -> list[Finding]:
    import httpx

    try:
        status = (await client.get(f"{case.capture_url}/health")).status_code
        said = f"/health answered HTTP {status}" if status != 200 else ""
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"no answer, {type(error).__name__}"
    if said:
        what = f"It does not take events ({said}): SDKs keep what they can, and lose the rest."
        command = "docs/operations/alert-capture-down.md"
        return [found("capture.down", case.capture_url, what, command=command)]
    if unready := await _unready(client, case.capture_url):
        what = f"It is up, but not ready ({unready}): what PostHog does not take at once is refused."
        return [found("capture.not_ready", case.capture_url, what, command="Look in its log for ready.failed.")]
    return []


async def _unready(client: httpx.AsyncClient, url: str) -> str:
    import httpx

    try:
        status = (await client.get(f"{url}/ready")).status_code
    except httpx.HTTPError as error:
        return type(error).__name__
    return "" if status == 200 else f"HTTP {status}"


async def _key(client: httpx.AsyncClient, case: Case) -> list[Finding]:
    """Is the key taken, and does what is behind /v1 answer at all? A load balancer's /health is capture's."""
    import httpx

    headers = {"Authorization": f"Bearer {case.admin_key}"} if case.admin_key else {}
    try:
        answer = await client.get(f"{case.url}/v1/tenants", params={"limit": 1}, headers=headers)
    except (httpx.HTTPError, UnicodeEncodeError) as error:
        what = f"It could not be tried ({type(error).__name__})."
        return [found("unknown", "the admin key", what, command=read_key(case.settings))]
    if answer.status_code >= 500:
        what = f"/v1/tenants answered HTTP {answer.status_code}: the API does not work."
        return [found("server.not_ready", case.url, what, command="Look in the log of api for request.failed.")]
    if not case.admin_key or answer.status_code not in {401, 403}:
        return []
    what = f"It does not take the admin key (HTTP {answer.status_code}): another key, or another installation's server."
    command = read_key(case.settings)
    if not case.is_cloud and "HEDGEROW_ADMIN_KEY" not in case.variables:
        # The folder's own key was the one that was tried.
        command = "say --data DIR, that server's folder; or export HEDGEROW_ADMIN_KEY=…, which its hedgerow dev printed"
    return [found("server.key_refused", case.url, what, command=command)]


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
    if case.is_cloud:
        return _address(case, "HEDGEROW_URL")
    emulators = " --emulators" if case.settings.firestore_emulator else ""
    return f"hedgerow dev{emulators}{_port(case.url)} --data {shlex.quote(str(case.settings.data))}"


def _port(url: str) -> str:
    """Where its callers look for it; empty for the usual port and for what is no address of this machine."""
    with suppress(ValueError):
        place = urlsplit(url)
        if place.hostname in {"127.0.0.1", "localhost"} and place.port not in {None, USUAL_PORT}:
            return f" --port {place.port}"
    return ""


def _address(case: Case, variable: str) -> str:
    if case.is_cloud:
        return TERRAFORMS_VARIABLES
    return f"export {variable}=…: the address after `ready` in what hedgerow dev prints"
