"""What Discord takes in a webhook's message; the rest comes back field by field, in its own codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import JsonValue

from local.chat.keeping import Body

MOST_CONTENT = 2_000
MOST_EMBEDS = 10
MOST_TITLE = 256
MOST_DESCRIPTION = 4_096
MOST_FIELDS = 25
MOST_NAME = 256
MOST_VALUE = 1_024
MOST_FOOTER = 2_048
MOST_TOGETHER = 6_000
MOST_ROWS = 5
MOST_BUTTONS = 5
MOST_LABEL = 80
MOST_BUTTON_URL = 512
MOST_URL = 2_048
MOST_COLOUR = 0xFFFFFF

Errors = dict[str, JsonValue]
_Check = Callable[[Body], Errors]


def wrong_fields(said: Body) -> Errors:
    """The `errors` of Discord's answer, nested as the message is; empty when all is well."""
    wrong: Errors = {}
    _text(wrong, said, "content", MOST_CONTENT)
    _text(wrong, said, "username", 80, least=1)
    username = said.get("username")
    if isinstance(username, str) and any(word in username.lower() for word in ("discord", "clyde")):
        wrong["username"] = _said("USERNAME_INVALID_CONTAINS", 'Username cannot contain "discord"')
    embeds = said.get("embeds")
    if embeds is not None:
        _put(wrong, "embeds", _list(embeds, MOST_EMBEDS, _embed) or _together(embeds))
    components = said.get("components")
    if components is not None:
        _put(wrong, "components", _list(components, MOST_ROWS, _row))
    return wrong


def _embed(embed: Body) -> Errors:
    wrong: Errors = {}
    _text(wrong, embed, "title", MOST_TITLE)
    _text(wrong, embed, "description", MOST_DESCRIPTION)
    _url(wrong, embed, "url")
    color = embed.get("color")
    if color is not None and (isinstance(color, bool) or not isinstance(color, int)):
        wrong["color"] = _said("NUMBER_TYPE_COERCE", f'Value "{str(color)[:80]}" is not int.')
    elif isinstance(color, int) and color > MOST_COLOUR:
        words = f"int value should be less than or equal to {MOST_COLOUR}."
        wrong["color"] = _said("NUMBER_TYPE_MAX", words)
    elif isinstance(color, int) and color < 0:
        wrong["color"] = _said("NUMBER_TYPE_MIN", "int value should be greater than or equal to 0.")
    at = embed.get("timestamp")
    if at is not None and not _is_instant(at):
        wrong["timestamp"] = _said("DATE_TIME_TYPE_PARSE", f'Could not parse "{str(at)[:80]}". Should be ISO8601.')
    fields = embed.get("fields")
    if fields is not None:
        _put(wrong, "fields", _list(fields, MOST_FIELDS, _field))
    for name, most in (("footer", MOST_FOOTER), ("author", MOST_NAME), ("image", 0), ("thumbnail", 0)):
        part = embed.get(name)
        if part is not None:
            _put(wrong, name, _part(part, "text" if name == "footer" else "name", most))
    return wrong


def _field(field: Body) -> Errors:
    wrong: Errors = {}
    for name, most in (("name", MOST_NAME), ("value", MOST_VALUE)):
        if field.get(name) in (None, ""):
            wrong[name] = _said("BASE_TYPE_REQUIRED", "This field is required")
        else:
            _text(wrong, field, name, most)
    return wrong


def _part(part: JsonValue, words: str, most: int) -> Errors:
    if not isinstance(part, dict):
        return _said("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    wrong: Errors = {}
    if most:
        _text(wrong, part, words, most)
    elif part.get("url") is None:
        wrong["url"] = _said("BASE_TYPE_REQUIRED", "This field is required")
    for name in ("url", "icon_url"):
        _url(wrong, part, name, with_attachments=True)
    return wrong


def _row(row: Body) -> Errors:
    if row.get("type") != 1:
        return {"type": _said("UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')}
    buttons = row.get("components")
    wrong: Errors = {}
    _put(wrong, "components", _list(buttons if buttons is not None else [], MOST_BUTTONS, _button, least=1))
    return wrong


def _button(button: Body) -> Errors:
    wrong: Errors = {}
    if button.get("type") != 2 or button.get("style") != 5:
        wrong["style"] = _said("BASE_TYPE_CHOICES", "A webhook that no application owns sends link buttons only.")
    _text(wrong, button, "label", MOST_LABEL)
    url = button.get("url")
    if not isinstance(url, str):
        wrong["url"] = _said("BASE_TYPE_REQUIRED", "A url is required")
    elif len(url) > MOST_BUTTON_URL:
        wrong["url"] = _said("BASE_TYPE_MAX_LENGTH", f"Must be {MOST_BUTTON_URL} or fewer in length.")
    else:
        _url(wrong, button, "url")
    return wrong


def _together(embeds: JsonValue) -> Errors:
    """All text of all embeds has a limit of its own."""
    size = 0
    for embed in embeds if isinstance(embeds, list) else []:
        if isinstance(embed, dict):
            size += sum(len(str(embed.get(name) or "")) for name in ("title", "description"))
            size += _size(embed.get("footer"), "text") + _size(embed.get("author"), "name")
            fields = embed.get("fields")
            for each in fields if isinstance(fields, list) else []:
                size += _size(each, "name") + _size(each, "value")
    if size <= MOST_TOGETHER:
        return {}
    return _said("MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MOST_TOGETHER}")


def _size(part: JsonValue, name: str) -> int:
    return len(str(part.get(name) or "")) if isinstance(part, dict) else 0


def _list(items: JsonValue, most: int, check: _Check, least: int = 0) -> Errors:
    if not isinstance(items, list):
        return _said("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    if not least <= len(items) <= most:
        return _said("BASE_TYPE_BAD_LENGTH", f"Must be between {max(least, 1)} and {most} in length.")
    wrong: Errors = {}
    for place, item in enumerate(items):
        found = (
            check(item)
            if isinstance(item, dict)
            else _said("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        )
        _put(wrong, str(place), found)
    return wrong


def _text(wrong: Errors, of: Mapping[str, JsonValue], name: str, most: int, least: int = 0) -> None:
    value = of.get(name)
    if value is None:
        return
    if not isinstance(value, str):
        wrong[name] = _said("STRING_TYPE_CONVERT", f'Could not interpret "{str(value)[:80]}" as string.')
    elif len(value) > most:
        wrong[name] = _said("BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
    elif len(value) < least:
        wrong[name] = _said("BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _url(wrong: Errors, of: Mapping[str, JsonValue], name: str, *, with_attachments: bool = False) -> None:
    value = of.get(name)
    if value is None:
        return
    schemes = ("http", "https", "attachment") if with_attachments else ("http", "https")
    try:
        parts = urlsplit(str(value))
    except ValueError:
        wrong[name] = _said("URL_TYPE_INVALID_URL", "Not a well formed URL.")
        return
    if parts.scheme not in schemes:
        words = f"Scheme \"{parts.scheme}\" is not supported. Scheme must be one of ('http', 'https')."
        wrong[name] = _said("URL_TYPE_INVALID_SCHEME", words)
    elif not parts.hostname or " " in str(value) or len(str(value)) > MOST_URL:
        wrong[name] = _said("URL_TYPE_INVALID_URL", "Not a well formed URL.")


def _is_instant(value: JsonValue) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _put(wrong: Errors, name: str, found: Errors) -> None:
    if found:
        wrong[name] = found


def _said(code: str, message: str) -> Errors:
    return {"_errors": [{"code": code, "message": message}]}
