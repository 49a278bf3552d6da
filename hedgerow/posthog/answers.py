"""PostHog's answers, decoded strictly: what is missing or of another shape is `malformed_answer`, never a guess."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Never, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hedgerow.foreign import printable
from hedgerow.posthog.errors import PostHogError


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one HogQL query: every row has one value a column."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    types: tuple[str, ...] = ()
    timezone: str | None = None
    has_more: bool = False


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _printable(name: object) -> object:
    return printable(name) if isinstance(name, str) else name


S = TypeVar("S", bound=_Seen)


class Project(_Seen):
    """What PostHog tells of a project. `ingested_event` False: it has never received an event."""

    id: Annotated[str, BeforeValidator(str)]
    name: Annotated[str, BeforeValidator(_printable)] = ""
    api_token: str | None = None
    timezone: str | None = None
    ingested_event: bool | None = None


class KeySelf(_Seen):
    """What a personal API key may do; no scopes, or `*`, mean everything."""

    scopes: tuple[str, ...] | None = None
    scoped_teams: tuple[int, ...] | None = None


class ProjectPage(_Seen):
    """The first page of the projects a key sees."""

    results: tuple[Project, ...]
    next: str | None = None


class Organisation(_Seen):
    """An organisation and its projects, as the key's owner sees them."""

    teams: tuple[Project, ...] = ()


class Me(_Seen):
    """The owner of a personal API key; only the projects in sight matter here."""

    organization: Organisation | None = None
    team: Project | None = None


def decoded(body: bytes) -> dict[str, object]:
    """The JSON object of an answer; NaN, broken UTF-8 and endless nesting are refused."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        if body.lstrip()[:1] == b"<":
            raise PostHogError(
                "The host answered with a web page where PostHog's API answers JSON.", code="not_posthog"
            ) from None
        raise malformed("it is not whole JSON") from None
    if not isinstance(value, dict):
        raise malformed("it is not a JSON object")
    return value


def answer_of(body: bytes) -> Answer:
    """The rows of a HogQL answer, as wide as its columns."""
    said = decoded(body)
    columns, rows = said.get("columns"), said.get("results")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise malformed("`columns` is not a list of names")
    if not isinstance(rows, list):
        raise malformed("`results` is not a list")
    width = len(columns)
    if any(not isinstance(row, list) or len(row) != width for row in rows):
        raise malformed("a row does not match the columns")
    zone = said.get("timezone")
    return Answer(
        columns=tuple(columns),
        rows=rows,
        types=_types(said.get("types")),
        timezone=zone if isinstance(zone, str) and zone else None,
        has_more=said.get("hasMore") is True,
    )


def seen(kind: type[S], body: bytes) -> S:
    """An answer as one of the forms above."""
    try:
        return kind.model_validate(decoded(body))
    except ValidationError:
        raise malformed(f"it is no {kind.__name__.lower()}") from None


def malformed(why: str) -> PostHogError:
    """The error of an answer that cannot be used."""
    return PostHogError(f"PostHog's answer cannot be used: {why}.", code="malformed_answer")


def _types(said: object) -> tuple[str, ...]:
    """PostHog gives pairs of name and type for HogQL, plain types for its other kinds."""
    if not isinstance(said, list):
        return ()
    return tuple(str(entry[-1]) if isinstance(entry, list) and entry else str(entry) for entry in said)


def _no_constant(name: str) -> Never:
    raise ValueError(name)
