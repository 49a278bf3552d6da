"""Requests whose project token belongs to no connection, by its last four characters, of the last day."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from hedgerow import counting_up
from hedgerow.app import App
from hedgerow.counting_up import HOUR
from hedgerow.deliveries import hour_of
from hedgerow.records import Instant

LOOKED_AT = timedelta(hours=24)


class UnknownToken(BaseModel):
    """A token nobody has."""

    token_ends: str = Field(description="Its last four characters; … where there were too many to tell apart.")
    count: int = Field(description="Requests.")
    hours: list[Instant] = Field(description="The hours they came in.")


class UnknownTokens(BaseModel):
    """Those of the last 24 hours, the commonest first; they fit one page."""

    items: list[UnknownToken]
    next_cursor: None = None
    cut: bool = Field(description="There were more records of counts than one answer reads.")


async def unknown_tokens(app: App) -> UnknownTokens:
    """What SDKs sent that point at this host with a token of no connection."""
    end = hour_of(app.now()) + HOUR
    counted = await counting_up.read(app.store, "", end - HOUR - LOOKED_AT, end)
    found: dict[str, UnknownToken] = {}
    for hour in counting_up.by_hour(counted.records).values():
        for (name, _), sums in hour.rows.items():
            token = found.setdefault(name, UnknownToken(token_ends=name, count=0, hours=[]))
            token.count += sums.accepted
            if hour.at not in token.hours:
                token.hours.append(hour.at)
    items = sorted(found.values(), key=lambda token: -token.count)
    return UnknownTokens(items=items, cut=not counted.is_whole)
