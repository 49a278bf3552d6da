"""Microsoft Teams: an adaptive card through a Workflows webhook.

It can neither edit nor reply, so every message is a card of its own. Text stands in
`TextRun`, which reads no Markdown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from hedgerow.channels import posting
from hedgerow.channels.fitting import Form, encoded, fitting
from hedgerow.channels.notice import Link, Notice, Reference
from hedgerow.channels.wording import DEFUSED, fitted, headline, identity, manner, sentence

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.errors import OutboundError

NAME = "Teams"
TITLE, LABEL, FACT, BUTTON, ALT, FALLBACK, URL = 1_500, 80, 500, 75, 300, 500, 2_000
# 28 KB are documented; older connectors were seen to drop messages over some 20,000.
MOST_BYTES = 20_000
ACTIONS_AT_ONCE = 6

_GONE_AT = frozenset({401, 403, 404, 410})
_GONE = frozenset(
    {"WorkflowNotFound", "WorkflowTriggerIsNotEnabled", "WorkflowTriggerNotFound", "DirectApiAuthorizationRequired"}
)


class TeamsSettings(BaseModel):
    """`url` is a Workflows webhook's."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    kind: Literal["teams"] = "teams"
    url: SecretStr


def render(notice: Notice, earlier: Reference | None) -> Form:
    """The message: whole when it is the first, without its chart when it follows one."""
    shown = notice if earlier is None else replace(notice, chart_url=None)
    return fitting(shown, _message, MOST_BYTES, longest_url=URL)


def _message(notice: Notice) -> Form:
    card: Form = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": fitted(sentence(notice), FALLBACK, DEFUSED),
        "msteams": {"width": "Full"},
        "body": _body(notice),
    }
    actions = [_action(link) for link in notice.links]
    if len(actions) <= ACTIONS_AT_ONCE:
        card |= {"actions": actions} if actions else {}
    else:
        rows = (actions[at : at + ACTIONS_AT_ONCE] for at in range(0, len(actions), ACTIONS_AT_ONCE))
        card["body"] = [*_body(notice), *({"type": "ActionSet", "actions": row} for row in rows)]
    return {
        "type": "message",
        "summary": fitted(sentence(notice), FALLBACK, DEFUSED),
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        ],
    }


def _action(link: Link) -> Form:
    return {"type": "Action.OpenUrl", "title": fitted(link.label, BUTTON, DEFUSED), "url": link.url}


def _body(notice: Notice) -> list[Form]:
    mood = {"type": "TextBlock", "text": headline(notice), "weight": "Bolder", "wrap": True}
    body: list[Form] = [
        {"type": "Container", "style": manner(notice).style, "bleed": True, "items": [mood]},
        {"type": "RichTextBlock", "inlines": [_run(notice.title, TITLE, size="Medium", weight="Bolder")]},
    ]
    body += [
        {
            "type": "RichTextBlock",
            "spacing": "Small",
            "inlines": [_run(f"{label}:", LABEL, isSubtle=True), {"type": "TextRun", "text": " "}, _run(value, FACT)],
        }
        for label, value in notice.facts
    ]
    if notice.chart_url:
        body.append(
            {"type": "Image", "url": notice.chart_url, "altText": fitted(notice.title, ALT, DEFUSED), "size": "Stretch"}
        )
    return body


def _run(text: str, limit: int, **look: str | bool) -> Form:
    return {"type": "TextRun", "text": fitted(text, limit, DEFUSED), **look}


async def send(app: App, settings: TeamsSettings, notice: Notice, earlier: Reference | None) -> Reference:
    """Post a card. `OutboundError`."""
    answer = await posting.post(app, NAME, settings.url.get_secret_value(), encoded(render(notice, earlier)))
    if not _arrived(answer):
        raise _refusal(answer)
    return {"key": identity(notice.key)}


def _arrived(answer: posting.Answer) -> bool:
    """A workflow answers 202 and nothing, or what its owner made it answer, in JSON; an old connector answers "1".

    A page, or a connector's "Webhook message delivery failed" under 200, is no arrival.
    """
    if not 200 <= answer.status < 300:
        return False
    return answer.text in {"", "1"} or ("error" not in answer.members() and answer.members() != {})


def _refusal(answer: posting.Answer) -> OutboundError:
    error = answer.members().get("error")
    code = error.get("code") if isinstance(error, dict) else None
    word = code if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{1,60}", code) else ""
    if word in _GONE:
        return posting.gone(f"{NAME} answered {answer.status}: {word}.", answer.status)
    if answer.status == 200 and "HTTP error 429" in answer.text:
        return posting.busy(f"{NAME} answered 200 and told of a 429 behind it.", answer.retry_after, answer.status)
    return posting.refusal(NAME, answer, word, _GONE_AT)
