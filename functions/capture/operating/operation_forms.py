"""The parameters of the five operations, and the PostHog event each becomes. Pure.

Owns what each parameter may be, in words a caller can act on; reading a body into these
forms is `operation_reading`'s.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic.alias_generators import to_pascal

from functions.capture.guards.identity_names import is_refused_by_posthog
from hedgerow.foreign import printable
from hedgerow.key_shapes import without_keys

LONGEST_ID = 200
"""Of ids and event names: PostHog cuts what is longer, and two ids may then be one."""
MOST_DEPTH = 100
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+")
_HALVES = re.compile(r"[\ud800-\udfff]")
_WORDS = {
    bool: "true or false",
    dict: "an object",
    int: "a number",
    float: "a number",
    list: "a list",
    str: "text",
}


@dataclass(frozen=True, slots=True)
class Wire:
    """An event as it goes to PostHog, before it is frozen. `timestamp` is as the caller gave it."""

    name: str
    distinct_id: str
    properties: dict[str, object] = field(default_factory=dict)
    timestamp: object = None


def shown(name: str) -> str:
    """A name of the caller's, fit for a message: one line, short, without keys pasted into it."""
    return without_keys(printable(name))[:100]


def _named(info: ValidationInfo) -> str:
    """The parameter as the caller wrote it."""
    name = str(info.field_name)
    written: Mapping[str, str] = info.context or {}
    return written.get(name, to_pascal(name))


def _text(value: object, info: ValidationInfo) -> str:
    name = _named(info)
    if value is None:
        raise ValueError(f"`{name}` is missing")
    if not isinstance(value, str):
        raise ValueError(f"`{name}` must be text, not {_WORDS[type(value)]}")  # noqa: TRY004 -- pydantic's own word
    if not value.strip():
        raise ValueError(f"`{name}` is blank")
    if _HALVES.search(value):
        raise ValueError(f"`{name}` holds half a character (a lone surrogate)")
    return value


def _identifier(value: object, info: ValidationInfo) -> str:
    text = _text(value, info)
    if len(text) > LONGEST_ID:
        raise ValueError(f"`{_named(info)}` is longer than {LONGEST_ID} characters, and PostHog would cut it")
    if "\0" in text:
        raise ValueError(f"`{_named(info)}` holds a NUL character, which PostHog replaces")
    return text


def _mergeable(value: object, info: ValidationInfo) -> str:
    text = _identifier(value, info)
    if is_refused_by_posthog(text):
        raise ValueError(
            f"`{_named(info)}` is {shown(text)!r}, which PostHog merges with nobody: "
            "such ids come from code that had no user. Send the user's own id"
        )
    return text


def _given(value: object, info: ValidationInfo) -> str | None:
    """Optional text; blank counts as not given, because forms send empty fields."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _text(value, info)


def _address(value: object, info: ValidationInfo) -> str:
    text, name = _text(value, info), _named(info)
    if not _ADDRESS.match(text):
        raise ValueError(f"`{name}` must be a full URL with its protocol, such as https://mysite.com/home")
    try:
        urlsplit(text)
    except ValueError:
        raise ValueError(f"`{name}` is no URL: its host cannot be read") from None
    return text


def _object(value: object, info: ValidationInfo) -> dict[str, object]:
    name = _named(info)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"`{name}` must be an object, not {_WORDS[type(value)]}")  # noqa: TRY004 -- as above
    faults = list(_faults(value, name, 0))
    if faults:
        raise ValueError("; ".join(faults[:5]))
    return value


def _flat(value: object, info: ValidationInfo) -> dict[str, object]:
    """Properties of event, page and screen: nothing inside anything."""
    name = _named(info)
    nested = [
        f"`{name}.{shown(key)}` must be text, a number, true, false or null, not {_WORDS[type(each)]}"
        for key, each in (value.items() if isinstance(value, dict) else ())
        if isinstance(each, dict | list)
    ]
    if nested:
        raise ValueError("; ".join(nested[:5]))
    return _object(value, info)


def _faults(value: object, where: str, depth: int) -> Iterator[str]:
    """What JSON's grammar, or PostHog's reader of it, does not take."""
    if depth > MOST_DEPTH:
        yield f"`{where.partition('.')[0]}` is nested more than {MOST_DEPTH} levels deep"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"`{where}` is NaN or infinite, which JSON does not know"
    elif isinstance(value, str) and _HALVES.search(value):
        yield f"`{where}` holds half a character (a lone surrogate)"
    elif isinstance(value, dict):
        for key, each in value.items():
            if _HALVES.search(key):
                yield f"a name in `{where}` holds half a character (a lone surrogate)"
            yield from _faults(each, f"{where}.{shown(key)}", depth + 1)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _faults(each, f"{where}.{number}", depth + 1)


Identifier = Annotated[str, BeforeValidator(_identifier)]
Mergeable = Annotated[str, BeforeValidator(_mergeable)]
Optional = Annotated[str | None, BeforeValidator(_given)]
Properties = Annotated[dict[str, object], BeforeValidator(_flat)]
PersonProperties = Annotated[dict[str, object], BeforeValidator(_object)]


class Form(BaseModel, ABC):
    """The parameters of one operation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    distinct_id: Identifier

    @abstractmethod
    def wire(self) -> Wire:
        """The event that goes to PostHog."""


