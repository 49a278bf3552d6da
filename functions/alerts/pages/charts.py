"""A series as a PNG for chat: its line, the usual range and the incident's stretch. Draws what it is given, reads nothing.

A phone shows it at less than half its size, so that its smallest letters are 26 pixels high.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from functions.alerts.conditions.sentences import buckets
from functions.alerts.conditions.series import DAY, Series
from functions.alerts.pages.averaging import Average
from functions.alerts.pages.lettering import Lettering
from functions.alerts.pages.plotting import Band, Plot, plot_of
from functions.alerts.pages.scales import Scale, time_ticks, value_label, value_scale
from functions.alerts.records import Incident

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Theme = Literal["light", "dark"]
Point = tuple[float, float]

WIDTH, HEIGHT = 800, 450
LEFT, RIGHT, TOP, BOTTOM = 124, 22, 120, 58
TITLE_SIZE, LABEL_SIZE = 32, 26
FINER = 2
"""Lines are drawn so many times larger: Pillow draws none with soft edges."""
DASH = 7


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


def png(
    series: Series,
    incident: Incident | None,
    band: Band | None,
    theme: Theme = "light",
    band_name: str = "usual",
    *,
    average: Average | None = None,
    nothing: str = "No points to show",
) -> bytes:
    """The chart, 800 by 450 pixels.

    `band` has a low and a high for each bucket of the series; one that is None or NaN is
    no limit. Of more than 800 buckets the newest are shown; those at the end that are not
    complete are dashed. A dot is on the bucket that an open incident tells of, else on the
    newest; `average` is a line over the buckets it is of. `nothing` is said where no point
    is. Any name will do: letters the font does not have are left out.
    """
    from PIL import Image

    colours = THEMES[theme]
    plot = plot_of(series, band)
    letters = Lettering(LABEL_SIZE, TITLE_SIZE)
    if not plot.points:
        image = Image.new("RGB", (WIDTH, HEIGHT), colours.ground)
        letters.centred(image, WIDTH / 2, HEIGHT / 2, nothing, colours.soft)
    else:
        scale = value_scale([value for _, value in plot.points], plot.edges(), series.unit)
        frame = _Frame(plot.points[0][0], plot.points[-1][0] + series.seconds, scale)
        image = _drawn(plot, frame, incident, average, colours)
        _label(image, series, frame, letters, colours)
    mean = f"mean of {buckets(average.buckets, series.seconds)}" if average is not None else ""
    _head(image, series, incident, letters, colours)
    if plot.points:
        _legend(image, series, incident, letters, colours, band_name=band_name if any(plot.limits) else "", mean=mean)
    # A palette of so few colours is a third of the size, and nobody sees the difference.
    written = io.BytesIO()
    image.quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(written, "PNG", compress_level=6)
    return written.getvalue()


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


def _drawn(plot: Plot, frame: _Frame, incident: Incident | None, average: Average | None, colours: _Colours) -> Image:
    """Everything but the letters."""
    from PIL import Image, ImageDraw

    stretch = _stretch(incident, frame)
    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), colours.ground)
    draw = ImageDraw.Draw(image)
    bottom = HEIGHT - BOTTOM
    if stretch is not None:
        draw.rectangle(_fine([(stretch[0], TOP), (stretch[1], bottom)]), fill=colours.wash)
        draw.rectangle(_fine([(stretch[0], bottom), (stretch[1], bottom + 6)]), fill=colours.edge)
    half = plot.seconds / 2
    for part in plot.limited():
        upper = [(frame.x(at + half), frame.y(high)) for at, (_, high) in part]
        lower = [(frame.x(at + half), frame.y(low)) for at, (low, _) in part]
        if len(part) > 1:
            draw.polygon(_fine([*upper, *reversed(lower)]), fill=colours.band)
    for tick in frame.values.ticks:
        draw.line(_fine([(LEFT, frame.y(tick)), (WIDTH - RIGHT, frame.y(tick))]), colours.grid, FINER)
    for run in plot.runs():
        places = [(frame.x(plot.points[place][0] + half), frame.y(plot.points[place][1])) for place in run]
        _line(draw, places, max(0, plot.whole - run.start), colours.line)
    if average is not None:
        ends = [(frame.x(at), frame.y(average.mean)) for at in (average.begin, average.last + plot.seconds)]
        draw.line(_fine(ends), colours.ink, 4 * FINER)
    _dot(draw, plot, frame, incident if stretch is not None else None, average, colours)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)


def _dot(
    draw: ImageDraw,
    plot: Plot,
    frame: _Frame,
    incident: Incident | None,
    average: Average | None,
    colours: _Colours,
) -> None:
    """On the number that an open incident tells of; else on the newest, which is nothing bad. Hollow: not complete."""
    begins = [at for at, _ in plot.points]
    is_open = incident is not None and incident.resolved_at is None
    place = begins.index(incident.bucket) if incident and is_open and incident.bucket in begins else len(begins) - 1
    colour = colours.edge if is_open else colours.line
    value = average.mean if is_open and average is not None else plot.points[place][1]
    centre = _fine([(frame.x(begins[place] + plot.seconds / 2), frame.y(value))])[0]
    fill = colour if place < plot.whole else colours.ground
    draw.circle(centre, 8 * FINER, fill=fill, outline=colour, width=3 * FINER)


def _line(draw: ImageDraw, places: Sequence[Point], whole: int, colour: str) -> None:
    """A run: drawn through as far as its buckets are whole, dashed from there."""
    solid = places[:whole]
    if len(solid) > 1:
        draw.line(_fine(solid), colour, 4 * FINER, joint="curve")
    elif len(places) == 1 or whole == 1:
        draw.circle(_fine(places)[0], 4 * FINER, fill=colour)
    for begin, end in pairwise(places[max(0, whole - 1) :]):
        pieces = max(1, round(math.dist(begin, end) / DASH))
        for piece in range(0, pieces, 2):
            dash = [_between(begin, end, piece / pieces), _between(begin, end, (piece + 1) / pieces)]
            draw.line(_fine(dash), colour, 3 * FINER)


def _between(begin: Point, end: Point, share: float) -> Point:
    return begin[0] + (end[0] - begin[0]) * share, begin[1] + (end[1] - begin[1]) * share


def _fine(places: Sequence[Point]) -> list[Point]:
    return [(x * FINER, y * FINER) for x, y in places]


def _label(image: Image, series: Series, frame: _Frame, letters: Lettering, colours: _Colours) -> None:
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
) -> None:
    """The title."""
    parts = (incident.rule_name, incident.value) if incident is not None else (series.name, series.value)
    letters.title(image, 24, 36, " · ".join(part for part in parts if part), WIDTH - 48, colours.ink)


def _legend(
    image: Image,
    series: Series,
    incident: Incident | None,
    letters: Lettering,
    colours: _Colours,
    *,
    band_name: str,
    mean: str,
) -> None:
    """What the colours mean, and what a bucket is."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    x = 24.0
    kinds = [(band_name, colours.band)] if band_name else []
    if incident is not None:
        kinds.append(("incident", colours.edge))
    if mean:
        kinds.append((mean, colours.ink))
    for words, colour in kinds:
        draw.rectangle([x, 68, x + 24, 92], fill=colour)
        letters.left(image, x + 34, 80, words, colours.soft)
        x += 34 + letters.width(words) + 28
    grain = {DAY: "by day", 3_600: "by hour"}.get(series.seconds, "")
    said = ", ".join(part for part in (grain, series.zone) if part)
    if x + letters.width(said) < WIDTH - 24:
        letters.right(image, WIDTH - 24, 80, said, colours.soft)
