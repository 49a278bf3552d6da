"""Cloud Logging's filters as far as `monitoring/` writes them: comparisons joined by AND, or by OR in brackets.

Anything else is refused, so that a filter nobody can judge here is not written there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

TERM = re.compile(r'(?P<path>[A-Za-z_.]+)(?P<sign>>=|<=|=|>|<)(?P<value>"[^"]*"|-?[0-9.]+)')


def matches(written: str, entry: Mapping[str, object]) -> bool:
    """Whether an entry, with `jsonPayload` and `resource` in it, meets the filter."""
    return all(_any(part, entry) for part in _split(written, " AND "))


def paths(written: str) -> set[str]:
    """The fields that it names."""
    return {term["path"] for term in TERM.finditer(written)}


def value_at(path: str, entry: Mapping[str, object]) -> object:
    """A field by its path; None where there is none."""
    found: object = entry
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _any(part: str, entry: Mapping[str, object]) -> bool:
    if part.startswith("("):
        return any(_meets(each, entry) for each in _split(part.removeprefix("(").removesuffix(")"), " OR "))
    return _meets(part, entry)


def _meets(term: str, entry: Mapping[str, object]) -> bool:
    found = TERM.fullmatch(term.strip())
    if found is None:
        raise ValueError(f"not a comparison: {term}")
    wanted, there = json.loads(found["value"]), value_at(found["path"], entry)
    if isinstance(wanted, str):
        if found["sign"] != "=":
            raise ValueError(f"text is only compared for being the same: {term}")
        return there == wanted
    if not isinstance(there, int | float) or isinstance(there, bool):
        return False
    number = float(wanted)
    signs = {
        "=": there == number,
        ">": there > number,
        "<": there < number,
        ">=": there >= number,
        "<=": there <= number,
    }
    return signs[found["sign"]]


def _split(written: str, by: str) -> list[str]:
    """Parts outside brackets."""
    parts, depth, begin = [], 0, 0
    for place, sign in enumerate(written):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and written.startswith(by, place):
            parts.append(written[begin:place])
            begin = place + len(by)
    return [*parts, written[begin:]]
