"""Charts as SVG, drawn here: no script, and each number also stands in a table beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notifications.reporting import Arm

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
