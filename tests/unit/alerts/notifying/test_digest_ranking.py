"""Which rules a digest names first, and which of them it would delete."""

from __future__ import annotations

from datetime import UTC, datetime

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.notifying.digests import ranked
from functions.alerts.records import AlertRule, Incident
from functions.alerts.spec import MetricSeries

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def rule(id: str, useful: int = 0, useless: int = 0) -> AlertRule:
    return AlertRule(
        id=id,
        tenant_id="ten_1",
        connection_id="con_1",
        name=id,
        series=MetricSeries(name="posthog_dau"),
        condition=Threshold(below=1),
        useful=useful,
        useless=useless,
        created_at=NOW,
        updated_at=NOW,
    )


def incidents(rule_id: str, number: int, *, acknowledged: int = 0) -> list[Incident]:
    return [
        Incident(
            id=f"inc_{rule_id}_{each}",
            tenant_id="ten_1",
            connection_id="con_1",
            rule_id=rule_id,
            rule_name=rule_id,
            connection_name="Shop",
            severity="warning",
            since=NOW,
            opened_at=NOW,
            sentence="It is low.",
            acknowledged_at=NOW if each < acknowledged else None,
        )
        for each in range(number)
    ]


def test_the_least_useful_come_first_and_only_they_are_to_go() -> None:
    rules = {one.id: one for one in (rule("hated", useless=3), rule("ignored"), rule("new"), rule("loved", useful=4))}
    told = [
        *incidents("loved", 4, acknowledged=3),
        *incidents("new", 1),
        *incidents("ignored", 9),
        *incidents("hated", 3),
    ]
    worths = ranked(told, rules)
    assert [worth.name for worth in worths] == ["ignored", "hated", "new", "loved"]
    assert [worth.name for worth in worths if worth.deserves_deletion] == ["ignored", "hated"]


def test_a_rule_that_is_gone_is_ranked_by_its_incidents() -> None:
    (worth,) = ranked(incidents("gone", 2, acknowledged=1), {})
    assert (worth.incidents, worth.acknowledged, worth.deserves_deletion) == (2, 1, False)
