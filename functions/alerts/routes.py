"""The routes of the `alerts` API: rules and back-tests, incidents, channels, webhooks and activity."""

from __future__ import annotations

from fastapi import APIRouter

from functions.alerts.backtest import backtest_routes
from functions.alerts.channels import channel_routes
from functions.alerts.incidents import incident_routes
from functions.alerts.rules import rule_routes
from functions.alerts.webhooks import webhook_routes

router = APIRouter()
for part in (rule_routes, backtest_routes, incident_routes, channel_routes, webhook_routes):
    router.include_router(part.router)