class AliasForm(Form):
    """Merge two identities: `alias` into `distinct_id`."""

    distinct_id: Mergeable
    alias: Mergeable

    def wire(self) -> Wire:
        return Wire("$create_alias", self.distinct_id, {"distinct_id": self.distinct_id, "alias": self.alias})


class EventForm(Form):
    """A custom event."""

    event_name: Identifier
    properties: Properties = Field(default_factory=dict)

    def wire(self) -> Wire:
        return _timed(self.event_name, self.distinct_id, self.properties)


class IdentityForm(Form):
    """Properties of a person: those that overwrite, and those that are set once."""

    name: Optional = None
    email: Optional = None
    plan: Optional = None
    signup_date: Optional = None
    referral_source: Optional = None
    properties_set: PersonProperties = Field(default_factory=dict)
    properties_set_once: PersonProperties = Field(default_factory=dict)

    def wire(self) -> Wire:
        often = {**self.properties_set, **_only(name=self.name, email=self.email, plan=self.plan)}
        once = {
            **self.properties_set_once,
            **_only(signup_date=self.signup_date, referral_source=self.referral_source),
        }
        properties: dict[str, object] = {}
        if often:
            properties["$set"] = often
        if once:
            properties["$set_once"] = once
        return Wire("$identify", self.distinct_id, properties)


class PageForm(Form):
    """A page view."""

    page_url: Annotated[str, BeforeValidator(_address)]
    page_name: Optional = None
    referrer: Optional = None
    properties: Properties = Field(default_factory=dict)

    def wire(self) -> Wire:
        path = urlsplit(self.page_url).path or "/"
        more = dict(self.properties)
        # The form lets the referrer be given here too, under the parameter's name.
        inside = more.pop("referrer", None)
        if inside is not None:
            more.setdefault("$referrer", inside)
        if more.get("title") is None:
            more["title"] = path
        fixed = {"$current_url": self.page_url, "$pathname": path}
        return _timed(
            "$pageview",
            self.distinct_id,
            {**more, **fixed, **_only(**{"title": self.page_name, "$referrer": self.referrer})},
        )


class ScreenForm(Form):
    """A screen view in a mobile app."""

    screen_view_name: Annotated[str, BeforeValidator(_text)]
    screen_category: Optional = None
    app_version: Optional = None
    device_type: Optional = None
    properties: Properties = Field(default_factory=dict)

    def wire(self) -> Wire:
        options = _only(
            screen_category=self.screen_category, app_version=self.app_version, device_type=self.device_type
        )
        return _timed(
            "$screen", self.distinct_id, {**self.properties, "$screen_name": self.screen_view_name, **options}
        )


def _only(**options: str | None) -> dict[str, object]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _timed(name: str, distinct_id: str, properties: Mapping[str, object]) -> Wire:
    """`timestamp` among the properties is the event's own."""
    rest = dict(properties)
    return Wire(name, distinct_id, rest, rest.pop("timestamp", None))


FORMS: dict[str, type[Form]] = {
    "alias": AliasForm,
    "event": EventForm,
    "identity": IdentityForm,
    "page": PageForm,
    "screen": ScreenForm,
}
