"""A series as a PNG for chat: its line, the usual range and the incident's stretch. Draws what it is given, reads nothing.

A phone shows it at less than half its size, so that its smallest letters are 26 pixels high.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from functions.alerts.conditions.series import DAY, Series
from functions.alerts.pages.lettering import Lettering
from functions.alerts.pages.scales import Scale, time_ticks, value_label, value_scale
from functions.alerts.records import Incident

if TYPE_CHECKING:
    from PIL.Image import Image

Theme = Literal["light", "dark"]
Band = Sequence[tuple[float | None, float | None]]
Point = tuple[float, float]

WIDTH, HEIGHT = 800, 450
LEFT, RIGHT, TOP, BOTTOM = 124, 22, 120, 58
TITLE_SIZE, LABEL_SIZE = 32, 26
FINER = 2
"""Lines are drawn so many times larger: Pillow draws none with soft edges."""

MOST_BUCKETS = 800
# No number of anybody's, NaN among them; room above it for the arithmetic of scales.
BEYOND = 1e150


@dataclass(frozen=True, slots=True)
class _Colours:
    ground: str
    ink: str
    soft: str
    grid: str
    band: str
    line: str
    wash: str
    edge: str


THEMES: dict[Theme, _Colours] = {
    "light": _Colours("#ffffff", "#1d1c1d", "#5c5b5c", "#e4e4e0", "#cde1f4", "#0b5c9e", "#fbdfe3", "#c01343"),
    "dark": _Colours("#1b1c1f", "#f0f0f2", "#b4b5ba", "#3a3b40", "#28465f", "#7cc0f7", "#46272e", "#ff8499"),
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a bucket and a value are on the picture."""

    begin: int
    end: int
    values: Scale

    def x(self, at: float) -> float:
        share = (at - self.begin) / (self.end - self.begin)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.values.share(value) * (HEIGHT - TOP - BOTTOM)


def png(series: Series, incident: Incident | None, band: Band | None, theme: Theme = "light") -> bytes:
    """The chart, 800 by 450 pixels.

    `band` has a low and a high for each bucket of the series; one that is None or NaN is
    no limit. Of more than 800 buckets the newest are shown. Any name will do: letters the
    font does not have are left out.
    """
    from PIL import Image

    colours = THEMES[theme]
    points, limits = _finite(series, band)
    letters = Lettering(LABEL_SIZE, TITLE_SIZE)
    if not points:
        image = Image.new("RGB", (WIDTH, HEIGHT), colours.ground)
        letters.centred(image, WIDTH / 2, HEIGHT / 2, "No points to show", colours.soft)
    else:
        edges = [edge for pair in limits if pair is not None for edge in pair if math.isfinite(edge)]
        scale = value_scale([value for _, value in points], edges, series.unit)
        frame = _Frame(points[0][0], points[-1][0] + series.seconds, scale)
        image = _drawn(series, points, limits, frame, _stretch(incident, frame), colours)
        _label(image, series, points, frame, letters, colours)
    _head(image, series, incident, letters, colours, has_band=any(limits))
    # A palette of so few colours is a third of the size, and nobody sees the difference.
    written = io.BytesIO()
    image.quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(written, "PNG", compress_level=6)
    return written.getvalue()


def _finite(series: Series, band: Band | None) -> tuple[list[tuple[int, float]], list[tuple[float, float] | None]]:
    """The newest points that are numbers, and beside each its expected range where there is one."""
    points: list[tuple[int, float]] = []
    limits: list[tuple[float, float] | None] = []
    for place in range(max(0, len(series.begins) - MOST_BUCKETS), len(series.begins)):
        value = float(series.values[place])
        if not abs(value) < BEYOND:
            continue
        low, high = band[place] if band is not None and place < len(band) else (None, None)
        points.append((int(series.begins[place]), value))
        limits.append(_range(low, high))
    return points, limits


def _range(low: float | None, high: float | None) -> tuple[float, float] | None:
    """Both limits; one that is not there is endless, and with neither there is no range."""
    lowest = -math.inf if low is None or not abs(low) < BEYOND else float(low)
    highest = math.inf if high is None or not abs(high) < BEYOND else float(high)
    return None if math.isinf(lowest) and math.isinf(highest) else (lowest, highest)


def _stretch(incident: Incident | None, frame: _Frame) -> tuple[float, float] | None:
    """The incident's left and right edge; None when it lies outside of the picture."""
    if incident is None:
        return None
    begin = incident.since.timestamp()
    end = incident.resolved_at.timestamp() if incident.resolved_at else float(frame.end)
    if end <= frame.begin or begin >= frame.end:
        return None
    left = frame.x(begin)
    return left, max(frame.x(end), left + 4)


