"""Charts as SVG, drawn here: no script, and each number also stands in a table beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notifications.reporting import Arm
from notifications.rules import looks
from notifications.rules.looks import Look

WIDTH, ROW, LEFT, RIGHT = 640, 34, 110, 20


@dataclass(frozen=True, slots=True)
class Bar:
    """One arm: a dot at its share, a line over its interval; coordinates in the drawing."""

    name: str
    y: int
    low: float
    value: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    width: int
    height: int
    left: int
    bars: tuple[Bar, ...]
    marks: tuple[tuple[float, str], ...]
    """Places on the axis, and what they stand for."""


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
    height, gap = 180, (WIDTH - LEFT - RIGHT) / looks.LOOKS

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


def shares(arms: Sequence[Arm]) -> Chart:
    """Draw the share of customers who ordered, with its interval, a row an arm."""
    top = max([arm.share.high for arm in arms if arm.ripe] or [0.1])
    scale = (WIDTH - LEFT - RIGHT) / top

    def x(share: float) -> float:
        return round(LEFT + min(share, top) * scale, 1)

    bars = tuple(
        Bar(
            name=arm.name,
            y=ROW * place + ROW // 2,
            low=x(arm.share.low),
            value=x(arm.share.value),
            high=x(arm.share.high),
            label=f"{arm.share.value:.1%}",
        )
        for place, arm in enumerate(arms)
        if arm.ripe
    )
    marks = tuple((x(top * part / 4), f"{top * part / 4:.1%}") for part in range(5))
    return Chart(width=WIDTH, height=ROW * len(arms) + 30, left=LEFT, bars=bars, marks=marks)
