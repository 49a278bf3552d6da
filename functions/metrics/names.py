"""Names of series: which exist by the catalogue, in what order they are shown, and what a misspelt one may mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, METRICS, metric_of
from hedgerow.errors import InvalidError

FIXED = tuple(metric.name for metric in METRICS if "<" not in metric.name)
_PLACE = {name: place for place, name in enumerate(FIXED)}


def known(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, in the order given; `InvalidError` for one that no metric makes."""
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        if metric_of(name) is None:
            raise _unknown(name)
    return unique


def unit_of(name: str) -> str:
    """The unit of a series; a series kept from an older catalogue counts."""
    metric = metric_of(name)
    return metric.unit if metric else "count"


def shown_in_order(names: Iterable[str]) -> list[str]:
    """The catalogue's metrics in its order, then events, then flags, by name."""
    return sorted(set(names), key=lambda name: (_PLACE.get(name, len(FIXED)), name.startswith(FLAG_PREFIX), name))


def _unknown(name: str) -> InvalidError:
    near = get_close_matches(name, FIXED, n=3, cutoff=0.6) or get_close_matches(
        f"posthog_{name}", FIXED, n=3, cutoff=0.6
    )
    if name and not name.startswith((EVENT_PREFIX, FLAG_PREFIX)):
        near.append(f"{EVENT_PREFIX}{name[:200]}")
    return InvalidError(
        f"No metric makes a series named `{name[:200]}`.",
        code="unknown_metric",
        hint=(f"Did you mean {' or '.join(f'`{each}`' for each in near)}? " if near else "")
        + "GET /v1/metrics/catalog lists every metric; an event's series is `event:<name>`, a flag's `flag:<key>:<variant>`.",
        members={"field": "name", "near": near},
    )
