"""Templates make rules that fit their series, and the page lists each with its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.alerts.rules import forms
from functions.alerts.rules.templates import TEMPLATES, Template, template_of
from functions.alerts.series import checking
from functions.alerts.spec import EventSeries, RatioSeries
from hedgerow.errors import InvalidError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "alerts.md"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_a_template_makes_a_rule_whose_condition_fits_its_series(template: Template) -> None:
    form = template.form({})
    checking.check(form.series)
    checking.check_pair(form.series, form.condition)
    assert form.name == template.title


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_the_page_lists_every_template_with_its_settings(template: Template) -> None:
    line = next(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{template.name}`")
    )
    assert {name for name in template.settings if f"`{name}`" in line} == set(template.settings)


def test_the_names_the_issue_asks_for_are_there() -> None:
    asked = "dau_drop mau_drop error_spike payment_failure_rate transaction_volume signup_conversion flag_errors stale_flag sync_stale capture_backlog"
    assert {template.name for template in TEMPLATES} == set(asked.split())


def test_settings_come_as_text_and_become_numbers() -> None:
    form = template_of("payment_failure_rate").form({"by": "method", "minimum": "50"})
    assert isinstance(form.series, RatioSeries)
    assert form.series.minimum == 50
    assert isinstance(form.series.of, EventSeries)
    assert form.series.of.by == "method"


def test_what_a_template_has_not_is_refused_with_what_it_has() -> None:
    with pytest.raises(InvalidError) as refused:
        template_of("dau_drop").form({"percentage": 3})
    assert (refused.value.code, "percent" in refused.value.hint) == ("unknown_setting", True)
    with pytest.raises(InvalidError, match="not a number"):
        template_of("dau_drop").form({"percent": "many"})
    with pytest.raises(InvalidError) as unknown:
        template_of("dau")
    assert "dau_drop" in unknown.value.hint


def test_a_setting_that_contradicts_the_rest_is_refused_in_words() -> None:
    with pytest.raises(InvalidError, match="recover_below"):
        forms.read({"template": "capture_backlog", "set": {"minutes": 0.5}})


def test_a_form_names_the_field_that_is_wrong() -> None:
    rule = {"name": "x", "series": {"kind": "metric", "name": "posthog_dau"}, "condition": {"kind": "threshold"}}
    with pytest.raises(InvalidError) as refused:
        forms.read({**rule, "condition": {"kind": "threshold", "above": 1, "below": 2}})
    assert refused.value.members["field"] == "condition"
    with pytest.raises(InvalidError, match="none of"):
        forms.read({**rule, "condition": {"kind": "magic"}})
    with pytest.raises(InvalidError, match="no time zone"):
        forms.read({**rule, "policy": {"quiet_hours": {"begin": "22:00", "end": "07:00", "zone": "Mars/Olympus"}}})
    with pytest.raises(InvalidError, match=r"condition.above"):
        forms.read({**rule, "condition": {"kind": "threshold", "above": float("nan")}})


@pytest.mark.parametrize("text", ["inf", "nan", "NaN", "Infinity", "-inf", "1e999", float("inf")])
def test_a_setting_that_is_no_finite_number_is_refused(text: str | float) -> None:
    for template, name in (("stale_flag", "days"), ("capture_backlog", "minutes"), ("dau_drop", "percent")):
        with pytest.raises(InvalidError, match=f"`{name}` is not a number"):
            forms.read({"template": template, "set": {name: text}})
    for huge in ("1e300", "1e308"):
        with pytest.raises(InvalidError):
            forms.read({"template": "stale_flag", "set": {"days": huge}})
