"""How likely each arm is the best, and what choosing it may cost, by Bayes' rule: a second view, which decides nothing.

Each share of buyers has a Beta(1, 1) prior: any share is as likely as any other before the first customer. Whoever
ends a test when one arm is 95 % likely the best sees a winner in nearly half of all tests without any effect, so the
looks alone end it (`looks`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

DRAWS = 4_000
"""The chances are right within 1.6 points (1.96 × √(0.25 / draws)); each thousand costs 5 ms an arm."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What is thought of one arm."""

    is_best: float
    """The chance that none of the others has a greater share of buyers."""
    loss: float
    """By how much the share falls short of the best one's if this arm is chosen, on average; a share."""


def beliefs(arms: Sequence[tuple[int, int]], *, seed: int) -> tuple[Belief, ...]:
    """Compare arms, each as customers who ordered and customers; the same seed gives the same answer."""
    if not arms:
        return ()
    chance = random.Random(seed)  # noqa: S311 - a draw, and one that can be repeated
    drawn = [[chance.betavariate(1 + hits, 1 + n - hits) for _ in range(DRAWS)] for hits, n in arms]
    best = [max(shares) for shares in zip(*drawn, strict=True)]
    return tuple(
        Belief(
            is_best=sum(share == top for share, top in zip(shares, best, strict=True)) / DRAWS,
            loss=sum(top - share for share, top in zip(shares, best, strict=True)) / DRAWS,
        )
        for shares in drawn
    )
