"""Google Chat: a card through a space's webhook, and replies in its thread; a webhook's message cannot be edited."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from hedgerow.channels import posting
from hedgerow.channels.fitting import Form, encoded, fitting
from hedgerow.channels.notice import Notice, Reference
from hedgerow.channels.wording import DEFUSED, ENTITIES, fitted, headline, identity, sentence

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.errors import OutboundError

NAME = "Google Chat"
TITLE, LABEL, FACT, BUTTON, ALT, FALLBACK, URL = 1_500, 80, 500, 75, 300, 500, 2_000
# 32,000 are documented; what Google adds around a message is not.
MOST_BYTES = 28_000

_GONE_AT = frozenset({401, 403, 404, 410})


class GoogleChatSettings(BaseModel):
    """`url` is a space's webhook's, with its `key` and `token`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    kind: Literal["google_chat"] = "google_chat"
    url: SecretStr


def render(notice: Notice, earlier: Reference | None) -> Form:
    """The message: whole when it is the first, without its chart and in the first one's thread when it follows."""
    shown = notice if earlier is None else replace(notice, chart_url=None)
    thread = {"thread": {"threadKey": _thread_key(notice, earlier)}}
    return fitting(shown, lambda smaller: {**_message(smaller), **thread}, MOST_BYTES, longest_url=URL)


def _thread_key(notice: Notice, earlier: Reference | None) -> str:
    return (earlier or {}).get("thread_key") or identity(notice.key)


def _message(notice: Notice) -> Form:
    widgets: list[Form] = [{"textParagraph": {"text": f"<b>{fitted(notice.title, TITLE, ENTITIES)}</b>"}}]
    widgets += [
        {
            "decoratedText": {
                "topLabel": fitted(label, LABEL, DEFUSED),
                "text": fitted(value, FACT, ENTITIES),
                "wrapText": True,
            }
        }
        for label, value in notice.facts
    ]
    if notice.chart_url:
        widgets.append({"image": {"imageUrl": notice.chart_url, "altText": fitted(notice.title, ALT, DEFUSED)}})
    if notice.links:
        widgets.append({"buttonList": {"buttons": [_button(link.label, link.url) for link in notice.links]}})
    return {
        "fallbackText": fitted(sentence(notice), FALLBACK, DEFUSED),
        "cardsV2": [
            {
                "cardId": "hedgerow",
                "card": {"header": _header(notice), "sections": [{"widgets": widgets}]},
            }
        ],
    }


def _header(notice: Notice) -> Form:
    beside: Form = {"subtitle": fitted(notice.beside, LABEL, DEFUSED)} if notice.beside else {}
    return {"title": headline(notice), **beside}


def _button(label: str, url: str) -> Form:
    return {"text": fitted(label, BUTTON, DEFUSED), "onClick": {"openLink": {"url": url}}}


async def send(app: App, settings: GoogleChatSettings, notice: Notice, earlier: Reference | None) -> Reference:
    """Post, into the thread of the earlier message; the reference is its `thread_key`. `OutboundError`."""
    import httpx

    url = httpx.URL(settings.url.get_secret_value()).copy_merge_params(
        {
            "messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD",
            # Google answers a doubled request with the message it made of the first.
            "requestId": identity(notice.key),
        }
    )
    answer = await posting.post(app, NAME, url, encoded(render(notice, earlier)))
    told = answer.members()
    if answer.status != 200 or not isinstance(told.get("name"), str):
        raise _refusal(answer, told)
    return {"thread_key": _thread_key(notice, earlier)}


def _refusal(answer: posting.Answer, told: Form) -> OutboundError:
    error = told.get("error")
    status = error.get("status") if isinstance(error, dict) else None
    word = status if isinstance(status, str) and re.fullmatch(r"[A-Z_]{1,40}", status) else ""
    return posting.refusal(NAME, answer, word, _GONE_AT)
