"""Saying a notice in a channel, whatever its kind: one deadline, and a plainer form where the full one is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from hedgerow.channels import discord, google_chat, slack, teams, webhook
from hedgerow.channels.discord import DiscordSettings
from hedgerow.channels.google_chat import GoogleChatSettings
from hedgerow.channels.notice import Notice, Reference
from hedgerow.channels.posting import unreachable
from hedgerow.channels.settings import ChannelSettings
from hedgerow.channels.slack import SlackSettings
from hedgerow.channels.teams import TeamsSettings
from hedgerow.errors import OutboundError

if TYPE_CHECKING:
    from hedgerow.app import App

TOTAL_SECONDS = 10.0


async def send(app: App, settings: ChannelSettings, notice: Notice, earlier: Reference | None) -> Reference:
    """Say it within ten seconds; the reference, never empty, is to be handed back as `earlier` of what follows.

    `OutboundError`, whose `transient` and `retry_after` say whether and when to try again:
    `channel_gone` (never again), `channel_refused` (not this message), `channel_busy`,
    `channel_unreachable` (it may have arrived all the same), `address_refused`.
    """
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            return await _plainer_if_refused(app, settings, notice, earlier)
    except TimeoutError:
        raise unreachable(f"The channel did not answer within {TOTAL_SECONDS:.0f} s.") from None


async def _plainer_if_refused(
    app: App, settings: ChannelSettings, notice: Notice, earlier: Reference | None
) -> Reference:
    """A picture its service cannot fetch, or a link it will not take, must not keep the sentence from arriving."""
    for plainer in _plainer(notice):
        try:
            return await _send(app, settings, plainer, earlier)
        except OutboundError as error:
            if error.code != "channel_refused" or settings.kind == "webhook":
                raise
    return await _send(app, settings, replace(notice, chart_url=None, links=()), earlier)


def _plainer(notice: Notice) -> Iterator[Notice]:
    """Every form worth trying but the plainest."""
    if notice.chart_url:
        yield notice
    if notice.links:
        yield replace(notice, chart_url=None)


async def _send(app: App, settings: ChannelSettings, notice: Notice, earlier: Reference | None) -> Reference:
    match settings:
        case SlackSettings():
            return await slack.send(app, settings, notice, earlier)
        case DiscordSettings():
            return await discord.send(app, settings, notice, earlier)
        case TeamsSettings():
            return await teams.send(app, settings, notice, earlier)
        case GoogleChatSettings():
            return await google_chat.send(app, settings, notice, earlier)
    return await webhook.send(app, settings, notice, earlier)
