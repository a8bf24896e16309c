"""What is worth a mail about a saved item."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

FRESH = timedelta(days=7)
"""What came back longer ago is no news."""


def is_cheaper(price_minor: int, *, saved_minor: int, told_minor: Collection[int], least_percent: int) -> bool:
    """Tell whether a price is news: so many per cent below the price when saved, and below any that was told before."""
    before = min([saved_minor, *told_minor])
    return price_minor * 100 <= before * (100 - least_percent)


def is_back(back_at: datetime | None, *, saved_at: datetime, now: datetime) -> bool:
    """Tell whether an item has come back lately, after it was saved."""
    return back_at is not None and saved_at < back_at and now - back_at <= FRESH
