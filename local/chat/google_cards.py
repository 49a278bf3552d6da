"""What Google Chat takes as cards, and the first thing it would refuse of others.

https://developers.google.com/workspace/chat/api/reference/rest/v1/cards
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from local.chat.slack_blocks import is_web_address

MOST_CARDS = 100
MOST_WIDGETS = 100
CONTENT = frozenset(
    [
        "textParagraph",
        "image",
        "decoratedText",
        "buttonList",
        "divider",
        "grid",
        "columns",
        "chipList",
        "textInput",
        "selectionInput",
        "dateTimePicker",
        "carousel",
    ]
)
WIDGETS = CONTENT | frozenset(["horizontalAlignment", "id", "visibility"])
CARD_FIELDS = frozenset(["header", "sections", "sectionDividerStyle", "cardActions", "name", "fixedFooter"])
BUTTON_FIELDS = frozenset(["text", "icon", "color", "onClick", "disabled", "altText", "type"])


def wrong_cards(cards: JsonValue) -> str:
    """What is wrong with `cardsV2`; "" when nothing is."""
    if cards is None:
        return ""
    if not isinstance(cards, list):
        return "Invalid value at 'message.cards_v2' (TYPE_MESSAGE)"
    return next(_complaints(cards), "")


def _complaints(cards: list[JsonValue]) -> Iterator[str]:
    if len(cards) > MOST_CARDS:
        yield f"The message has more than {MOST_CARDS} cards."
    ids: list[str] = []
    for place, each in enumerate(cards):
        at = f"message.cards_v2[{place}]"
        card = each.get("card") if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(card, dict):
            yield f"Invalid value at '{at}': a card is required."
            continue
        ids.append(str(each.get("cardId") or ""))
        yield from _card(card, f"{at}.card")
    if len(cards) > 1 and (len(set(ids)) != len(ids) or "" in ids):
        yield "card_id is required and must be unique when a message has several cards."


def _card(card: dict[str, JsonValue], at: str) -> Iterator[str]:
    yield from _unknown(card, CARD_FIELDS, at)
    header, sections = card.get("header"), card.get("sections")
    if isinstance(header, dict):
        if not header.get("title"):
            yield f"Invalid value at '{at}.header': title is required."
        image = header.get("imageUrl")
        if image is not None and not _is_secure(image):
            yield f"Invalid value at '{at}.header.image_url': must be an HTTPS URL."
    if not isinstance(sections, list) or not sections:
        if not isinstance(header, dict):
            yield f"Invalid value at '{at}': cards must have at least one section or a header."
        return
    widgets = 0
    for place, section in enumerate(sections):
        where = f"{at}.sections[{place}]"
        found = section.get("widgets") if isinstance(section, dict) else None
        if not isinstance(found, list) or not found:
            yield f"Invalid value at '{where}': at least one widget is required."
            continue
        widgets += len(found)
        for number, widget in enumerate(found):
            yield from _widget(widget, f"{where}.widgets[{number}]")
    if widgets > MOST_WIDGETS:
        yield f"Invalid value at '{at}': more than {MOST_WIDGETS} widgets."


def _widget(widget: JsonValue, at: str) -> Iterator[str]:
    if not isinstance(widget, dict):
        yield f"Invalid value at '{at}' (TYPE_MESSAGE)"
        return
    yield from _unknown(widget, WIDGETS, at)
    kinds = [name for name in widget if name in CONTENT]
    if len(kinds) != 1:
        yield f"Invalid value at '{at}': exactly one kind of widget is required, oneof field 'data'."
        return
    content = widget[kinds[0]]
    if not isinstance(content, dict):
        yield f"Invalid value at '{at}.{kinds[0]}' (TYPE_MESSAGE)"
    elif kinds[0] in ("textParagraph", "decoratedText") and not content.get("text"):
        yield f"Invalid value at '{at}.{kinds[0]}': text is required."
    elif kinds[0] == "image":
        if not _is_secure(content.get("imageUrl")):
            yield f"Invalid value at '{at}.image.image_url': must be an HTTPS URL."
        yield from _click(content.get("onClick"), f"{at}.image")
    elif kinds[0] == "buttonList":
        yield from _buttons(content.get("buttons"), f"{at}.button_list")
    if isinstance(content, dict) and kinds[0] == "decoratedText":
        yield from _click(content.get("onClick"), f"{at}.decorated_text")
        if content.get("button") is not None:
            yield from _buttons([content.get("button")], f"{at}.decorated_text")


def _buttons(buttons: JsonValue, at: str) -> Iterator[str]:
    if not isinstance(buttons, list) or not buttons:
        yield f"Invalid value at '{at}': at least one button is required."
        return
    for place, button in enumerate(buttons):
        where = f"{at}.buttons[{place}]"
        if not isinstance(button, dict):
            yield f"Invalid value at '{where}' (TYPE_MESSAGE)"
            continue
        yield from _unknown(button, BUTTON_FIELDS, where)
        if not button.get("text") and not button.get("icon"):
            yield f"Invalid value at '{where}': text or icon is required."
        if not isinstance(button.get("onClick"), dict):
            yield f"Invalid value at '{where}': on_click is required."
        yield from _click(button.get("onClick"), where)


def _click(click: JsonValue, at: str) -> Iterator[str]:
    if not isinstance(click, dict):
        return
    opens = click.get("openLink")
    if opens is not None and not (isinstance(opens, dict) and is_web_address(str(opens.get("url", "")))):
        yield f"Invalid value at '{at}.on_click.open_link.url': must be a valid URL."


def _unknown(of: dict[str, JsonValue], known: frozenset[str], at: str) -> Iterator[str]:
    for name in of:
        if name not in known:
            yield f"Invalid JSON payload received. Unknown name \"{name[:80]}\" at '{at}': Cannot find field."


def _is_secure(url: JsonValue) -> bool:
    # Google wants https; a chart of the local server has none, and nobody else is on this machine.
    return (
        isinstance(url, str)
        and (url.startswith(("https://", "http://127.0.0.1", "http://localhost")))
        and is_web_address(url)
    )
