"""What Slack's Block Kit takes in a message, and the words it refuses the rest with. Shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import JsonValue

# https://docs.slack.dev/reference/block-kit
MOST_BLOCKS = 50
MOST_TEXT = 3_000
MOST_HEADER = 150
MOST_FIELDS = 10
MOST_FIELD = 2_000
MOST_CONTEXT = 10
MOST_ACTIONS = 25
MOST_BUTTON = 75
MOST_URL = 3_000
MOST_ALT = 2_000
MOST_ID = 255
# Not documented; Slack answers `msg_blocks_too_long` from about here (slackapi/bolt-js#2509).
MOST_CHARACTERS = 13_200

Complaints = Iterator[str]
Item = Mapping[str, JsonValue]


def complaints(blocks: JsonValue) -> list[str]:
    """What is wrong with a message's blocks, in Slack's form; nothing when they are good."""
    if not isinstance(blocks, list):
        return ["[ERROR] must be an array [json-pointer:/blocks]"]
    if len(blocks) > MOST_BLOCKS:
        return [f"[ERROR] no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"]
    found: list[str] = []
    ids: set[str] = set()
    for place, block in enumerate(blocks):
        at = f"/blocks/{place}"
        if not isinstance(block, dict):
            found.append(_error("must be an object", at))
            continue
        found += _block(block, at)
        id = block.get("block_id")
        if isinstance(id, str):
            if len(id) > MOST_ID:
                found.append(_error(f"must be less than {MOST_ID + 1} characters", f"{at}/block_id"))
            if id in ids:
                found.append(_error("`block_id` must be unique", f"{at}/block_id"))
            ids.add(id)
    return found


def characters(value: JsonValue) -> int:
    """All characters of text in blocks, which together have a limit too."""
    if isinstance(value, list):
        return sum(characters(item) for item in value)
    if isinstance(value, dict):
        own = value.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(
            characters(item) for item in value.values() if not isinstance(item, str)
        )
    return 0


def _block(block: Item, at: str) -> Complaints:
    kind = block.get("type")
    check = _KINDS.get(kind) if isinstance(kind, str) else None
    if kind is None:
        yield _error("missing required field: type", at)
    elif check is None:
        yield _error(f"unsupported type: {kind}", f"{at}/type")
    else:
        yield from check(block, at)


def _section(block: Item, at: str) -> Complaints:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield _error("missing required field: text", at)
    if block.get("text") is not None:
        yield from _text(block.get("text"), f"{at}/text", MOST_TEXT)
    if fields is not None:
        if not isinstance(fields, list) or not fields:
            yield _error("must provide at least 1 item", f"{at}/fields")
            return
        if len(fields) > MOST_FIELDS:
            yield _error(f"no more than {MOST_FIELDS} items allowed", f"{at}/fields")
        for place, each in enumerate(fields):
            yield from _text(each, f"{at}/fields/{place}", MOST_FIELD)
    accessory = block.get("accessory")
    if accessory is not None:
        yield from _element(accessory, f"{at}/accessory", {"button": _button, "image": _image})


def _header(block: Item, at: str) -> Complaints:
    yield from _text(block.get("text"), f"{at}/text", MOST_HEADER, kinds=("plain_text",))


def _context(block: Item, at: str) -> Complaints:
    yield from _elements(block, at, MOST_CONTEXT, {"image": _image, "mrkdwn": _plain, "plain_text": _plain})


def _actions(block: Item, at: str) -> Complaints:
    yield from _elements(block, at, MOST_ACTIONS, {"button": _button})


def _image(block: Item, at: str) -> Complaints:
    url, alt = block.get("image_url"), block.get("alt_text")
    if not isinstance(alt, str):
        yield _error("missing required field: alt_text", at)
    elif len(alt) > MOST_ALT:
        yield _error(f"must be less than {MOST_ALT + 1} characters", f"{at}/alt_text")
    if block.get("slack_file") is None:
        yield from _url(url, f"{at}/image_url")
    if block.get("title") is not None:
        yield from _text(block.get("title"), f"{at}/title", MOST_ALT, kinds=("plain_text",))


def _markdown(block: Item, at: str) -> Complaints:
    text = block.get("text")
    if not isinstance(text, str) or not text:
        yield _error("missing required field: text", at)


def _rich_text(block: Item, at: str) -> Complaints:
    if not isinstance(block.get("elements"), list):
        yield _error("missing required field: elements", at)


def _divider(block: Item, at: str) -> Complaints:
    return iter(())


def _plain(element: Item, at: str) -> Complaints:
    yield from _text(dict(element), at, MOST_TEXT)


def _button(element: Item, at: str) -> Complaints:
    yield from _text(element.get("text"), f"{at}/text", MOST_BUTTON, kinds=("plain_text",))
    if element.get("url") is not None:
        yield from _url(element.get("url"), f"{at}/url")
    style = element.get("style")
    if style is not None and style not in ("primary", "danger"):
        yield _error("value must be one of: primary, danger", f"{at}/style")
    for name, most in (("action_id", MOST_ID), ("value", 2_000)):
        value = element.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > most):
            yield _error(f"must be less than {most + 1} characters", f"{at}/{name}")


def _elements(block: Item, at: str, most: int, kinds: Mapping[str, Callable[[Item, str], Complaints]]) -> Complaints:
    elements = block.get("elements")
    if not isinstance(elements, list):
        yield _error("missing required field: elements", at)
        return
    if not elements:
        yield _error("must provide at least 1 item", f"{at}/elements")
    if len(elements) > most:
        yield _error(f"no more than {most} items allowed", f"{at}/elements")
    for place, element in enumerate(elements):
        yield from _element(element, f"{at}/elements/{place}", kinds)
    ids = [each.get("action_id") for each in elements if isinstance(each, dict) and each.get("action_id")]
    if len(ids) != len({str(id) for id in ids}):
        yield _error("`action_id` must be unique", f"{at}/elements")


def _element(element: JsonValue, at: str, kinds: Mapping[str, Callable[[Item, str], Complaints]]) -> Complaints:
    kind = element.get("type") if isinstance(element, dict) else None
    check = kinds.get(kind) if isinstance(kind, str) else None
    if check is None or not isinstance(element, dict):
        yield _error(f"unsupported type: {kind}", f"{at}/type")
        return
    yield from check(element, at)


def _text(value: JsonValue, at: str, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Complaints:
    if not isinstance(value, dict):
        yield _error("missing required field: text", at.rpartition("/")[0])
        return
    if value.get("type") not in kinds:
        yield _error(f"value must be one of: {', '.join(kinds)}", f"{at}/type")
    text = value.get("text")
    if not isinstance(text, str):
        yield _error("missing required field: text", at)
    elif not text:
        yield _error("must be more than 0 characters", f"{at}/text")
    elif len(text) > most:
        yield _error(f"must be less than {most + 1} characters", f"{at}/text")
    if value.get("type") == "mrkdwn" and value.get("emoji") is not None:
        yield _error("additional property: emoji", at)


def _url(value: JsonValue, at: str) -> Complaints:
    if not isinstance(value, str) or not value:
        yield _error("missing required field: url", at.rpartition("/")[0])
    elif len(value) > MOST_URL:
        yield _error(f"must be less than {MOST_URL + 1} characters", at)
    elif not is_web_address(value):
        yield _error("must be a valid URL", at)


def is_web_address(value: str) -> bool:
    """Whether this is an http(s) address with a host and no white space."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(mark.isspace() for mark in value)


def _error(words: str, at: str) -> str:
    return f"[ERROR] {words} [json-pointer:{at}]"


_KINDS: Mapping[str, Callable[[Item, str], Complaints]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "divider": _divider,
}