def _drawn(
    series: Series,
    points: Sequence[tuple[int, float]],
    limits: Sequence[tuple[float, float] | None],
    frame: _Frame,
    stretch: tuple[float, float] | None,
    colours: _Colours,
) -> Image:
    """Everything but the letters."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), colours.ground)
    draw = ImageDraw.Draw(image)

    def fine(places: Sequence[Point]) -> list[Point]:
        return [(x * FINER, y * FINER) for x, y in places]

    bottom = HEIGHT - BOTTOM
    if stretch is not None:
        draw.rectangle(fine([(stretch[0], TOP), (stretch[1], bottom)]), fill=colours.wash)
        draw.rectangle(fine([(stretch[0], bottom), (stretch[1], bottom + 6)]), fill=colours.edge)
    half = series.seconds / 2
    for run in _runs(points, series.seconds):
        for part in _with_limits(points, limits, run):
            upper = [(frame.x(at + half), frame.y(high)) for at, (_, high) in part]
            lower = [(frame.x(at + half), frame.y(low)) for at, (low, _) in part]
            if len(part) > 1:
                draw.polygon(fine([*upper, *reversed(lower)]), fill=colours.band)
    for tick in frame.values.ticks:
        draw.line(fine([(LEFT, frame.y(tick)), (WIDTH - RIGHT, frame.y(tick))]), colours.grid, FINER)
    for run in _runs(points, series.seconds):
        places = [(frame.x(points[place][0] + half), frame.y(points[place][1])) for place in run]
        if len(places) > 1:
            draw.line(fine(places), colours.line, 4 * FINER, joint="curve")
        else:
            draw.circle(fine(places)[0], 4 * FINER, fill=colours.line)
    last = (frame.x(points[-1][0] + half), frame.y(points[-1][1]))
    draw.circle(fine([last])[0], 8 * FINER, fill=colours.edge if stretch else colours.line)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)


def _runs(points: Sequence[tuple[int, float]], seconds: int) -> Iterator[range]:
    """Stretches without a gap. A local day may be an hour longer; half a bucket more is a gap."""
    begin = 0
    for place, (before, after) in enumerate(pairwise(points), 1):
        if after[0] - before[0] > seconds * 1.5:
            yield range(begin, place)
            begin = place
    yield range(begin, len(points))


def _with_limits(
    points: Sequence[tuple[int, float]], limits: Sequence[tuple[float, float] | None], run: range
) -> Iterator[list[tuple[int, tuple[float, float]]]]:
    """The parts of a run that have an expected range."""
    part: list[tuple[int, tuple[float, float]]] = []
    for place in run:
        limit = limits[place]
        if limit is None:
            if part:
                yield part
            part = []
        else:
            part.append((points[place][0], limit))
    if part:
        yield part


def _label(
    image: Image,
    series: Series,
    points: Sequence[tuple[int, float]],
    frame: _Frame,
    letters: Lettering,
    colours: _Colours,
) -> None:
    """The axes' labels. A label that would touch the one before is left out."""
    for tick in frame.values.ticks:
        letters.right(image, LEFT - 12, frame.y(tick), value_label(tick, series.unit), colours.soft)
    free = 0.0
    half = DAY / 2 if series.seconds == DAY else 0
    for at, words in time_ticks(frame.begin, frame.end, series.zone, series.seconds):
        width = letters.width(words)
        x = min(max(frame.x(at + half), LEFT + width / 2 - 10), WIDTH - width / 2 - 12)
        if x - width / 2 >= free:
            letters.centred(image, x, HEIGHT - BOTTOM + 34, words, colours.soft)
            free = x + width / 2 + 18


def _head(
    image: Image,
    series: Series,
    incident: Incident | None,
    letters: Lettering,
    colours: _Colours,
    *,
    has_band: bool,
) -> None:
    """The title, and below it what the colours mean."""
    from PIL import ImageDraw

    parts = (incident.rule_name, incident.value) if incident is not None else (series.name, series.value)
    letters.title(image, 24, 36, " · ".join(part for part in parts if part), WIDTH - 48, colours.ink)
    draw = ImageDraw.Draw(image)
    x = 24.0
    kinds = [("usual", colours.band)] if has_band else []
    if incident is not None:
        kinds.append(("incident", colours.edge))
    for words, colour in kinds:
        draw.rectangle([x, 68, x + 24, 92], fill=colour)
        letters.left(image, x + 34, 80, words, colours.soft)
        x += 34 + letters.width(words) + 28
    grain = {DAY: "by day", 3_600: "by hour"}.get(series.seconds, "")
    said = ", ".join(part for part in (grain, series.zone) if part)
    if x + letters.width(said) < WIDTH - 24:
        letters.right(image, WIDTH - 24, 80, said, colours.soft)
