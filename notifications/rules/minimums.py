"""Amounts by currency: from which value on a cart is large enough, and what a code takes off it."""

from __future__ import annotations

import re
from functools import lru_cache

_PAIR = re.compile(r"([A-Z]{3}):([0-9]{1,12})", re.ASCII)


@lru_cache(maxsize=64)
def read_minimums(text: str) -> tuple[tuple[str, int], ...]:
    """Read minimums such as `EUR:6000,JPY:9000`, in minor units.

    :raises ValueError: if they are not well formed, or name a currency twice.
    """
    found = [_PAIR.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    pairs = tuple((pair[1], int(pair[2])) for pair in found if pair)
    if len(pairs) != len(found) or len(dict(pairs)) != len(pairs):
        msg = "must be such as EUR:6000,JPY:9000, each currency once"
        raise ValueError(msg)
    return pairs


def is_large_enough(value_minor: int, currency: str, *, own: str, minimum_minor: int, others: str) -> bool:
    """Tell whether a cart reaches the minimum of its currency; without a minimum any does.

    `minimum_minor` is in the shop's `own` currency, `others` names those of other ones. Where there is a minimum and
    none is named for a cart's currency, the cart is not large enough.
    """
    if not minimum_minor:
        return True
    if currency == own:
        return value_minor >= minimum_minor
    least = dict(read_minimums(others)).get(currency)
    return least is not None and value_minor >= least


def amount_in(currency: str, *, own: str, amount_minor: int, others: str) -> int:
    """Give the amount that is named for a currency, in its minor units; 0 if none is.

    `amount_minor` is in the shop's `own` currency, `others` names those of other ones.
    """
    return amount_minor if currency == own else dict(read_minimums(others)).get(currency, 0)


def given_away(*, own: str, amount_minor: int, amounts: str, minimum_minor: int, minimums: str) -> tuple[str, ...]:
    """Name the currencies in which a code's amount is not less than what a cart must be worth for it.

    A minimum that is not named is 0: such a code would give a cart away.
    """
    offered = ((own, amount_minor), *read_minimums(amounts))
    return tuple(
        currency
        for currency, amount in offered
        if amount and amount_in(currency, own=own, amount_minor=minimum_minor, others=minimums) <= amount
    )
