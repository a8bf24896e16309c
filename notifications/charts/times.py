"""What moved with time: looks, the difference by day, enrolments against the plan, how soon orders came, sent mails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from notifications.charts.sizes import LEFT, RIGHT, WIDTH
from notifications.reporting import Arm, Day, Hour
from notifications.rules import looks, statistics
from notifications.rules.looks import Look
from notifications.rules.statistics import Interval

HEIGHT = 180
MOST_POINTS = 60
"""Of a long campaign each so-manieth day is drawn."""
ENOUGH = 50
"""Customers in the hold-out from which on the band is narrow enough to say how high the chart must be."""
CELL = 22
HEAD = 20
"""Room for what stands above the highest line."""


@dataclass(frozen=True, slots=True)
class LooksChart:
    """The z of each look between its bounds; coordinates in the drawing."""

    width: int
    height: int
    middle: float
    """Where z is 0."""
    upper: str
    """Points of the line of bounds above, as SVG writes them; the one below is its mirror image."""
    lower: str
    dots: tuple[tuple[float, float, str], ...]
    """Looks that were taken: place, height, and z."""
    marks: tuple[tuple[float, str], ...]


def over_looks(taken: Sequence[Look], sizes: Sequence[int]) -> LooksChart:
    """Draw how z moved from look to look, and the bounds beyond which a look ends the test."""
    top = max([looks.bound(1), *(abs(look.z) for look in taken)]) * 1.1
    height, gap = HEIGHT, (WIDTH - LEFT - RIGHT) / looks.LOOKS

    def y(z: float) -> float:
        return round(height / 2 - z / top * height / 2, 1)

    places = [round(LEFT + gap * (number + 0.5), 1) for number in range(looks.LOOKS)]
    bounds = [looks.bound(number) for number in range(1, looks.LOOKS + 1)]
    return LooksChart(
        width=WIDTH,
        height=height + 20,
        middle=y(0),
        upper=" ".join(f"{x},{y(bound)}" for x, bound in zip(places, bounds, strict=True)),
        lower=" ".join(f"{x},{y(-bound)}" for x, bound in zip(places, bounds, strict=True)),
        dots=tuple((places[look.number - 1], y(look.z), f"{look.z:+.2f}") for look in taken),
        marks=tuple((x, str(size)) for x, size in zip(places, sizes, strict=True)),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, and where it ends."""

    name: str
    points: str
    """As SVG writes them."""
    end: tuple[float, float]
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over time; coordinates in the drawing."""

    width: int
    height: int
    left: int
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    """Heights that are named."""
    along: tuple[tuple[float, str], ...]
    """Places on the time axis that are named."""
    band: str = ""
    """Points around the interval."""
    uprights: tuple[tuple[float, str], ...] = ()
    """Moments that are marked."""
    plans: tuple[tuple[float, str], ...] = ()
    """Heights that are aimed at."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Mails of one hour of one weekday."""

    x: float
    y: float
    shade: float
    """0 to 1."""
    hour: Hour


@dataclass(frozen=True, slots=True)
class Week:
    """Mails by hour and weekday."""

    width: int
    height: int
    size: int
    cells: tuple[Cell, ...]
    along: tuple[tuple[float, str], ...]


