"""A condition and a policy from words of the command line: `--condition KIND --set key=value`. Pure.

Refuses a key that the kind has not, naming those it has, and a value that does not fit its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NewValue, NoData, Threshold
from functions.alerts.spec import Policy
from hedgerow.errors import InvalidError

KINDS: dict[str, type[Threshold | Change | Anomaly | NoData | NewValue]] = {
    "threshold": Threshold,
    "change": Change,
    "anomaly": Anomaly,
    "no_data": NoData,
    "new_value": NewValue,
}
POLICY_KEYS = ("fire_after", "out_of", "recover_after", "minimum_minutes", "cooldown_minutes", "no_data")
F = TypeVar("F", bound=BaseModel)
_NOTHING = frozenset({"", "none", "null"})


def wished(
    kind: str, pairs: Sequence[str], own: Condition | None = None, own_policy: Policy | None = None
) -> tuple[Condition, Policy]:
    """The condition of this kind and the policy, with what `key=value` pairs set of either.

    What they do not set is that of `own`, where it is of this kind, and of `own_policy`; else the default.
    """
    if kind not in KINDS:
        raise InvalidError(f"{kind!r} is no kind of condition.", hint=f"The kinds are {', '.join(KINDS)}.")
    keys = condition_keys(kind)
    condition: dict[str, object] = {}
    policy: dict[str, object] = {}
    for pair in pairs:
        key, is_pair, text = pair.partition("=")
        key = key.strip()
        if not is_pair:
            raise InvalidError(f"--set {pair!r} is no key=value.", hint=f"For example --set {keys[0]}=…")
        if key not in keys and key not in POLICY_KEYS:
            raise _unknown(kind, key, keys)
        part = condition if key in keys else policy
        if key in part:
            raise InvalidError(f"--set names {key} twice.", hint="Give each key once.")
        part[key] = None if text.strip().lower() in _NOTHING else text.strip()
    if "fire_after" in policy and "out_of" not in policy:
        policy["out_of"] = _at_least(own_policy, policy["fire_after"])
    kept = own.model_dump(exclude={"kind"}) if own is not None and own.kind == kind else {}
    stays = own_policy.model_dump() if own_policy is not None else {}
    return _valid(KINDS[kind], kept | condition), _valid(Policy, stays | policy)


def saved(condition: object, policy: object) -> tuple[Condition, Policy]:
    """A rule's own, from the API's JSON."""
    try:
        return TypeAdapter[Condition](Condition).validate_python(condition), Policy.model_validate(policy)
    except ValidationError:
        hint = "Is this command as new as the server?"
        raise InvalidError("This rule is of a kind that is not known here.", hint=hint) from None


def condition_keys(kind: str) -> tuple[str, ...]:
    """What may be set of a kind, beside `POLICY_KEYS`."""
    return tuple(name for name in KINDS[kind].model_fields if name != "kind")


def _at_least(own: Policy | None, fire_after: object) -> object:
    """N alone is N of N, or of the rule's own M where that is more."""
    has_more = own is not None and str(fire_after).isdecimal() and int(str(fire_after)) < own.out_of
    return own.out_of if own is not None and has_more else fire_after


def _unknown(kind: str, key: str, keys: Sequence[str]) -> InvalidError:
    near = get_close_matches(key, [*keys, *POLICY_KEYS], 1)
    meant = f" Did you mean {near[0]}?" if near else ""
    hint = f"{kind} has {', '.join(keys)}; every kind has {', '.join(POLICY_KEYS)}."
    return InvalidError(f"{kind} has no setting {key[:40]!r}.{meant}", hint=hint)


def _valid(form: type[F], words: dict[str, object]) -> F:
    try:
        return form.model_validate(words)
    except ValidationError as error:
        first = error.errors()[0]
        why = str(first["msg"]).removeprefix("Value error, ")
        key = ".".join(map(str, first["loc"]))
        detail = f"--set {key}={words.get(key)}: {why}." if key else f"The settings together: {why}."
        raise InvalidError(detail, hint="Mend the value; without --set the default is taken.") from None
