"""From which value on a cart is large enough, in each currency: amounts of two currencies do not compare."""

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
