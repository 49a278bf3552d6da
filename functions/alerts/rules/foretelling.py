"""What a rule would have done in the last ninety days, in words, and where it will tell."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from functions.alerts.backtest import backtesting, forecasting, past
from functions.alerts.conditions.kinds import NewValue, StaleFlag
from functions.alerts.conditions.series import Series
from functions.alerts.incidents import health
from functions.alerts.notifying import planning
from functions.alerts.records import AlertRule, Channel
from functions.alerts.rules import ruling
from functions.alerts.series import asking, measuring, partial, reading
from functions.alerts.series.past import with_data
from functions.alerts.spec import BacklogSeries, FlagSeries, RuleForm, SyncSeries
from hedgerow import days, tiers
from hedgerow.app import App
from hedgerow.errors import HedgerowError, OutboundError, RefusedError
from hedgerow.measures import MOST_VALUES
from hedgerow.models import Connection

DAYS = 90
# Fewer points than this say nothing about ninety days; PostHog is asked instead.
FEWEST_POINTS = 28


async def all_rules(app: App, connection: Connection) -> list[AlertRule]:
    """A connection's rules, the one it has from the start first, whether it was ever saved or not."""
    kept = await ruling.rules_of(app, connection.id)
    born = health.health_rule(connection)
    if all(rule.id != born.id for rule in kept):
        kept = [born, *kept]
    return sorted(kept, key=lambda rule: rule.template != health.TEMPLATE)


async def foretell(app: App, connection: Connection, form: RuleForm) -> str:
    """One or a few sentences; why there are none, where the past cannot be tried."""
    if isinstance(form.series, SyncSeries | BacklogSeries):
        return "No forecast: how syncs and the outbox stood in the past is not kept."
    if isinstance(form.condition, NewValue | StaleFlag) or isinstance(form.series, FlagSeries):
        return "No forecast: what was new or stale at the time cannot be told from today's values."
    tried = form.model_copy(update={"series": partial.whole_days(form.series)})
    try:
        history = await _history(app, connection, tried)
    except (RefusedError, OutboundError) as error:
        return f"No forecast yet: {error.detail} Try later: hedgerow alerts backtest."
    known = [with_data(tried.series, series) for series in history][:MOST_VALUES]
    told = await asyncio.to_thread(lambda: [each for series in known if (each := _words(form, series))])
    if told and tried != form:
        told.append(past.AT_THE_END)
    return "\n".join(told) or "No forecast yet: there is no history of these numbers."


async def told_where(app: App, connection: Connection, rule: AlertRule) -> str:
    """Where incidents of this rule are told, or that nobody is, and what to do about it."""
    if not rule.enabled:
        return "It is switched off."
    ids = await planning.channels_for(app, rule)
    found = await app.store.get_many(Channel, [each for each in ids if each != planning.OPERATOR])
    names = [each.name for each in found if each is not None]
    names += ["the operator"] if planning.OPERATOR in ids else []
    if names:
        return f"It will tell {', '.join(names)}."
    return "It will tell nobody: there is no default channel. → hedgerow channels add NAME --default"


async def _history(app: App, connection: Connection, form: RuleForm) -> list[Series]:
    """Ninety days as far as they are stored; asked of PostHog where what is needed was never measured."""
    now = app.now()
    stored = await reading.read(app, connection, form.series, days=DAYS, now=now)
    if any(len(series.begins) >= FEWEST_POINTS for series in stored) or not measuring.measures_of(form.series):
        return stored
    today = days.today(now, connection.timezone)
    first = today - timedelta(days=DAYS - 1)
    oldest = tiers.oldest_kept(connection.tier, tiers.load(app.settings.tiers_file), today)
    return await asking.ask(app, connection, form.series, max(first, oldest) if oldest else first, today)


def _words(form: RuleForm, series: Series) -> str:
    if not series.begins:
        return ""
    try:
        report = backtesting.backtest(form.condition, form.policy, series)
    except HedgerowError as error:
        return error.detail
    words = forecasting.forecast(report).words
    whose = f"{series.value}: " if series.value is not None else ""
    return f"{whose}{words[:1].upper()}{words[1:]}"
