"""Reads for those who watch over carts: how many are in use, what the recorder could not take in."""

from __future__ import annotations

from datetime import datetime

from shop.core.db import rows


def count_filled(*, since: datetime, until: datetime) -> int:
    """Count the carts that had items after a change between these times (one query)."""
    ((number,),) = rows(
        "SELECT count(DISTINCT owner) FROM cart_cartevent WHERE at >= %(since)s AND at < %(until)s AND units > 0",
        {"since": since, "until": until},
    )
    return int(number)


def count_dead_letters() -> int:
    """Count the events of carts that no recorder could take in (one query)."""
    return int(rows("SELECT count(*) FROM cart_deadletter")[0][0])
