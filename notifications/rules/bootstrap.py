"""How sure a difference of means is when a few large orders make most of it: the bootstrap of Efron (1979)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from notifications.rules.statistics import Interval

DRAWS = 1_000
FEWEST = 200
"""Customers on each side; of fewer a resample says nothing."""

Group = tuple[int, int]
"""Customers that chance threw together: the sum of their values, and their number."""


def mean_difference(groups: Sequence[Group], control: Sequence[Group], *, seed: int) -> Interval | None:
    """Give how much greater the mean of one side is, with its 95 % interval; None with too few customers.

    Whole groups are drawn, so that it costs the same for a thousand customers and for a million. They must be made by
    chance, and be a hundred or more where there are that many customers. The same seed gives the same interval.
    """
    if min(_count(groups), _count(control)) < FEWEST:
        return None
    chance = random.Random(seed)  # noqa: S311 - a draw, and one that can be repeated
    drawn = sorted(
        _mean(chance.choices(groups, k=len(groups))) - _mean(chance.choices(control, k=len(control)))
        for _ in range(DRAWS)
    )
    tail = DRAWS // 40
    return Interval(_mean(groups) - _mean(control), drawn[tail], drawn[-1 - tail])


def _count(groups: Sequence[Group]) -> int:
    return sum(n for _, n in groups)


def _mean(groups: Sequence[Group]) -> float:
    return sum(value for value, _ in groups) / max(1, _count(groups))
