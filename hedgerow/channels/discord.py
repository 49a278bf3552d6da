"""Discord: a webhook's message with one embed, edited in place.

An edit tells no phone, so what got worse is also said in a short new message. A webhook's
buttons need an application behind it; links stand in the embed's text instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from hedgerow.channels import posting
from hedgerow.channels.fitting import Form, encoded, fitting
from hedgerow.channels.notice import Notice, Reference
from hedgerow.channels.wording import Escapes, fitted, headline, manner, sentence, size

if TYPE_CHECKING:
    import httpx

    from hedgerow.app import App
    from hedgerow.errors import OutboundError

NAME = "Discord"
CONTENT, LABEL, FACT, LINK, URL, DESCRIPTION, EMBED = 1_500, 256, 1_024, 80, 700, 4_096, 6_000

# Every mark Discord's Markdown knows; / so that no name becomes an address, while a colon stays readable on a
# phone; and @, which a word joiner parts from the name behind it.
_ESCAPES: Escapes = {**{ord(mark): f"\\{mark}" for mark in "\\*_~`|>#[]()</-"}, ord("@"): "@\u2060"}
_GONE_AT = frozenset({401, 403, 404, 410})
_UNKNOWN_MESSAGE = 10008


class DiscordSettings(BaseModel):
    """`url` is a webhook's; a `thread_id` in it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    kind: Literal["discord"] = "discord"
    url: SecretStr


def render(notice: Notice, earlier: Reference | None) -> Form:
    """The message: whole, to post or to put in the first one's place; when it follows, without chart and facts."""
    shown = notice if earlier is None else replace(notice, chart_url=None, facts=())
    return fitting(shown, _message, EMBED, longest_url=URL, weigh=embed_size)


def embed_size(form: Form) -> int:
    """What Discord counts together: titles, descriptions, fields' names and values of all embeds."""
    embeds = form["embeds"]
    total = 0
    for embed in embeds if isinstance(embeds, list) else []:
        texts = [embed["title"], embed.get("description", "")]
        texts += [text for field in embed.get("fields", []) for text in (field["name"], field["value"])]
        total += sum(size(text) for text in texts)
    return total


def _message(notice: Notice) -> Form:
    embed: Form = {"title": headline(notice), "color": manner(notice).colour, "timestamp": notice.at.isoformat()}
    if notice.links:
        embed["description"] = _links(notice)
    if notice.facts:
        embed["fields"] = [
            {"name": _text(label, LABEL), "value": _text(value, FACT), "inline": True} for label, value in notice.facts
        ]
    if notice.chart_url:
        embed["image"] = {"url": notice.chart_url}
    return {
        "content": _text(sentence(notice), CONTENT),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    }


def _links(notice: Notice) -> str:
    """As many as there is room for."""
    written = ""
    for link in notice.links:
        longer = " · ".join(filter(None, (written, f"[{_text(link.label, LINK)}]({link.url})")))
        if size(longer) > DESCRIPTION:
            break
        written = longer
    return written


def _text(text: str, limit: int) -> str:
    return fitted(text, limit, _ESCAPES)


async def send(app: App, settings: DiscordSettings, notice: Notice, earlier: Reference | None) -> Reference:
    """Post, or edit the earlier message; the reference is its `message_id`. `OutboundError`."""
    import httpx

    url = httpx.URL(settings.url.get_secret_value())
    if earlier is None or "message_id" not in earlier:
        return await _post(app, url, render(notice, None))
    edited = url.copy_with(path=f"{url.path.rstrip('/')}/messages/{earlier['message_id']}")
    answer = await posting.post(app, NAME, edited, encoded(render(notice, None)), method="PATCH")
    if answer.status == 404 and answer.members().get("code") == _UNKNOWN_MESSAGE:
        # Somebody deleted it by hand.
        return await _post(app, url, render(notice, None))
    _message_id(answer)
    if notice.mood == "worse":
        await _post(app, url, render(notice, earlier))
    return earlier


async def _post(app: App, url: httpx.URL, form: Form) -> Reference:
    answer = await posting.post(app, NAME, url.copy_merge_params({"wait": "true"}), encoded(form))
    return {"message_id": _message_id(answer)}


def _message_id(answer: posting.Answer) -> str:
    told = answer.members()
    id = told.get("id")
    if answer.status == 200 and isinstance(id, str) and id.isdecimal():
        return id
    raise _refusal(answer, told)


def _refusal(answer: posting.Answer, told: Form) -> OutboundError:
    code = told.get("code")
    word = f"code {code}" if isinstance(code, int) else ""
    wait = told.get("retry_after")
    if isinstance(wait, int | float):
        answer = replace(answer, retry_after=posting.bounded(wait))
    return posting.refusal(NAME, answer, word, _GONE_AT)
