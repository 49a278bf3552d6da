from __future__ import annotations

from typing import Any

import pytest

from tests.infra.terraform_program import Plan, manifest, needs_terraform, tiers

pytestmark = needs_terraform


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan(tmp_path_factory.mktemp("plan"))


def changed(target: str, **entry: Any) -> dict[str, Any]:
    """The manifest with some keys of a target written otherwise; None takes a key out."""
    whole = manifest()
    whole[target] = {key: value for key, value in {**whole[target], **entry}.items() if value is not None}
    return {"manifest": whole}


def tier(name: str, **entry: Any) -> dict[str, Any]:
    return {"tiers": {**tiers(), name: {**tiers()[name], **entry}}}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (changed("notify", trigger="webhook"), "notify: the trigger is http, schedule or topic, not webhook."),
        (changed("sync_tick", schedules=[]), "sync_tick: a schedule target has `schedules`, and no other target has."),
        (
            changed("alerts_tick", schedules=[{"cron": "every 5 minutes", "body": {}}]),
            "alerts_tick: every 5 minutes is no cron of five fields.",
        ),
        (
            changed("alerts_tick", schedules=[{"cron": "* * * *", "body": {}}]),
            "alerts_tick: * * * * is no cron of five fields.",
        ),
        (
            changed("alerts_tick", schedules=[{"cron": "* * * * *", "body": {}}, {"cron": "1 * * * *", "body": {}}]),
            "alerts_tick: two schedules would give their jobs one name; tell them apart by `tier`.",
        ),
        (
            changed("alerts_tick", schedules=[{"cron": "* * * * *", "body": {"tier": "gold"}}]),
            "alerts_tick: tiers.json has no tier gold.",
        ),
        (changed("notify", topic=None), "notify: a topic target names its `topic` in kebab case"),
        (changed("notify", topic="run-ended"), "two targets hear the topic run-ended; a topic has one."),
        (changed("bury_message", topic="buried"), "no target has the topic dead;"),
        (
            changed("notify", rights={"publish": ["nowhere"]}),
            "notify: nobody hears the topic nowhere it publishes to.",
        ),
        (changed("api", callers=None), "api: an http target says who calls it: `callers` is public or api."),
        (changed("notify", callers="public"), "notify: only an http target has `callers`; this one is private."),
        (changed("notify", callers="api"), "notify: only an http target has `callers`; this one is private."),
        (changed("capture", callers="api"), "capture must be there with `callers` public: it is an address."),
        (
            changed("notify", cpu="0.5", concurrency=40),
            "notify: concurrency is 1 to 1000, and above 1 it needs a cpu of 1 or more.",
        ),
        (changed("notify", memory="512M"), "notify: memory is written as 512Mi or 2Gi, not 512M."),
        (changed("notify", timeout=601), "notify: a timeout of 601 s is longer than its caller waits, 600 s."),
        (changed("notify", source="functions/gone/main.py"), "notify: there is no functions/gone/main.py; add the"),
        (
            {"manifest": {**manifest(), "Notify": manifest()["notify"]}},
            "Notify: a name is lower case letters, digits and underscores.",
        ),
        (
            {"manifest": {**manifest(), "a_target_with_far_too_long_a_name": manifest()["capture"]}},
            "hedgerow-a_target_with_far_too_long_a_name is longer than the 30 characters of a service account's id.",
        ),
        (
            tier("pro", every_minutes=0),
            "tiers.json, pro: every_minutes is null or a whole number from 5 up that divides a day's 1440, not 0.",
        ),
        (tier("pro", every_minutes=4), "whole number from 5 up that divides a day's 1440, not 4."),
        (tier("pro", every_minutes=7.5), "whole number from 5 up that divides a day's 1440, not 7.5."),
        (tier("pro", every_minutes=17), "whole number from 5 up that divides a day's 1440, not 17."),
        (tier("basic", every_minutes=60), "basic: it syncs by itself, but no schedule of manifest.json has its tier."),
        (
            tier("basic", kept_days=-1),
            "tiers.json, basic: kept_days is null or a whole number from 0 to 36500, not -1.",
        ),
        (tier("basic", kept_days=36501), "basic: kept_days is null or a whole number from 0 to 36500, not 36501."),
        ({"min_instances": {"captrue": 1}}, "manifest.json has no target captrue."),
        ({"min_instances": {"capture": 500}}, "min_instances, capture: fewer may run than are kept warm;"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_one_clear_line(plan: Plan, variables: dict[str, Any], sentence: str) -> None:
    refusal = plan.refusal(**variables)
    assert sentence in refusal
    assert refusal.count("Error:") == 1, refusal


def test_everything_that_is_wrong_is_said_at_once(plan: Plan) -> None:
    both = plan.refusal(**changed("notify", memory="512M"), **tier("pro", every_minutes=0))
    assert "notify: memory is written" in both
    assert "pro: every_minutes is null" in both


def test_a_missing_zip_says_how_to_make_it(plan: Plan) -> None:
    refusal = plan.refusal(bundle="dist/nothing.zip")
    assert "There is no dist/nothing.zip: run `make bundle` in the clone first." in refusal
    assert refusal.count("Error:") == 1, refusal


def test_a_tier_without_its_interval_is_told_by_its_name(plan: Plan) -> None:
    refusal = plan.refusal(tiers={**tiers(), "pro": {"kept_days": None, "by_hand": True}})
    assert 'element "pro": attribute "every_minutes" is required' in refusal
