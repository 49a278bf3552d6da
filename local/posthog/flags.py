"""Evaluating a feature flag for one person: conditions, rollout by hash, variants, payloads.

Refuses to guess: a condition on something it cannot know (a cohort) does not match.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from local.posthog.project import FeatureFlag

_LONG_SCALE = float(0xFFFFFFFFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a flag is for someone, and why."""

    enabled: bool
    variant: str | None = None
    condition: int | None = None
    reason: str = "no_condition_match"

    @property
    def value(self) -> bool | str:
        return self.variant if self.enabled and self.variant else self.enabled


def evaluate(flag: FeatureFlag, distinct_id: str, properties: dict[str, Any], groups: dict[str, Any]) -> Evaluation:
    """The flag for a distinct id, with the person's properties known."""
    if not flag.active:
        return Evaluation(enabled=False, reason="disabled")
    identity: str | None = distinct_id
    if flag.filters.get("aggregation_group_type_index") is not None:
        identity = next((str(key) for key in groups.values()), None)
    if identity is None:
        return Evaluation(enabled=False, reason="no_group_type")
    conditions = flag.filters.get("groups")
    reason = "no_condition_match"
    for index, condition in enumerate(conditions if isinstance(conditions, list) else []):
        if not isinstance(condition, dict) or not _all_match(condition, properties):
            continue
        percentage = condition.get("rollout_percentage")
        if isinstance(percentage, (int, float)) and _share(flag.key, identity) > percentage / 100:
            reason = "out_of_rollout_bound"
            continue
        forced = condition.get("variant")
        variant = forced if isinstance(forced, str) else _variant(flag, identity)
        return Evaluation(enabled=True, variant=variant, condition=index, reason="condition_match")
    return Evaluation(enabled=False, reason=reason)


def payload(flag: FeatureFlag, found: Evaluation) -> str | None:
    """The payload of what was found, a JSON text, or None."""
    payloads = flag.filters.get("payloads")
    if not found.enabled or not isinstance(payloads, dict):
        return None
    value = payloads.get(found.variant or "true")
    return value if isinstance(value, str) else None


def shown(flag: FeatureFlag, found: Evaluation) -> dict[str, Any]:
    """The flag in the answer of /flags?v=2."""
    return {
        "key": flag.key,
        "enabled": found.enabled,
        "variant": found.variant,
        "reason": {
            "code": found.reason,
            "condition_index": found.condition,
            "description": _described(found),
        },
        "metadata": {
            "id": flag.id,
            "version": flag.version,
            "description": flag.name or None,
            "payload": payload(flag, found),
        },
    }


def _described(found: Evaluation) -> str:
    if found.condition is not None:
        return f"Matched condition set {found.condition + 1}"
    return {"disabled": "Feature flag is disabled"}.get(found.reason, "No matching condition set")


def _share(key: str, identity: str, salt: str = "") -> float:
    digest = hashlib.sha1(f"{key}.{identity}{salt}".encode()).hexdigest()  # noqa: S324
    return int(digest[:15], 16) / _LONG_SCALE


def _variant(flag: FeatureFlag, identity: str) -> str | None:
    multivariate = flag.filters.get("multivariate")
    variants = multivariate.get("variants") if isinstance(multivariate, dict) else None
    share, upper = _share(flag.key, identity, "variant"), 0.0
    for variant in variants if isinstance(variants, list) else []:
        if isinstance(variant, dict):
            weight = variant.get("rollout_percentage")
            upper += (weight if isinstance(weight, (int, float)) else 0) / 100
            if share < upper:
                return str(variant.get("key"))
    return None


def _all_match(condition: dict[str, Any], properties: dict[str, Any]) -> bool:
    wanted = condition.get("properties")
    return all(
        isinstance(one, dict) and _matches(one, properties) for one in (wanted if isinstance(wanted, list) else [])
    )


def _matches(wanted: dict[str, Any], properties: dict[str, Any]) -> bool:
    if wanted.get("type") == "cohort":
        return False
    key, operator = str(wanted.get("key")), wanted.get("operator") or "exact"
    value = wanted.get("value")
    if operator == "is_not_set":
        return key not in properties
    if key not in properties:
        return operator in ("is_not", "not_icontains", "not_regex")
    if operator == "is_set":
        return True
    found = properties[key]
    values = [_text(part) for part in value] if isinstance(value, list) else [_text(value)]
    text = _text(found)
    match operator:
        case "exact":
            return text in values
        case "is_not":
            return text not in values
        case "icontains":
            return values[0] in text
        case "not_icontains":
            return values[0] not in text
        case "regex" | "not_regex":
            return _searches(str(value), str(found)) is (operator == "regex")
        case "gt" | "gte" | "lt" | "lte":
            return _compares(operator, found, value)
    return False


def _text(value: object) -> str:
    return str(value).lower()


def _searches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _compares(operator: str, found: object, value: object) -> bool:
    try:
        left, right = float(str(found)), float(str(value))
    except ValueError:
        return False
    return {
        "gt": left > right,
        "gte": left >= right,
        "lt": left < right,
        "lte": left <= right,
    }[operator]
