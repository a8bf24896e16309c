"""Which arm of a test a customer is in: salted, deterministic, the same whoever asks and however often."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Weighted:
    """A variant and its share, in hundredths of a per cent."""

    variant_id: int
    weight_bp: int


def buckets(salt: str, purpose: str, customer_ids: Iterable[int]) -> list[int]:
    """Give customers' buckets, 0 to 9999, for one purpose of one test; buckets of two purposes are independent."""
    begin, from_bytes = f"{salt}:{purpose}:", int.from_bytes
    digests = [sha256(f"{begin}{customer_id}".encode()).digest() for customer_id in customer_ids]
    return [from_bytes(digest[:8], "big") * BUCKETS >> 64 for digest in digests]


def are_held_out(salt: str, customer_ids: Iterable[int], *, holdout_bp: int) -> list[bool]:
    """Tell which customers belong to the hold-out, which gets no mail."""
    return [found < holdout_bp for found in buckets(salt, "holdout", customer_ids)]


def choose_variants(salt: str, customer_ids: Iterable[int], variants: Sequence[Weighted]) -> list[int]:
    """Choose customers' variants: ranges laid end to end in the given order. A hold-out has a variant, too.

    :raises ValueError: if the weights do not add up to 10,000.
    """
    ends = list(accumulate(variant.weight_bp for variant in variants))
    if not ends or ends[-1] != BUCKETS:
        raise ValueError("weights must add up to 10,000")
    variant_ids = [variant.variant_id for variant in variants]
    return [variant_ids[bisect_right(ends, found)] for found in buckets(salt, "ab", customer_ids)]
