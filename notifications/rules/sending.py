"""When to try again, and what a mail server's answer means."""

from __future__ import annotations

from enum import StrEnum

RETRY_MINUTES = (1, 5, 15, 60)
"""Pauses after a temporary refusal (4yz) and after a lost answer."""
MOST_ATTEMPTS = 5
OFFLINE_SECONDS = 15
OFFLINE_LIMIT_SECONDS = 900
SPREAD = 0.2

SHUTTING_DOWN = 421
PERMANENT = 500


class Verdict(StrEnum):
    """What a mail server's answer means for a message."""

    FAILED = "failed"
    LATER = "later"
    OFFLINE = "offline"
    """Not a try at all: the server was not there."""
    LOST = "lost"
    """Nobody knows whether it was taken."""


def verdict(code: int) -> Verdict:
    """Judge an SMTP reply code (RFC 5321): 5yz is final, 421 means “not now, for anybody”, other 4yz “later”."""
    if code >= PERMANENT:
        return Verdict.FAILED
    return Verdict.OFFLINE if code == SHUTTING_DOWN else Verdict.LATER


def api_verdict(status: int) -> Verdict:
    """Judge the HTTP status of a mail provider's API.

    401, 403 and 429 are “not now, for anybody”, other 4xx final for this mail; behind 5xx it may have been taken.
    """
    if status in (401, 403, 429):
        return Verdict.OFFLINE
    return Verdict.FAILED if 400 <= status < PERMANENT else Verdict.LOST  # noqa: PLR2004 - HTTP's


def retry_seconds(attempts: int, chance: float) -> float:
    """Give the pause after so many tries (≥ 1); `chance` in [0, 1) spreads it by ± 20 %."""
    minutes = RETRY_MINUTES[min(attempts, len(RETRY_MINUTES)) - 1]
    return minutes * 60 * _spread(chance)


def offline_seconds(deferrals: int, chance: float) -> float:
    """Give the pause after the server was not there `deferrals` times before: 15 s, doubling to 15 min, ± 20 %."""
    pause: int = min(OFFLINE_LIMIT_SECONDS, OFFLINE_SECONDS << min(deferrals, 10))
    return pause * _spread(chance)


def _spread(chance: float) -> float:
    return 1 - SPREAD + 2 * SPREAD * chance
