"""Whatever arrives in whatever order: counts by day equal a second calculation that shares no code.

The reference keeps every arrival and replays it into plain dictionaries; it knows nothing of
ClickHouse, overrides or version numbers.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.local_posthog.conftest import Caller

# Around the night on which Berlin's clocks go back, so that a day has 25 hours.
FIRST = datetime(2024, 10, 25, 22, tzinfo=UTC)
IDS = [f"id{n}" for n in range(5)]


@st.composite
def arrivals(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events with few uuids, ids and hours, so that duplicates and merges are many."""
    found = []
    for _ in range(draw(st.integers(1, 25))):
        kind = draw(
            st.sampled_from(["seen", "seen", "seen", "personless", "$identify", "$create_alias", "$merge_dangerously"])
        )
        properties: dict[str, Any] = {}
        if kind == "personless":
            properties["$process_person_profile"] = False
        elif kind != "seen":
            name = "$anon_distinct_id" if kind == "$identify" else "alias"
            properties[name] = draw(st.sampled_from(IDS))
        found.append(
            {
                "event": "seen" if kind == "personless" else kind,
                "distinct_id": draw(st.sampled_from(IDS)),
                "uuid": f"0196a000-0000-7000-8000-{draw(st.integers(1, 12)):012d}",
                "timestamp": (FIRST + timedelta(hours=draw(st.integers(0, 72)))).isoformat(),
                "properties": properties,
            }
        )
    return found


class Reference:
    """Persons as groups of ids, rows by their key."""

    def __init__(self) -> None:
        self.person_of: dict[str, int] = {}
        self.identified: set[int] = set()
        self.rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        properties, target = event["properties"], event["distinct_id"]
        source = properties.get("alias", properties.get("$anon_distinct_id"))
        if source is not None and source != target:
            self.merge(source, target, dangerously=event["event"] == "$merge_dangerously")
        if "$process_person_profile" not in properties:
            self.person_of.setdefault(target, len(self.person_of) + 1000 * len(self.rows) + 1)
        day = event["timestamp"][:10]
        self.rows[day, event["event"], target, event["uuid"]] = event

    def merge(self, source: str, target: str, *, dangerously: bool) -> None:
        into, other = self.person_of.get(target), self.person_of.get(source)
        if into is None and other is None:
            into = -len(self.rows) - 1 - 1000 * len(self.person_of)
        elif into is None:
            into = other
        elif other is not None and other != into:
            if other in self.identified and not dangerously:
                return
            for name, person in self.person_of.items():
                if person == other:
                    self.person_of[name] = into
        assert into is not None
        self.person_of[source] = self.person_of[target] = into
        self.identified.add(into)

    def by_day(self, zone: ZoneInfo) -> list[list[Any]]:
        counts: dict[str, int] = defaultdict(int)
        people: dict[str, set[object]] = defaultdict(set)
        for event in self.rows.values():
            day = datetime.fromisoformat(event["timestamp"]).astimezone(zone).date().isoformat()
            counts[day] += 1
            people[day].add(self.person_of.get(event["distinct_id"], event["distinct_id"]))
        return [[day, counts[day], len(people[day])] for day in sorted(counts)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(arrivals(), min_size=1, max_size=3))
async def test_counts_by_day_equal_the_reference(
    caller: Caller, zone: str, batches: list[list[dict[str, Any]]]
) -> None:
    project = caller.posthog.add_project("Case", timezone=zone)
    reference = Reference()
    for batch in batches:
        body = {"api_key": project.token, "batch": batch}
        assert (await caller.client.post("/batch/", json=body)).status_code == 200
        for event in batch:
            reference.take(event)
    query = "select toDate(timestamp) as day, count(), uniqExact(person_id) from events group by day order by day"
    caller.posthog.limits.lift()
    answer = await caller.client.post(
        f"/api/projects/{project.id}/query/", json={"query": {"kind": "HogQLQuery", "query": query}}
    )
    assert answer.json()["results"] == reference.by_day(ZoneInfo(zone))
