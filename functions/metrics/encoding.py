"""Series as JSON and as CSV, and which of the two the caller would rather have. Pure.

JSON is written in one go from the points themselves: a model for each of nine thousand
points would cost more than reading them.
"""

from __future__ import annotations

import csv
import io
import json
import re

from functions.metrics.names import unit_of
from functions.metrics.series import Point, Reading

CSV_COLUMNS = ("date", "name", "unit", "value", "complete")
# A spreadsheet that splits a cell at another separator than ours would run what follows as a formula.
_FORMULA = re.compile(r"(^|[\t\r\n;,|])([ ]*[=+\-@])")


def as_json(reading: Reading) -> bytes:
    """`{"series": [{"name", "unit", "points": [{"date", "value", "complete"}]}], "zones": [{"zone", "from", "to"}]}`."""
    series = ",".join(
        f'{{"name":{json.dumps(name)},"unit":"{unit_of(name)}","points":[{",".join(map(_point, points))}]}}'
        for name, points in reading.series.items()
    )
    zones = [{"zone": span.zone, "from": str(span.first), "to": str(span.last)} for span in reading.zones]
    return f'{{"series":[{series}],"zones":{json.dumps(zones, separators=(",", ":"))}}}'.encode()


def as_csv(reading: Reading) -> bytes:
    """RFC 4180 with a header line, one line a point; names that a spreadsheet would run are quoted with an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for name, points in reading.series.items():
        shown, unit = _FORMULA.sub(r"\1'\2", name), unit_of(name)
        for day, value, complete in points:
            writer.writerow((day, shown, unit, value, "true" if complete else "false"))
    return text.getvalue().encode("utf-8", "replace")


def _point(point: Point) -> str:
    # A number's repr is its JSON; only finite ones are ever packed.
    day, value, complete = point
    return f'{{"date":"{day}","value":{value!r},"complete":{"true" if complete else "false"}}}'


def wants_csv(accept: str) -> bool:
    """Does this `Accept` header rank text/csv above JSON? A client that takes anything gets JSON."""
    ranks: dict[str, float] = {}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        ranks[kind] = next((_quality(part) for part in parameters if part.startswith("q=")), 1.0)
    plain = ranks.get("application/json", 0.0)
    return ranks.get("text/csv", 0.0) > plain


def _quality(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
