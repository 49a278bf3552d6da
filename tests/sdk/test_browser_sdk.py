"""posthog-js in a real Chromium, from another origin: what PostHog holds after a visit, straight and through Hedgerow, is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.sdk import outages, stored
from tests.sdk.browsing import Visit, chromium, shop, visit
from tests.sdk.hosts import PREFIX, Site, Stage

OFFERS: dict[str, Any] = {
    "remote_config": {"surveys": True, "sessionRecording": {"endpoint": "/s/"}},
    "surveys": [{"id": "s1", "name": "How was it?", "type": "api", "questions": [{"type": "open", "question": "?"}]}],
    "early_access_features": [
        {"id": "e1", "name": "Quick pay", "description": "", "stage": "beta", "flagKey": "quick-pay"}
    ],
}
EVENTS = 12
# The page's own stopwatches, and the sizes of what they were written into.
STOPWATCHES = frozenset(
    [
        "$debug_first_full_snapshot_timestamp",
        "$initialization_time",
        "$lib_rate_limit_remaining_tokens",
        "$prev_pageview_duration",
        "$sdk_debug_extensions_init_time_ms",
        "$sdk_debug_replay_flushed_size",
        "$sdk_debug_replay_internal_buffer_length",
        "$sdk_debug_replay_internal_buffer_size",
    ]
)


@dataclass(frozen=True)
class Seen:
    """What a visit left behind."""

    picture: dict[str, Any]
    heard: dict[str, Any]
    asked: set[tuple[str, str]]
    recorded: set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with shop() as address:
        yield address


@pytest.mark.parametrize(
    ("prefix", "asked"),
    [("", {}), (PREFIX, {}), ("", {"disable_compression": True})],
    ids=["plain", "prefix", "uncompressed"],
)
async def test_a_visit_leaves_the_same_in_posthog(
    stage: Stage, browser: str, page: str, prefix: str, asked: dict[str, Any]
) -> None:
    straight, through = stage.straight(**OFFERS), stage.through(**OFFERS)
    expected = await _visited(stage, browser, page, straight, asked)
    found = await _visited(stage, browser, page, replace(through, host=through.host + prefix), asked)
    assert found.picture == expected.picture
    assert found.heard == expected.heard
    assert found.asked == expected.asked
    assert len(found.recorded) == len(expected.recorded) == 1
    assert expected.heard["surveys"] == ["How was it?"]
    assert expected.heard["features"][0]["flagKey"] == "quick-pay"
    assert {"/static/1.449.2/lazy-recorder.js", "/s/", "/i/v0/e/"} <= {path for _, path in expected.asked}


async def test_a_page_that_closes_while_posthog_is_away_loses_nothing(stage: Stage, browser: str, page: str) -> None:
    site = stage.through()
    async with chromium(browser) as context:
        async with visit(context, page, site) as seen:
            await _within(seen, "ready")
            await seen.saw("/flags/")
            stage.misbehave(kind="off")
            await _within(seen, "burst(40)")
            own = (await seen.heard())["own"]
        await asyncio.sleep(0.5)
    assert await asyncio.to_thread(outages.waiting, stage, site) > 40
    await asyncio.to_thread(outages.come_back, stage, site)
    # Page view, page leave.
    found = await asyncio.to_thread(stored.wait_for, site, 40 + 2)
    stored.assert_own_times(found, {uuid: datetime.fromisoformat(at) for uuid, at in own.items()})


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(days=2)], ids=["behind", "ahead"])
async def test_a_wrong_clock_is_put_right_at_arrival(stage: Stage, browser: str, page: str, skew: timedelta) -> None:
    site = stage.through()
    before = datetime.now(UTC)
    async with chromium(browser) as context:
        async with visit(context, page, site, skew_seconds=int(skew.total_seconds())) as seen:
            await _within(seen, "burst(5)")
            own = (await seen.heard())["own"]
        await asyncio.sleep(0.5)
    found = await asyncio.to_thread(stored.wait_for, site, 5 + 2)
    real = {uuid: datetime.fromisoformat(at) - skew for uuid, at in own.items()}
    assert min(real.values()) > before - timedelta(seconds=1)
    # The page's own clock is set by whole milliseconds, twice.
    stored.assert_own_times(found, real, early=0.05)


def test_a_recording_arrives_byte_for_byte(stage: Stage) -> None:
    zipped = "".join(map(chr, range(256)))
    prints = []
    for site in (stage.straight(), stage.through()):
        properties = {
            "token": site.token,
            "distinct_id": "visitor-1",
            "$session_id": "s1",
            "$window_id": "w1",
            "$snapshot_data": [{"type": 2, "data": zipped, "cv": "2024-10", "timestamp": 1}, {"type": 3, "data": {}}],
        }
        answer = httpx.post(
            f"{site.host}/s/", json=[{"event": "$snapshot", "properties": properties}], timeout=20, trust_env=False
        )
        assert answer.status_code == 200
        prints.append([each["sha256"] for each in _recordings(stage, site)])
    assert prints[0] == prints[1] != []


async def _visited(stage: Stage, browser: str, page: str, site: Site, asked: dict[str, Any]) -> Seen:
    """One of each call, a click, a recording, and the beacon of a closing page."""
    async with chromium(browser) as context:
        async with visit(context, page, site, **asked) as seen:
            await _within(seen, "everything()")
            await seen.page.click("#buy")
            await seen.saw("/s/")
            await seen.page.evaluate("posthog.capture('leaving') && null")
            heard = await seen.heard()
        found = await asyncio.to_thread(stored.wait_for, site, EVENTS)
    assert seen.complaints == []
    assert {status for _, _, status in seen.requests} == {200}
    # The page reads its clock once for this property and once for the event's time.
    own = {each.uuid: datetime.fromtimestamp(each.properties["$time"], UTC) for each in found}
    stored.assert_own_times(found, own, early=1.0)
    prefix = urlsplit(site.host).path
    paths = {
        (method, path.partition("?")[0].removeprefix(prefix).replace(site.token, "<token>"))
        for method, path, _ in seen.requests
    }
    session = found[0].properties["$session_id"]
    recorded = {(each["session_id"], each["window_id"], each["distinct_id"]) for each in _recordings(stage, site)}
    assert {each[0] for each in recorded} == {session}
    return Seen(stored.picture(site, drop=STOPWATCHES, order=lambda each: each.uuid), heard, paths, recorded)


async def _within(seen: Visit, script: str) -> None:
    async with asyncio.timeout(20):
        await seen.page.evaluate(f"{script}.then(() => null)")


def _recordings(stage: Stage, site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.control("GET", "recordings").get(str(site.project_id), [])
    return found
