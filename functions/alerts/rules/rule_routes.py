"""The rules API: templates, and a connection's rules saved with what they would have done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from starlette.responses import Response

from functions.alerts.incidents import evaluating
from functions.alerts.records import AlertRule, RuleState
from functions.alerts.rules import foretelling, forms, ruling
from functions.alerts.rules.lateness import lateness
from functions.alerts.rules.rule_views import (
    RulePage,
    RuleSaved,
    RuleView,
    SnoozeWanted,
    TemplatePage,
    TemplateView,
    rule_view,
)
from functions.alerts.rules.templates import TEMPLATES
from hedgerow import tiers
from hedgerow.app import App
from hedgerow.entrypoint import app_of, needs
from hedgerow.errors import HedgerowError
from hedgerow.keys import Caller
from hedgerow.logs import log
from hedgerow.models import Connection
from hedgerow.ownership import connection_of
from hedgerow.ports import Where

router = APIRouter()
Current = Annotated[App, Depends(app_of)]
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
Wanted = Annotated[dict[str, object], Body(description="A rule, or {template, set?, name?, channels?, …}.")]


@router.get("/v1/alerts/templates")
async def list_templates(caller: Reader) -> TemplatePage:
    """Every template with its settings."""
    items = [
        TemplateView(
            name=each.name, title=each.title, about=each.about, severity=each.severity, settings=dict(each.settings)
        )
        for each in TEMPLATES
    ]
    return TemplatePage(items=items)


@router.get("/v1/connections/{connection_id}/rules")
async def list_rules(connection_id: str, caller: Reader, app: Current) -> RulePage:
    """A connection's rules, the one it has from the start first."""
    connection = await connection_of(app, caller, connection_id)
    states = await _states(app, connection)
    items = [_view(app, connection, rule, states) for rule in await foretelling.all_rules(app, connection)]
    return RulePage(items=items)


@router.post("/v1/connections/{connection_id}/rules", status_code=201)
async def create_rule(connection_id: str, wanted: Wanted, caller: Writer, app: Current) -> RuleSaved:
    """Save a rule, or one from a template: `{"template": "dau_drop"}`."""
    connection = await connection_of(app, caller, connection_id)
    form, template = forms.read(wanted)
    told = await foretelling.foretell(app, connection, form)
    saved = await ruling.create(app, connection, form, template)
    await _judge(app, saved.connection, saved.rule)
    return await _saved(app, saved, told)


@router.get("/v1/connections/{connection_id}/rules/{rule_id}")
async def get_rule(connection_id: str, rule_id: str, caller: Reader, app: Current) -> RuleView:
    """One rule, and where it stands."""
    connection = await connection_of(app, caller, connection_id)
    rule = await ruling.rule_of(app, connection, rule_id)
    return _view(app, connection, rule, await _states(app, connection))


@router.put("/v1/connections/{connection_id}/rules/{rule_id}")
async def replace_rule(connection_id: str, rule_id: str, wanted: Wanted, caller: Writer, app: Current) -> RuleSaved:
    """Another form for a rule; an incident that is open is judged by the new one."""
    connection = await connection_of(app, caller, connection_id)
    rule = await ruling.rule_of(app, connection, rule_id)
    form, _ = forms.read(wanted)
    told = await foretelling.foretell(app, connection, form)
    saved = await ruling.replace(app, connection, rule, form)
    await _judge(app, saved.connection, saved.rule)
    return await _saved(app, saved, told)


@router.delete("/v1/connections/{connection_id}/rules/{rule_id}", status_code=204)
async def remove_rule(connection_id: str, rule_id: str, caller: Writer, app: Current) -> Response:
    """Take a rule away; its open incident is resolved."""
    connection = await connection_of(app, caller, connection_id)
    rule = await ruling.rule_of(app, connection, rule_id)
    await ruling.remove(app, connection, rule)
    await _judge(app, connection, rule)
    return Response(status_code=204)


@router.post("/v1/connections/{connection_id}/rules/{rule_id}/snooze")
async def snooze_rule(connection_id: str, rule_id: str, wanted: SnoozeWanted, caller: Writer, app: Current) -> RuleView:
    """Be quiet for so many minutes; 0 ends it."""
    connection = await connection_of(app, caller, connection_id)
    rule = await ruling.rule_of(app, connection, rule_id)
    snoozed = await ruling.snooze(app, connection, rule, wanted.minutes)
    await _judge(app, connection, snoozed)
    return _view(app, connection, snoozed, await _states(app, connection))


async def _judge(app: App, connection: Connection, rule: AlertRule) -> None:
    """Judge it at once: a rule over the outbox of a connection that never syncs is woken by nothing else."""
    try:
        await evaluating.judge_rule(app, connection, rule)
    except HedgerowError as error:
        # It is saved. The next run of the connection judges it.
        log().warning("alerts.not_judged_at_once", rule_id=rule.id, code=error.code, detail=error.detail)


async def _states(app: App, connection: Connection) -> list[RuleState]:
    states: list[RuleState] = []
    cursor: str | None = None
    while True:
        page = await app.store.find(RuleState, Where("connection_id", "==", connection.id), limit=500, cursor=cursor)
        states += page.items
        cursor = page.next_cursor
        if cursor is None:
            return states


def _view(app: App, connection: Connection, rule: AlertRule, states: list[RuleState]) -> RuleView:
    late = lateness(rule.series, connection, tiers.load(app.settings.tiers_file))
    return rule_view(rule, late, tuple(state for state in states if state.rule_id == rule.id))


async def _saved(app: App, saved: ruling.Saved, forecast: str) -> RuleSaved:
    view = _view(app, saved.connection, saved.rule, [])
    told = await foretelling.told_where(app, saved.connection, saved.rule)
    return RuleSaved(
        **{name: getattr(view, name) for name in RuleView.model_fields},
        forecast=forecast,
        told=told,
        backfill_run_id=saved.run.id if saved.run else None,
    )
