"""What was said of each bucket, as a policy takes it: those that cannot be judged left out, missing ones as it wishes. Pure."""

from __future__ import annotations

from bisect import bisect_right

from functions.alerts.backtest.histories import Judged
from functions.alerts.backtest.walking import Marks
from functions.alerts.conditions.kinds import NewValue, NoData
from functions.alerts.conditions.series import DAY, HOUR
from functions.alerts.spec import Policy


def marks_of(history: Judged, policy: Policy, last: int) -> Marks:
    """The marks of the history up to the place `last`."""
    places = history.places[: bisect_right(history.places, last)]
    marks = Marks(
        places,
        [history.begins[place] for place in places],
        [history.ends[place] for place in places],
        [history.firing[place] for place in places],
        [history.recovered[place] for place in places],
    )
    if policy.no_data == "keep" or isinstance(history.condition, NoData | NewValue):
        return marks
    return _with_missing(history, marks, fires=policy.no_data == "firing")


def _with_missing(history: Judged, marks: Marks, *, fires: bool) -> Marks:
    """With a mark at the end of every bucket that is not there; it stands at the place of the last point before it."""
    grain = history.series.seconds
    # A local day may be an hour longer than it should be.
    slack = HOUR if grain == DAY else grain // 2
    silent = set(history.series.silent)
    lines = list(zip(marks.places, marks.begins, marks.ends, marks.firing, marks.recovered, strict=True))
    filled = []
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        filled.append(line)
        place, begin = line[0], line[1]
        if after is None or after[0] != place + 1:
            continue
        while after[1] - (begin := begin + grain) > slack:
            if begin not in silent:
                filled.append((place, begin, begin + grain, fires, not fires))
    return Marks(*(list(column) for column in zip(*filled, strict=True))) if filled else marks
