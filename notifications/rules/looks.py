"""When a test may be read: at four places that are fixed beforehand, each with a bound of its own.

Whoever looks at p < 0.05 every day for a month sees a winner in one of four tests without any effect. With the bounds
of O'Brien and Fleming (1979) it is one in twenty over all four looks. Constants: Jennison and Turnbull, Group
Sequential Methods (2000), tables 2.3 and 2.4, for α = 0.05 (two-sided) and a power of 0.8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from notifications.rules import statistics
from notifications.rules.statistics import SPLIT_IS_WRONG

LOOKS = 4
LAST_BOUND = 2.024
INFLATION = 1.024
"""So much larger than a test that is read once is one with these looks, for the same power."""


class Finding(StrEnum):
    """What a report says in one word."""

    SPLIT_IS_WRONG = "split_is_wrong"
    TOO_EARLY = "too_early"
    NO_DIFFERENCE = "no_difference"
    HELPS = "helps"
    HARMS = "harms"
    GUARD_RAIL = "guard_rail"
    """It may help, but complaints or opt-outs say that it must not go on."""


@dataclass(frozen=True, slots=True)
class Look:
    """What both sides had ordered when the hold-out had a number of customers that was fixed beforehand."""

    number: int
    """1 to `LOOKS`."""
    hits: int
    n: int
    control_hits: int
    control_n: int

    @property
    def z(self) -> float:
        """The pooled z of the difference; above 0 the mailed customers ordered more often."""
        return statistics.pooled_z(hits=self.hits, n=self.n, control_hits=self.control_hits, control_n=self.control_n)

    @property
    def is_decisive(self) -> bool:
        """Whether the difference is beyond this look's bound."""
        return abs(self.z) >= bound(self.number)


def bound(number: int) -> float:
    """Give the |z| from which a look (1 to `LOOKS`) ends the test: the earlier, the greater."""
    return LAST_BOUND * math.sqrt(LOOKS / number)


def sizes(planned_n: int) -> tuple[int, ...]:
    """Give how many customers the hold-out has at each look; none if nothing is planned."""
    return tuple(math.ceil(planned_n * number / LOOKS) for number in range(1, LOOKS + 1)) if planned_n else ()


def judge(*, split: float, taken: Sequence[Look], is_harmful: bool) -> tuple[Finding, Look | None]:
    """Say what a test has shown, and at which look; nothing at all if its split is broken.

    `taken` are the looks that could be taken until now, in order. The first decisive one ends the test: what comes
    after it changes nothing. With `is_harmful` nothing is called a help.
    """
    if split < SPLIT_IS_WRONG:
        return Finding.SPLIT_IS_WRONG, None
    decisive = next((look for look in taken if look.is_decisive), None)
    if decisive is None:
        return (Finding.NO_DIFFERENCE, taken[-1]) if len(taken) == LOOKS else (Finding.TOO_EARLY, None)
    if decisive.z < 0:
        return Finding.HARMS, decisive
    return (Finding.GUARD_RAIL if is_harmful else Finding.HELPS), decisive
