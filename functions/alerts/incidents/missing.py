"""What a missing newest point means, as the rule's policy says. Pure.

A point is missing when its bucket has ended and a sync has asked since; before that it is
only late, and late is not missing.
"""

from __future__ import annotations

from dataclasses import replace

from functions.alerts.conditions import sentences
from functions.alerts.conditions.kinds import Condition, NewValue, NoData, StaleFlag
from functions.alerts.conditions.newest import PATIENCE_OF_DAYS, PATIENCE_OF_LESS
from functions.alerts.conditions.series import DAY, HOUR, Series, Verdict
from functions.alerts.records import AlertRule
from hedgerow.models import SyncProgress


def as_known(condition: Condition, series: Series, progress: SyncProgress) -> Series:
    """The series as of the newest sync: what was not asked for since comes no nearer to whole by waiting.

    For `no_data` only up to when nothing is known to have come.
    """
    if progress.last_success_at is None:
        return series
    if isinstance(condition, NoData):
        return replace(series, until=known_until(series, progress))
    return replace(series, until=min(series.until, int(progress.last_success_at.timestamp())))


def known_until(series: Series, progress: SyncProgress) -> int:
    """Until when what is not there is known to be missing, in epoch seconds; never after the series' own end.

    A sync that has not asked knows nothing. Where PostHog held no newer event of any kind,
    all of them may be late: that is waited for as long as for any incomplete bucket, then
    believed.
    """
    if progress.last_success_at is None:
        return series.until
    known = progress.last_success_at.timestamp()
    if progress.newest_event_at is not None:
        patience = PATIENCE_OF_DAYS if series.seconds >= DAY else PATIENCE_OF_LESS
        known = min(known, max(progress.newest_event_at.timestamp(), known - patience))
    return min(series.until, int(known))


def missing_bucket(series: Series, progress: SyncProgress) -> int | None:
    """Begin of the newest bucket that should have a point and has none; None when nothing is missing, or nobody asked.

    One that was measured and held too little to speak is silent, not missing.
    """
    measured = (*series.begins[-1:], *series.silent[-1:])
    if not measured or progress.last_success_at is None:
        return None
    newest = max(measured)
    # A local day may be an hour longer than it should be.
    slack = HOUR if series.seconds == DAY else 0
    whole = (known_until(series, progress) - slack - newest) // series.seconds - 1
    return newest + whole * series.seconds if whole >= 1 else None


def with_policy(verdict: Verdict, rule: AlertRule, series: Series, progress: SyncProgress) -> Verdict:
    """The verdict, or what the policy says instead of it when the newest point is missing."""
    if rule.policy.no_data == "keep" or isinstance(rule.condition, NoData | NewValue | StaleFlag):
        return verdict
    bucket = missing_bucket(series, progress)
    if bucket is None:
        return verdict
    sentence = f"{series.name} has no point for {sentences.bucket_told(series, bucket)}."
    if rule.policy.no_data == "firing":
        return Verdict("firing", "no_data", sentence, bucket)
    return Verdict("not_firing", "no_data", f"{sentence} This rule takes that for well.", bucket, recovered=True)
