"""Slack: an incoming webhook, or a bot's token and a channel. Block Kit of plain text only, which holds no markup.

A bot edits its first message and replies in its thread; an incoming webhook can do
neither, so what follows is a new, shorter message.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from hedgerow.channels import posting
from hedgerow.channels.fitting import Form, encoded, fitting
from hedgerow.channels.notice import Link, Notice, Reference
from hedgerow.channels.wording import DEFUSED, ENTITIES, fitted, identity, sentence, size

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.errors import OutboundError

NAME = "Slack"
HEADER, TITLE, LABEL, FACT, BUTTON, ALT, FALLBACK, URL = 150, 1_000, 80, 300, 75, 200, 500, 3_000
# Slack's own sum over all blocks, near 13,200, is written nowhere: github.com/slackapi/bolt-js/issues/2509.
MOST_BYTES = 10_000
FIELDS_A_SECTION = 10

_GONE_AT = frozenset({401, 403, 404, 410})
_GONE = frozenset(
    {
        "access_denied",
        "account_inactive",
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "ekm_access_denied",
        "invalid_auth",
        "invalid_token",
        "is_archived",
        "missing_scope",
        "no_active_hooks",
        "no_permission",
        "no_service",
        "no_team",
        "not_authed",
        "not_in_channel",
        "posting_to_general_channel_denied",
        "restricted_action",
        "team_disabled",
        "token_expired",
        "token_revoked",
        "user_not_found",
    }
)
_BUSY = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_PASSING = frozenset({"fatal_error", "internal_error", "request_timeout", "rollup_error", "service_unavailable"})
# The first message cannot be edited any more; what is to be said is said in a new one.
_LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class SlackSettings(BaseModel):
    """Either `url`, an incoming webhook, or `token` of a bot and the `slack_channel` it posts to."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    kind: Literal["slack"] = "slack"
    url: SecretStr | None = None
    token: SecretStr | None = None
    slack_channel: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.token is None) or (self.token is None) == bool(self.slack_channel):
            raise ValueError("Give either url, or token and slack_channel.")
        return self


def render(notice: Notice, earlier: Reference | None) -> Form:
    """The message: whole when it is the first, without its chart when it follows one."""
    shown = notice if earlier is None else replace(notice, chart_url=None)
    return fitting(shown, _message, MOST_BYTES, longest_url=URL)


def _message(notice: Notice) -> Form:
    return {
        "text": fitted(sentence(notice), FALLBACK, ENTITIES),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": _blocks(notice),
    }


def _blocks(notice: Notice) -> list[Form]:
    told = sentence(notice)
    blocks: list[Form] = [{"type": "header", "text": _plain(told, HEADER)}]
    if size(_text(told, TITLE)) > HEADER:
        blocks.append({"type": "section", "text": _plain(notice.title, TITLE)})
    fields = [
        {"type": "plain_text", "emoji": False, "text": f"{_text(label, LABEL)}\n{_text(value, FACT)}"}
        for label, value in notice.facts
    ]
    blocks += [
        {"type": "section", "fields": fields[first : first + FIELDS_A_SECTION]}
        for first in range(0, len(fields), FIELDS_A_SECTION)
    ]
    if notice.chart_url:
        blocks.append({"type": "image", "image_url": notice.chart_url, "alt_text": _text(notice.title, ALT)})
    if notice.links:
        blocks.append({"type": "actions", "elements": [_button(*pair) for pair in enumerate(notice.links)]})
    return blocks


def _button(place: int, link: Link) -> Form:
    return {"type": "button", "text": _plain(link.label, BUTTON), "url": link.url, "action_id": f"link_{place}"}


def _plain(text: str, limit: int) -> Form:
    return {"type": "plain_text", "emoji": False, "text": _text(text, limit)}


def _text(text: str, limit: int) -> str:
    return fitted(text, limit, DEFUSED)


async def send(app: App, settings: SlackSettings, notice: Notice, earlier: Reference | None) -> Reference:
    """Say it; the reference is `channel` and `ts` for a bot. `OutboundError`."""
    if settings.url is not None:
        answer = await posting.post(app, NAME, settings.url.get_secret_value(), encoded(render(notice, earlier)))
        if answer.status != 200 or answer.text != "ok":
            raise _webhook_refusal(answer)
        return {"key": identity(notice.key)}
    if earlier is None or not {"channel", "ts"} <= earlier.keys():
        return await _first(app, settings, notice)
    place = {"channel": earlier["channel"], "ts": earlier["ts"]}
    changed, _ = await _call(app, settings, "chat.update", {**render(notice, None), **place}, also=_LOST)
    if changed.get("ok") is not True:
        return await _first(app, settings, notice)
    # Last, because it alone would be doubled: whoever repeats the edit changes nothing.
    reply = render(replace(notice, facts=()), earlier)
    await _call(app, settings, "chat.postMessage", {**reply, "channel": earlier["channel"], "thread_ts": earlier["ts"]})
    return earlier


async def _first(app: App, settings: SlackSettings, notice: Notice) -> Reference:
    form: Form = {**render(notice, None), "channel": settings.slack_channel}
    posted, answer = await _call(app, settings, "chat.postMessage", form)
    channel, ts = posted.get("channel"), posted.get("ts")
    if not isinstance(channel, str) or not isinstance(ts, str):
        raise posting.refusal(NAME, answer)
    return {"channel": channel, "ts": ts}


async def _call(
    app: App, settings: SlackSettings, verb: str, form: Form, also: frozenset[str] = frozenset()
) -> tuple[Form, posting.Answer]:
    """What the Web API answered: `ok`, or one of the errors in `also`."""
    token = settings.token.get_secret_value() if settings.token else ""
    answer = await posting.post(
        app,
        NAME,
        f"{app.settings.slack_api.rstrip('/')}/{verb}",
        # chat.update reads @names and #channels out of the text unless told not to.
        encoded({**form, "parse": "none", "link_names": False}),
        {"authorization": f"Bearer {token}"},
    )
    told = answer.members()
    if answer.status == 200 and (told.get("ok") is True or _word(told.get("error")) in also):
        return told, answer
    raise _api_refusal(answer, told)


def _webhook_refusal(answer: posting.Answer) -> OutboundError:
    word = _word(answer.text)
    if word in _GONE and 400 <= answer.status < 500:
        return posting.gone(f"{NAME} answered {answer.status}: {word}.", answer.status)
    return posting.refusal(NAME, answer, word, _GONE_AT)


def _api_refusal(answer: posting.Answer, told: Form) -> OutboundError:
    word = _word(told.get("error"))
    detail = f"{NAME} answered {answer.status}: {word}."
    if word in _GONE:
        return posting.gone(detail, answer.status)
    if word in _BUSY:
        return posting.busy(detail, answer.retry_after, answer.status)
    if word in _PASSING:
        return posting.unreachable(detail, answer.status, answer.retry_after)
    if word and answer.status == 200:
        return posting.refused(detail, answer.status)
    # The API's own address is the operator's setting: its 404 says nothing about this channel.
    return posting.refusal(NAME, answer, word, gone_at=frozenset())


def _word(told: object) -> str:
    """Slack's error code, which is letters and underscores; anything else could hold a secret."""
    return told if isinstance(told, str) and re.fullmatch(r"[a-z_]{1,60}", told) else ""
