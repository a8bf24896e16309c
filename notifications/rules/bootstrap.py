"""How sure a difference of means is when a few large orders make most of it: the bootstrap of Efron (1979)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from notifications.rules.statistics import Interval

DRAWS = 1_000
FEWEST = 200
"""Customers on each side; of fewer a resample says nothing."""

Group = tuple[int, ...]
"""Customers that chance threw together: the sums of one or more of their values, and, as the last, their number."""
Means = tuple[float, ...]


def mean_differences(
    groups: Sequence[Group], control: Sequence[Group], *, seed: int, drawn_control: Sequence[Means] | None = None
) -> tuple[Interval, ...]:
    """Give how much greater the mean of each value is on one side, with its 95 % interval; () with too few customers.

    Whole groups are drawn, so that it costs the same for a thousand customers and for a million. They must be made by
    chance, and be a hundred or more where there are that many customers. The same seed gives the same interval. Whoever
    compares several sides with one control draws that once, by `resample`.
    """
    if min(_count(groups), _count(control)) < FEWEST:
        return ()
    drawn, held = resample(groups, seed=seed), drawn_control or resample(control, seed=~seed)
    tail = DRAWS // 40
    found = []
    for place, (mean, of_control) in enumerate(zip(_means(groups), _means(control), strict=True)):
        differences = sorted(one[place] - other[place] for one, other in zip(drawn, held, strict=True))
        found.append(Interval(mean - of_control, differences[tail], differences[-1 - tail]))
    return tuple(found)


def resample(groups: Sequence[Group], *, seed: int) -> tuple[Means, ...]:
    """Draw as many groups as there are, with repetition, again and again; give the means of each draw."""
    if not groups:
        return ()
    chance = random.Random(seed)  # noqa: S311 - a draw, and one that can be repeated
    return tuple(_means(chance.choices(groups, k=len(groups))) for _ in range(DRAWS))


def _count(groups: Sequence[Group]) -> int:
    return sum(group[-1] for group in groups)


def _means(groups: Sequence[Group]) -> Means:
    *sums, n = map(sum, zip(*groups, strict=True))
    return tuple(value / max(1, n) for value in sums)
