"""While PostHog fails in every way it can, the SDKs go on sending to Hedgerow; afterwards every event is there once, at its own time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from tests.sdk import outages, stored
from tests.sdk.hosts import Site, Stage
from tests.sdk.running import Protocol, Running, Said, Sdk, start

FAULTS: dict[str, dict[str, Any]] = {
    "off": {"kind": "off"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "2"}},
    "html": {"kind": "cloudflare"},
    "reset": {"kind": "reset"},
    "reset after the work": {"kind": "reset_after"},
    "half an answer": {"kind": "half"},
    "slow": {"kind": "slow", "seconds": 2.5},
}
SDKS: list[tuple[Sdk, Protocol]] = [("python", "v0"), ("python", "v1"), ("node", "v0"), ("node", "v1")]
COUNT = 50


@pytest.fixture(scope="module")
def sites(servers: Stage) -> list[Site]:
    """A connected project for each SDK; a test tells its events by their name."""
    return [servers.through() for _ in SDKS]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_event_sent_during_an_outage_arrives_once_at_its_own_time(
    stage: Stage, sites: list[Site], fault: str
) -> None:
    stage.misbehave(**FAULTS[fault])
    said = [each.end() for each in _start_all(sites, fault, seconds=0.5)]
    assert sum(outages.waiting(stage, site) for site in sites) == COUNT * len(sites)
    outages.come_back(stage, *sites)
    for site, each in zip(sites, said, strict=True):
        _assert_all_there(site, fault, each)


def test_a_posthog_that_comes_and_goes_loses_and_doubles_nothing(stage: Stage, sites: list[Site]) -> None:
    name = "now and then"
    sending = _start_all(sites, name, seconds=3)
    kinds = [FAULTS[each] for each in ("503", "reset after the work", "half an answer", "off")]
    while any(each.process.poll() is None for each in sending):
        stage.misbehave(**kinds[0])
        kinds.append(kinds.pop(0))
        time.sleep(0.3)
        stage.behave()
        time.sleep(0.2)
    said = [each.end() for each in sending]
    outages.come_back(stage, *sites)
    for site, each in zip(sites, said, strict=True):
        _assert_all_there(site, name, each)


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(days=2)], ids=["behind", "ahead"])
def test_a_wrong_clock_is_put_right_at_arrival_even_if_delivered_later(
    stage: Stage, sites: list[Site], skew: timedelta
) -> None:
    name = f"skewed by {skew}"
    stage.misbehave(kind="off")
    said = [each.end() for each in _start_all(sites, name, seconds=0.5, skew_seconds=skew.total_seconds())]
    time.sleep(2)
    outages.come_back(stage, *sites)
    for site, each in zip(sites, said, strict=True):
        found = [event for event in stored.wait_for(site, COUNT, name) if not _is_exempt(event)]
        assert len(found) == COUNT // 2
        real = {event.uuid: each.own[event.uuid] - skew for event in found}
        stored.assert_own_times(found, real)


def _start_all(sites: list[Site], name: str, **asked: Any) -> list[Running]:
    return [
        start(sdk, site, "burst", protocol=protocol, count=COUNT, name=name, **asked)
        for (sdk, protocol), site in zip(SDKS, sites, strict=True)
    ]


def _assert_all_there(site: Site, name: str, said: Said) -> None:
    assert said.heard["failed"] == []
    found = stored.wait_for(site, COUNT, name)
    assert {each.uuid for each in found} == set(said.own)
    exempt = {each.uuid: said.own[each.uuid] for each in found if _is_exempt(each)}
    assert len(exempt) == COUNT // 2
    stored.assert_own_times(found, exempt, late=0.002)
    stored.assert_own_times(found, said.own)


def _is_exempt(event: stored.Event) -> bool:
    """Whether the script asked PostHog to take this event's time as it is."""
    return int(event.properties["number"]) % 2 == 1
