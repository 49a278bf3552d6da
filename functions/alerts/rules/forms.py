"""Reading what a rule is asked for in: a whole rule, or a template with settings. Refusals name the field in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from functions.alerts.rules.rule_views import TemplateWanted
from functions.alerts.rules.templates import template_of
from functions.alerts.spec import RuleForm
from hedgerow.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

M = TypeVar("M", bound=BaseModel)


def read(wanted: Mapping[str, object]) -> tuple[RuleForm, str | None]:
    """The rule, and the template it came from."""
    if "template" not in wanted:
        return _validated(RuleForm, wanted), None
    asked = _validated(TemplateWanted, wanted)
    template = template_of(asked.template)
    try:
        made = template.form(dict(asked.set))
    except ValidationError as error:
        raise refusal(error) from None
    changes: dict[str, Any] = {
        "name": asked.name or made.name,
        "severity": asked.severity or made.severity,
        "policy": asked.policy or made.policy,
        "channels": asked.channels,
        "enabled": asked.enabled,
    }
    return made.model_copy(update=changes), template.name


def refusal(error: ValidationError) -> InvalidError:
    """The first thing wrong with a form, as a sentence. The refused value is left out: it may be a key."""
    first = error.errors(include_input=False, include_url=False)[0]
    # The unions put their tags between the fields' names; people know only the fields.
    where = ".".join(str(part) for part in first["loc"] if not _is_tag(part))[:200]
    why = {
        "missing": "is missing",
        "extra_forbidden": "is no field of it",
        "union_tag_invalid": f"has a `kind` that is none of {first.get('ctx', {}).get('expected_tags', '')}",
        "union_tag_not_found": "needs a `kind`",
    }.get(first["type"], f"cannot be used: {first['msg'].removeprefix('Value error, ')}")
    name = f"`{where}`" if where else "The rule"
    return InvalidError(f"{name} {why}.", members={"field": where} if where else None)


def _validated(kind: type[M], wanted: Mapping[str, object]) -> M:
    try:
        return kind.model_validate(dict(wanted))
    except ValidationError as error:
        raise refusal(error) from None


def _is_tag(part: object) -> bool:
    return part in {
        "metric",
        "event",
        "ratio",
        "difference",
        "sync",
        "backlog",
        "flag",
        "threshold",
        "change",
        "anomaly",
        "no_data",
        "new_value",
        "stale_flag",
    }
