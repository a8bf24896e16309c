"""Which arm of a test a customer is in: salted, deterministic, the same whoever asks and however often."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate

BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Weighted:
    """A variant and its share, in hundredths of a per cent."""

    variant_id: int
    weight_bp: int


def bucket(salt: str, purpose: str, customer_id: int) -> int:
    """Give a customer's bucket, 0 to 9999, for one purpose of one test; buckets of two purposes are independent."""
    digest = sha256(f"{salt}:{purpose}:{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * BUCKETS >> 64


def is_held_out(salt: str, customer_id: int, *, holdout_bp: int) -> bool:
    """Tell whether a customer belongs to the hold-out, which gets no mail."""
    return bucket(salt, "holdout", customer_id) < holdout_bp


def choose_variant(salt: str, customer_id: int, variants: Sequence[Weighted]) -> int:
    """Choose a customer's variant: ranges laid end to end in the given order. A hold-out has a variant, too.

    :raises ValueError: if the weights do not add up to 10,000.
    """
    return variants[bisect_right(_ends_of(tuple(variants)), bucket(salt, "ab", customer_id))].variant_id


@lru_cache(maxsize=64)
def _ends_of(variants: tuple[Weighted, ...]) -> tuple[int, ...]:
    """Tell before which bucket each range ends; the same few variants are asked for millions of times."""
    ends = tuple(accumulate(variant.weight_bp for variant in variants))
    if not ends or ends[-1] != BUCKETS:
        raise ValueError("weights must add up to 10,000")
    return ends
