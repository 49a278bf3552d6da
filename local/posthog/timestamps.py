"""When an event happened, by PostHog's own rule: offset, else skew-corrected, else as sent, else on arrival.

Reads the many forms SDKs write times in; refuses none: what cannot be read counts as absent.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FURTHEST_AHEAD = timedelta(hours=23)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"-?\d{1,19}(\.\d+)?")
_SHORT_ZONE = re.compile(r"([+-]\d{2})$")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")


def decide(
    now: datetime,
    *,
    timestamp: str | None,
    sent_at: datetime | None,
    offset: int | None = None,
    ignore_sent_at: bool = False,
) -> datetime:
    """The instant an event is stored at.

    >>> at = datetime(2025, 5, 1, 10, tzinfo=UTC)
    >>> decide(at, timestamp=None, sent_at=None, offset=1500).isoformat()
    '2025-05-01T09:59:58.500000+00:00'
    """
    try:
        instant = _unclamped(now, timestamp, None if ignore_sent_at else sent_at, offset)
    except OverflowError:
        return _EPOCH
    return now if instant > now + FURTHEST_AHEAD else instant


def _unclamped(now: datetime, timestamp: str | None, sent_at: datetime | None, offset: int | None) -> datetime:
    if offset is not None:
        return now - timedelta(milliseconds=offset)
    written = parse(timestamp) if timestamp is not None else None
    if written is None:
        return now
    if sent_at is not None:
        return written - (sent_at - now)
    return written


def parse(text: str) -> datetime | None:
    """An instant in UTC from any form PostHog accepts; None when it cannot be read."""
    text = text.strip()
    if not text:
        return None
    if _DIGITS.fullmatch(text):
        return _from_epoch(text)
    return _from_iso(text) or _from_mail(text)


def parse_strict(text: str) -> datetime | None:
    """RFC 3339 with its zone, as capture v1 demands; None for anything else."""
    if len(text) < len("2025-05-01T10:00:00Z") or text[10] not in "Tt ":
        return None
    try:
        instant = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text))
    except ValueError:
        return None
    return None if instant.tzinfo is None else _in_utc(instant)


def _from_epoch(text: str) -> datetime | None:
    number = float(text)
    seconds = number / 1000 if abs(number) >= 1e11 else number
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _from_iso(text: str) -> datetime | None:
    candidate = _LONG_FRACTION.sub(r"\1", text.replace("/", "-"))
    for form in (candidate, _SHORT_ZONE.sub(r"\1:00", candidate)):
        try:
            instant = datetime.fromisoformat(form)
        except ValueError:
            continue
        return _in_utc(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    return None


def _from_mail(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return _in_utc(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return _EPOCH
