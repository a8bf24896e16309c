"""What a test has shown: intervals, differences, the check of its split, and how many customers it needs.

Wilson (1927) for shares, Newcombe (1998, method 10) for differences, the pooled z test, Fisher's exact one for small
cells, Holm for several comparisons, χ² for the split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.975)
SMALL = 10
"""A cell of fewer customers is too small for the normal distribution."""
SPLIT_IS_WRONG = 0.001
"""Below this p the split itself is broken, and no number of the test can be trusted."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share or a difference, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Lift:
    """An arm against the hold-out: the difference of the shares and its p (two-sided; exact where cells are small)."""

    difference: Interval
    p: float

    def incremental(self, customers: int) -> Interval:
        """Give how many more of so many customers ordered than would have without a mail."""
        d = self.difference
        return Interval(d.value * customers, d.low * customers, d.high * customers)


def wilson(hits: int, n: int) -> Interval:
    """Give the share `hits / n` with Wilson's interval; of nobody: 0, from 0 to 1."""
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    share, z2 = hits / n, Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def lift(*, hits: int, n: int, control_hits: int, control_n: int) -> Lift:
    """Compare an arm with its control; where either is empty, nothing is known (p = 1)."""
    if not n or not control_n:
        return Lift(Interval(0.0, -1.0, 1.0), 1.0)
    a, b = wilson(hits, n), wilson(control_hits, control_n)
    d = a.value - b.value
    low = d - math.hypot(a.value - a.low, b.high - b.value)
    high = d + math.hypot(a.high - a.value, b.value - b.low)
    if min(hits, n - hits, control_hits, control_n - control_hits) < SMALL:
        return Lift(Interval(d, low, high), fisher_p(hits=hits, n=n, control_hits=control_hits, control_n=control_n))
    z = pooled_z(hits=hits, n=n, control_hits=control_hits, control_n=control_n)
    return Lift(Interval(d, low, high), math.erfc(abs(z) / math.sqrt(2)))


def fisher_p(*, hits: int, n: int, control_hits: int, control_n: int) -> float:
    """Give the p of Fisher's exact test (two-sided): all tables that are no likelier than this one."""
    total, whole = hits + control_hits, n + control_n

    def log_chance(k: int) -> float:
        return _log_choose(n, k) + _log_choose(control_n, total - k) - _log_choose(whole, total)

    most = log_chance(hits) + 1e-7  # a table as likely as this one must count, whatever the last digits say
    tables = range(max(0, total - control_n), min(n, total) + 1)
    return min(1.0, math.fsum(math.exp(chance) for k in tables if (chance := log_chance(k)) <= most))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Correct the p of several comparisons, in their order, so that all together are wrong as seldom as one (1979)."""
    corrected, greatest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        greatest = max(greatest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = greatest
    return tuple(corrected)


def pooled_z(*, hits: int, n: int, control_hits: int, control_n: int) -> float:
    """Give the z of the difference of two shares, with their common spread; 0 where nothing is known."""
    if not n or not control_n:
        return 0.0
    pooled = (hits + control_hits) / (n + control_n)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / control_n))
    return (hits / n - control_hits / control_n) / spread if spread else 0.0


def split_p(counts: Sequence[int], weights: Sequence[int]) -> float:
    """Tell how likely so uneven a split is by chance (χ²); 1 with fewer than two arms or nobody in them.

    :raises ValueError: if a weight is not positive, or the two differ in length.
    """
    if len(counts) != len(weights) or any(weight <= 0 for weight in weights):
        raise ValueError("one positive weight an arm")
    total = sum(counts)
    if len(counts) < 2 or not total:  # noqa: PLR2004 - a split has two sides
        return 1.0
    whole = sum(weights)
    expected = [total * weight / whole for weight in weights]
    return chi2_tail(sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True)), len(counts) - 1)


def chi2_tail(x: float, df: int) -> float:
    """Give P(χ² ≥ x) in closed form, by steps of two degrees of freedom (Abramowitz and Stegun 26.4.4, 26.4.5)."""
    half = x / 2
    if df % 2:
        tail, term = math.erfc(math.sqrt(half)), math.sqrt(half / math.pi) * 2 * math.exp(-half)
        for k in range(1, df - 1, 2):
            tail += term
            term *= x / (k + 2)
        return tail
    tail, term = 0.0, math.exp(-half)
    for k in range(1, df // 2 + 1):
        tail += term
        term *= half / k
    return tail


def sample_size(*, base: float, lift_rel: float, ratio: float = 1.0, alpha: float = 0.05, power: float = 0.8) -> int:
    """Give how many customers the smaller arm needs so that a relative lift shows; the other has `ratio` times them.

    :raises ValueError: if `base` or the share it would rise to does not lie between 0 and 1.
    """
    raised = base * (1 + lift_rel)
    if not (0 < base < 1 and 0 < raised < 1 and raised != base):
        raise ValueError("shares lie between 0 and 1, and differ")
    mean = (base + ratio * raised) / (1 + ratio)
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    apart = z_alpha * math.sqrt((1 + 1 / ratio) * mean * (1 - mean))
    spread = z_power * math.sqrt(base * (1 - base) + raised * (1 - raised) / ratio)
    return math.ceil((apart + spread) ** 2 / (raised - base) ** 2)