def thinned(days: Sequence[Day]) -> tuple[Day, ...]:
    """Leave out days so that few enough remain, never the last one."""
    step = -(-len(days) // MOST_POINTS) if days else 1
    return tuple(day for place, day in enumerate(days) if (len(days) - 1 - place) % step == 0)


def difference_of(day: Day) -> Interval:
    """Give the difference until a day, as shares."""
    return statistics.lift(
        hits=day.mailed[0], n=day.mailed[1], control_hits=day.control[0], control_n=day.control[1]
    ).difference


def difference(days: Sequence[Day], sizes: Sequence[int]) -> Lines | None:
    """Draw the difference in points with its band, day by day, and when each look was reached.

    None with nobody to compare.
    """
    known = [day for day in thinned(days) if day.control[1] and day.mailed[1]]
    if not known:
        return None
    found = [difference_of(day) for day in known]
    sure = [one for one, day in zip(found, known, strict=True) if day.control[1] >= ENOUGH] or found[-1:]
    most = max(0.01, *(max(-one.low, one.high) for one in sure))
    x = _dates(known[0].day, known[-1].day)

    def y(share: float) -> float:
        return round(HEIGHT / 2 - max(-most, min(most, share)) / most * HEIGHT / 2, 1)

    above = [f"{x(day.day)},{y(one.high)}" for one, day in zip(found, known, strict=True)]
    below = [f"{x(day.day)},{y(one.low)}" for one, day in zip(found, known, strict=True)]
    reached = (
        (number, next((d.day for d in known if d.control[1] >= size), None)) for number, size in _numbered(sizes)
    )
    return Lines(
        width=WIDTH,
        height=HEIGHT + 20,
        left=LEFT,
        lines=(_line("", [(x(day.day), y(one.value)) for one, day in zip(found, known, strict=True)]),),
        across=tuple((y(most * part), f"{100 * most * part:+.1f}") for part in (-1, -0.5, 0, 0.5, 1)),
        along=_ends(known[0].day, known[-1].day),
        band=" ".join([*above, *reversed(below)]),
        uprights=tuple((x(day), str(number)) for number, day in reached if day),
    )


def enrolment(days: Sequence[Day], sizes: Sequence[int]) -> Lines | None:
    """Draw how many customers the hold-out had day by day, and how many each look needs; None before the first one."""
    if not days:
        return None
    known = thinned(days)
    top = max(1, known[-1].held, *sizes)
    x = _dates(known[0].day, known[-1].day)

    def y(n: int) -> float:
        return round(HEIGHT - n / top * (HEIGHT - HEAD), 1)

    return Lines(
        width=WIDTH,
        height=HEIGHT + 20,
        left=LEFT,
        lines=(_line("", [(x(day.day), y(day.held)) for day in known]),),
        across=((y(0), "0"), (y(known[-1].held), f"{known[-1].held}")),
        along=_ends(known[0].day, known[-1].day),
        plans=tuple((y(size), str(number)) for number, size in _numbered(sizes)),
    )


def delays(control: Arm, mailed: Arm, parts: Sequence[tuple[int, int]], *, window: timedelta) -> Lines | None:
    """Draw the share of customers who had ordered so long after their cart was found; None without orders."""
    if not parts or not control.ripe or not mailed.ripe:
        return None
    shares = [(held / control.ripe, sent / mailed.ripe) for held, sent in parts]
    top = max(0.001, *(max(pair) for pair in shares))
    gap = (WIDTH - LEFT - RIGHT) / len(parts)

    def points(side: int) -> list[tuple[float, float]]:
        ends = [(LEFT + gap * (place + 1), pair[side]) for place, pair in enumerate(shares)]
        return [(round(x, 1), round(HEIGHT - share / top * (HEIGHT - HEAD), 1)) for x, share in [(LEFT, 0.0), *ends]]

    hours = window / timedelta(hours=1)
    return Lines(
        width=WIDTH,
        height=HEIGHT + 20,
        left=LEFT,
        lines=(_line(control.name, points(0), is_dashed=True), _line(mailed.name, points(1))),
        across=tuple((round(HEIGHT - part * (HEIGHT - HEAD), 1), f"{top * part:.1%}") for part in (0, 0.5, 1)),
        along=tuple(
            (round(LEFT + (WIDTH - LEFT - RIGHT) * part / 4, 1), f"{hours * part / 4:.0f} h") for part in range(5)
        ),
    )


def week(hours: Sequence[Hour]) -> Week | None:
    """Draw how many mails were sent in each hour of each weekday; None without any."""
    most = max((hour.sent for hour in hours), default=0)
    if not most:
        return None
    return Week(
        width=LEFT + 24 * CELL,
        height=7 * CELL + 20,
        size=CELL - 2,
        cells=tuple(
            Cell(LEFT + hour.hour * CELL, (hour.weekday - 1) * CELL, round(hour.sent / most, 3), hour) for hour in hours
        ),
        along=tuple((LEFT + hour * CELL + CELL / 2, f"{hour:02}") for hour in range(0, 24, 3)),
    )


def _numbered(sizes: Sequence[int]) -> list[tuple[int, int]]:
    return list(enumerate(sizes, start=1))


def _line(name: str, points: Sequence[tuple[float, float]], *, is_dashed: bool = False) -> Line:
    return Line(name, " ".join(f"{x},{y}" for x, y in points), points[-1], is_dashed)


def _dates(first: date, last: date) -> Callable[[date], float]:
    """Give the place of each day between two."""
    days = max(1, (last - first).days)
    return lambda day: round(LEFT + (day - first).days / days * (WIDTH - LEFT - RIGHT), 1)


def _ends(first: date, last: date) -> tuple[tuple[float, str], ...]:
    if first == last:
        return ((LEFT, first.isoformat()),)
    return ((LEFT, first.isoformat()), (WIDTH - RIGHT, last.isoformat()))
