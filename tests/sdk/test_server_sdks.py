"""PostHog's Python and Node SDKs: what PostHog holds after one of each call, straight and through Hedgerow, is the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk import stored
from tests.sdk.hosts import Stage
from tests.sdk.running import Protocol, Sdk, run

EVENTS: dict[Sdk, int] = {"python": 18, "node": 19}
RUNS: list[tuple[Sdk, Protocol, dict[str, Any]]] = [
    ("python", "v0", {}),
    ("python", "v0", {"gzip": True}),
    ("python", "v0", {"sync_mode": True}),
    ("python", "v1", {}),
    ("python", "v1", {"gzip": True}),
    ("python", "v1", {"capture_compression": "deflate"}),
    ("node", "v0", {}),
    ("node", "v0", {"disableCompression": True}),
    ("node", "v1", {}),
]


# Forwarded in v1, an event can only keep its instant by being exempt from a correction of it.
ADDED: dict[Protocol, frozenset[str]] = {"v0": frozenset(), "v1": frozenset(["$ignore_sent_at"])}


def _name(run: tuple[Sdk, Protocol, dict[str, Any]]) -> str:
    return "-".join([*run[:2], *run[2]])


@pytest.mark.parametrize(("sdk", "protocol", "options"), RUNS, ids=map(_name, RUNS))
def test_one_of_each_call_leaves_the_same_in_posthog(
    stage: Stage, sdk: Sdk, protocol: Protocol, options: dict[str, Any]
) -> None:
    straight, through = stage.straight(), stage.through()
    pictures, heard = [], []
    for site in (straight, through):
        said = run(sdk, site, "everything", protocol=protocol, options=options)
        found = stored.wait_for(site, EVENTS[sdk])
        stored.assert_own_times(found, said.own)
        pictures.append(stored.picture(site, drop=ADDED[protocol]))
        heard.append(said.heard)
    assert pictures[1] == pictures[0]
    assert heard[1] == heard[0]
    assert heard[0]["flags"]["new-checkout"] is True
    assert pictures[0]["groups"] == [[0, "acme", {"size": 40}]]


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_flags_are_evaluated_locally_alike(stage: Stage, sdk: Sdk) -> None:
    heard = [run(sdk, site, "local_evaluation").heard for site in (stage.straight(), stage.through())]
    assert heard[1] == heard[0]
    assert heard[0]["local"]["shopper-1"]["by-plan"] is True
    assert {each["variants"] for each in heard[0]["local"].values()} <= {"control", "test"}
    assert "limit" in str(heard[0]["remote_config"])


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_flags_and_their_definitions_outlast_posthog(stage: Stage, sdk: Sdk) -> None:
    site = stage.through()
    acts = ("everything", "local_evaluation")
    before = [run(sdk, site, act).heard for act in acts]
    stage.misbehave(kind="off")
    assert [run(sdk, site, act).heard for act in acts] == before
