"""What a request to the capture host is, by its method and path alone.

Owns the list of ingestion paths and how a prefix in front of them is read. Reads no body,
opens nothing, and never asks for a redirect: a path with and without its last slash is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PlaceKind = Literal["v0", "v1", "ai", "recording", "engage", "health", "preflight", "operation", "passing"]


@dataclass(frozen=True, slots=True)
class Place:
    """What a request asks for.

    `path` has no prefix; of ingestion, health and operations no last slash either. `legacy` are
    the old paths, on which PostHog unwraps base64 once more. `/i/v1/ai/events` is of kind `v1`,
    and its path tells that it belongs to the AI lane.
    """

    kind: PlaceKind
    path: str
    legacy: bool = False


_LEGACY = ("/e", "/capture", "/track", "/engage")
_INGESTION: dict[str, Place] = {
    place.path: place
    for place in (
        Place("v0", "/batch"),
        Place("v0", "/i/v0/e"),
        *(Place("engage" if path == "/engage" else "v0", path, legacy=True) for path in _LEGACY),
        Place("recording", "/s"),
        Place("ai", "/i/v0/ai/batch"),
        Place("v1", "/i/v1/analytics/events"),
        Place("v1", "/i/v1/ai/events"),
    )
}
_HEALTH = {path: Place("health", path) for path in ("/", "/_readiness", "/_liveness")}
_EXACT: dict[str, Place] = {
    spelling: place
    for places in (_INGESTION, _HEALTH)
    for path, place in places.items()
    for spelling in {path, path.rstrip("/") + "/", path.rstrip("/")}
}
_LONG_TAILS = tuple(path for path in _INGESTION if path.count("/") > 1)
_SHORT_TAILS = frozenset(path for path in _INGESTION if path.count("/") == 1)
_ROOTS = frozenset(["api", "array", "decide", "flags", "i", "static"])
"""First segments of PostHog's own paths: an unknown prefix ends where one of them stands."""
_OPERATIONS = "/v1/capture/"


def place_of(method: str, path: str, prefix: str) -> Place:
    """Where a request belongs. `prefix` is the setting, such as /ph, or "".

    The paths work behind the prefix, without it, and behind a prefix nobody announced as long
    as what follows cannot be anything else: `/any/batch/` is ingestion, `/static/e` is not.

    >>> place_of("POST", "/ph/e/", "")
    Place(kind='v0', path='/e', legacy=True)
    """
    known = _EXACT.get(path)
    if known is not None and method == "POST" and known.kind != "health":
        return known
    path = _without(path, prefix)
    if method == "OPTIONS":
        return Place("preflight", path)
    if path.startswith(_OPERATIONS) and len(path) > len(_OPERATIONS):
        return Place("operation", path.rstrip("/"))
    known = _EXACT.get(path)
    if known is None:
        path = _tail(path, posts=method == "POST")
        known = _INGESTION.get(path)
    if known is not None and method in _methods(known):
        return known
    return Place("passing", path)


def _methods(place: Place) -> tuple[str, ...]:
    """PostHog takes v0's events by GET too, in `data=`; the newer paths only by POST."""
    if place.kind == "health":
        return ("GET", "HEAD")
    return ("POST",) if place.kind in {"v1", "ai"} else ("POST", "GET")


def _without(path: str, prefix: str) -> str:
    """The path behind the prefix of the setting; as it is where the prefix does not stand in front."""
    prefix = "/" + prefix.strip("/")
    if prefix != "/" and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in {"", "/"}:
        return path[len(prefix) :] or "/"
    return path


def _tail(path: str, *, posts: bool) -> str:
    """The path behind a prefix nobody announced; ingestion paths lose their last slash.

    A one-segment tail counts only for a POST, and only where nothing before it is a word of
    PostHog's own paths or of our API's.
    """
    segments = [segment for segment in path.split("/") if segment]
    if not segments or segments[0] == "v1":
        return path
    bare = "/" + "/".join(segments)
    for tail in _LONG_TAILS:
        if bare.endswith(tail) and _ROOTS.isdisjoint(segments[: -tail.count("/")]):
            return tail
    last = "/" + segments[-1]
    if last in _SHORT_TAILS and _ROOTS.isdisjoint(segments[:-1]) and (posts or len(segments) == 1):
        return last
    for position, segment in enumerate(segments):
        if segment in _ROOTS:
            slash = "/" if path.endswith("/") else ""
            return "/" + "/".join(segments[position:]) + slash
    return path
