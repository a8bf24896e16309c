"""What a pace means: how long reminders take to go, and how many go before they are too late."""

from __future__ import annotations

from datetime import timedelta


def takes(messages: int, *, per_second: float) -> timedelta:
    """Tell how long so many reminders take, one after the other."""
    return timedelta(seconds=messages / per_second)


def fit_within(late: timedelta, *, per_second: float, daily_cap: int) -> int:
    """Tell how many of those that are due at one moment can go before they are too late; ghosts among them.

    `daily_cap`: the most a day (0: any number); a time that reaches into the next day has two days' worth.
    """
    by_pace = int(late.total_seconds() * per_second)
    days = 1 + late // timedelta(days=1)
    return min(by_pace, days * daily_cap) if daily_cap else by_pace
