"""What a bill says beside its lines: what it is reckoned from, what dominates, and what would make it smaller. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from functions.api.routes import targets
from hedgerow.cli.operations.costs import reckoning
from hedgerow.cron import matches
from hedgerow.tiers import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hedgerow.cli.operations.costs.files import Counts, Prices, Region
    from hedgerow.cli.operations.costs.reckoning import Line, VaultKind, Wish
    from hedgerow.models import Tier

DOMINATING = 0.2
"""A line that is so much of the bill is named."""
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Saving:
    """What to change, and what a month costs then."""

    what: str
    usd: float


def wish(
    connections: int,
    tier: Tier,
    *,
    events_a_day: float = 0,
    rules: int = 0,
    region: Region = "europe-west1",
    vault: VaultKind = "secret_manager",
    min_instances: int = 0,
    tiers_file: Path | None = None,
) -> Wish:
    """A wish on this release's tiers and schedules."""
    rule = load(tiers_file)[tier]
    calls = schedules()
    return reckoning.Wish(
        connections=connections,
        tier=tier,
        syncs_a_day=0 if rule.every is None else DAY_MINUTES * 60 / rule.every.total_seconds(),
        forgets=rule.kept_days is not None,
        ticks_a_day={target: sum(times) for target, times in calls.items()},
        jobs=sum(map(len, calls.values())),
        events_a_day=events_a_day,
        rules=rules,
        region=region,
        vault=vault,
        min_instances=min_instances,
    )


def schedules() -> Mapping[str, tuple[float, ...]]:
    """How often a day each job of the manifest calls its target."""
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    day = [midnight + timedelta(minutes=minute) for minute in range(DAY_MINUTES)]
    return {
        name: tuple(float(sum(matches(job.cron, at) for at in day)) for job in target.schedules)
        for name, target in targets().items()
        if target.schedules
    }


def dominating(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines that are a fifth of the bill or more, the dearest first; none of a bill of nothing."""
    whole = reckoning.total(lines)
    dear = [line for line in lines if whole > 0 and line.usd >= DOMINATING * whole]
    return tuple(sorted(dear, key=lambda line: -line.usd))


def savings(asked: Wish, counts: Counts, prices: Prices) -> tuple[Saving, ...]:
    """What would make a month cheaper by a tenth or more, the most first."""

    def cost(changed: Wish) -> float:
        return reckoning.total(reckoning.bill(changed, counts, prices))

    now = cost(asked)
    others = [
        (
            'secrets sealed in Firestore instead of Secret Manager (vault = "sealed", before the first connection)',
            replace(asked, vault="sealed"),
        ),
        ("syncs half as often (`every` of each connection)", replace(asked, syncs_a_day=asked.syncs_a_day / 2)),
        ("Firestore in one region (firestore_location)", replace(asked, region="europe-west1")),
        ("no minimum instances", replace(asked, min_instances=0)),
    ]
    found = [Saving(what, usd) for what, changed in others if (usd := cost(changed)) <= 0.9 * now]
    return tuple(sorted(found, key=lambda saving: saving.usd))
