"""A body as one of the five forms: PascalCase or snake_case, nothing unknown, every fault named at once. Pure."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from difflib import get_close_matches

import orjson
from pydantic import ValidationError
from pydantic.alias_generators import to_pascal

from functions.capture.operating.operation_forms import FORMS, Form, shown
from functions.capture.wire.timestamps import EPOCH, FURTHEST_AHEAD
from hedgerow.errors import HedgerowError, MalformedError

LEAST_MILLISECONDS = 10**11
"""1973. What is below was meant as seconds, or by nobody."""
MOST_FAULTS = 8


class ParameterError(HedgerowError):
    """The parameters cannot be used: StatusCode -1, and `detail` is the ErrorMessage."""

    code = "parameter_invalid"


def read(operation: str, body: bytes) -> Form:
    """The parameters of a known operation.

    `MalformedError` when the body is no JSON object, `ParameterError` with every fault of
    the parameters otherwise.
    """
    kind = FORMS[operation]
    values, written, faults = _canonical(kind, _decoded(body))
    try:
        form = kind.model_validate(values, context=written)
    except ValidationError as error:
        faults += [_worded(dict(each), written) for each in error.errors()]
    else:
        if not faults:
            return form
    raise ParameterError("; ".join(faults[:MOST_FAULTS]) + ".")


def instant_of(timestamp: object, now: datetime) -> datetime | None:
    """The instant of a `timestamp` in Properties, Unix time in milliseconds; None when there is none."""
    if timestamp is None:
        return None
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise ParameterError("`Properties.timestamp` must be a number: Unix time in milliseconds.")
    if timestamp < LEAST_MILLISECONDS:
        # Never guessed: a wrong day is worse than a refusal.
        seconds = " It looks like seconds: multiply it by 1000." if timestamp >= LEAST_MILLISECONDS / 1000 else ""
        raise ParameterError(f"`Properties.timestamp` is too early to be Unix time in milliseconds.{seconds}")
    if timestamp > (now + FURTHEST_AHEAD - EPOCH) / timedelta(milliseconds=1):
        raise ParameterError(
            "`Properties.timestamp` lies in the future, and PostHog would replace it by the time of arrival. "
            "It must be Unix time in milliseconds."
        )
    return EPOCH + timedelta(milliseconds=timestamp)


def _decoded(body: bytes) -> dict[str, object]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _lenient(body)
    if not isinstance(value, dict):
        raise MalformedError("The body is not a JSON object.")
    return value


def _lenient(body: bytes) -> object:
    """NaN, infinite numbers and halves of characters read all the same, so that their place can be named."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise MalformedError("The body is not valid JSON.") from None


def _canonical(kind: type[Form], given: dict[str, object]) -> tuple[dict[str, object], dict[str, str], list[str]]:
    """Values by field, how the caller wrote each field's name, and what is wrong with the names."""
    fields = {spelt: name for name in kind.model_fields for spelt in (to_pascal(name), name)}
    values: dict[str, object] = {}
    written: dict[str, str] = {}
    faults: list[str] = []
    for spelt, value in given.items():
        name = fields.get(spelt)
        if name is None:
            faults.append(_unknown(spelt, list(fields)))
        elif name not in values:
            values[name], written[name] = value, spelt
        elif (type(values[name]), values[name]) != (type(value), value):
            faults.append(f"`{written[name]}` and `{spelt}` are one parameter, given twice with different values")
    if given and not any(spelt != spelt.lower() for spelt in given):
        # Who writes snake_case is told of missing ones in snake_case.
        written = {name: name for name in kind.model_fields} | written
    return values, written, faults


def _unknown(spelt: str, known: list[str]) -> str:
    near = get_close_matches(spelt[:100], known, 1)
    if not near:
        near = [name for name in known if name.lower() == spelt.replace("-", "_").lower()][:1]
    return f"`{shown(spelt)}` is no parameter of this operation" + (f" (did you mean `{near[0]}`?)" if near else "")


def _worded(error: dict[str, object], written: dict[str, str]) -> str:
    context = error.get("ctx")
    if error["type"] == "value_error" and isinstance(context, dict):
        return str(context["error"])
    place = error["loc"]
    name = str(place[0]) if isinstance(place, tuple) and place else ""
    return f"`{written.get(name, to_pascal(name))}` is missing"
