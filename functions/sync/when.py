"""The days and hours an arm of the combined query looks at, as HogQL. Pure."""

from __future__ import annotations

from datetime import date

LIMIT = 50_000
# Rows of these days are no points: hours, rankings and lateness, and the last row.
HOUR_DAY = date(2099, 12, 29)
RANK_DAY = date(2099, 12, 30)
END_DAY = date(2099, 12, 31)
END_METRIC = "~end"
HOUR_PREFIX = "hour:"

LOCAL_DAY = "toDate(toTimeZone(timestamp, {zone}))"
UTC_HOUR = "intDiv(toUnixTimestamp(timestamp), 3600) * 3600"
IN_DAYS = (
    "(timestamp >= fromUnixTimestamp({from}) and timestamp < fromUnixTimestamp({to})"
    " or timestamp >= fromUnixTimestamp({again_from}) and timestamp < fromUnixTimestamp({again_to}))"
)
IN_HOURS = IN_DAYS.replace("{", "{hour_")
IN_RANK = "timestamp >= fromUnixTimestamp({rank_from}) and timestamp < fromUnixTimestamp({rank_to})"
