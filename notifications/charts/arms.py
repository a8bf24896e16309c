"""Arms side by side: their shares of buyers, the way of their mails, and carts of several values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notifications.charts.sizes import LEFT, RIGHT, ROW, WIDTH
from notifications.reporting import Arm, Band
from notifications.rules import statistics


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
    zero: float | None = None
    """Where nothing is different, in a chart of differences."""

    @property
    def axis(self) -> int:
        """Where the lines of the marks end."""
        return self.height - 15


@dataclass(frozen=True, slots=True)
class Stage:
    """How many of those who were found came so far."""

    name: str
    y: int
    width: float
    n: int
    share: str


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


def differences(bands: Sequence[tuple[str, Band]]) -> Chart:
    """Draw by how much mailed customers ordered more often than the hold-out, in points; a row for each band."""
    found = [
        (name, statistics.lift(hits=b.mailed[0], n=b.mailed[1], control_hits=b.control[0], control_n=b.control[1]))
        for name, b in bands
    ]
    known = [lift.difference for (_, lift), (_, b) in zip(found, bands, strict=True) if b.control[1] and b.mailed[1]]
    most = max([max(-one.low, one.high) for one in known] or [0.1])
    scale = (WIDTH - LEFT - RIGHT) / (2 * most)

    def x(difference: float) -> float:
        return round(LEFT + (max(-most, min(most, difference)) + most) * scale, 1)

    bars = tuple(
        Bar(
            name=name,
            y=ROW * place + ROW // 2,
            low=x(lift.difference.low),
            value=x(lift.difference.value),
            high=x(lift.difference.high),
            label=f"{100 * lift.difference.value:+.1f}",
        )
        for place, (name, lift) in enumerate(found)
        if bands[place][1].control[1] and bands[place][1].mailed[1]
    )
    marks = tuple((x(most * part / 2), f"{100 * most * part / 2:+.1f}") for part in range(-2, 3))
    return Chart(width=WIDTH, height=ROW * len(found) + 30, left=LEFT, bars=bars, marks=marks, zero=x(0))


def funnel(stages: Sequence[tuple[str, int]]) -> tuple[Stage, ...]:
    """Draw how many of those who were found came how far; the first stage is all of them."""
    whole = max(1, stages[0][1]) if stages else 1
    scale = (WIDTH - LEFT - 90) / whole
    return tuple(
        Stage(name, ROW * place + ROW // 2, round(min(n, whole) * scale, 1), n, f"{n / whole:.1%}")
        for place, (name, n) in enumerate(stages)
    )
