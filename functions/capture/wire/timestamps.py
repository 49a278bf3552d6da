"""The instant of an event, fixed when it arrives, by PostHog's own rule; and how instants are read and written.

Refuses no text: a time that cannot be read counts as absent, as it does in PostHog. Knows no clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import orjson

FURTHEST_AHEAD = timedelta(hours=23)
"""An event further in the future than this is stored at its arrival."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where PostHog puts an instant outside the years it knows."""
_LONGEST = 100
_WRITTEN_LENGTH = len("2025-05-01T10:00:00.000000Z")
_WIDEST_OFFSET = 2**63
_NUMBER = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]+)?")
_SMALLEST_MILLISECONDS = 1e11


def decide(
    now: datetime,
    *,
    timestamp: object,
    sent_at: datetime | None,
    offset: object = None,
    keeps_clock: bool = False,
) -> datetime:
    """The instant at which PostHog stores an event that arrived at `now`, in UTC.

    `timestamp` and `offset` are taken as they stood in the event: a timestamp that is no text and
    an offset that is no whole number of milliseconds count as absent. `keeps_clock` is the wish
    that the sender's clock be believed (`$ignore_sent_at`, `disable_skew_correction`).

    >>> at = datetime(2025, 5, 1, 10, tzinfo=UTC)
    >>> written(decide(at, timestamp="2025-05-01T13:00:01Z", sent_at=datetime(2025, 5, 1, 13, 0, 3, tzinfo=UTC)))
    '2025-05-01T09:59:58.000000Z'
    """
    try:
        if type(offset) is int and -_WIDEST_OFFSET <= offset < _WIDEST_OFFSET:
            instant = now - timedelta(milliseconds=offset)
        else:
            own = parse(timestamp) if type(timestamp) is str else None
            if own is None:
                return now
            instant = own if sent_at is None or keeps_clock else own - (sent_at - now)
    except OverflowError:
        return EPOCH
    return now if instant - now > FURTHEST_AHEAD else instant


def parse(text: str) -> datetime | None:
    """An instant in UTC from any form PostHog reads; None when it is none of them.

    RFC 3339; a zone without minutes; a date alone; slashes; a blank for the T; RFC 2822;
    seconds or milliseconds since 1970. Without a zone it is UTC.
    """
    if text[4:5] == "-":
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            return _other_form(text)
        return instant if instant.tzinfo is UTC else _in_utc(instant)
    return _other_form(text)


def from_milliseconds(text: str) -> datetime | None:
    """The query's `_`: milliseconds since 1970. What reads as 2020 or before is seconds, and ignored."""
    if not (text.isascii() and text.isdigit()) or len(text) > 14:
        return None
    instant = EPOCH + timedelta(milliseconds=int(text))
    return instant if instant.year > 2020 else None


def written(at: datetime) -> str:
    """An instant of UTC as RFC 3339 with microseconds."""
    # Several times as fast as isoformat, which costs more than all the rest of an event's time.
    text = orjson.dumps(at, option=orjson.OPT_UTC_Z)[1:-1].decode()
    return text if len(text) == _WRITTEN_LENGTH else text[:-1] + ".000000Z"


def _other_form(text: str) -> datetime | None:
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        seconds = number / 1000 if abs(number) >= _SMALLEST_MILLISECONDS else number
        try:
            return EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return None
    try:
        return _in_utc(datetime.fromisoformat(text.replace("/", "-").upper()))
    except ValueError:
        return _from_mail(text)


def _from_mail(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return EPOCH
