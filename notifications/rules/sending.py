"""When to try again, and what a mail server's answer means."""

from __future__ import annotations

import re
from enum import StrEnum

RETRY_MINUTES = (1, 5, 15, 60)
"""Pauses after a temporary refusal (4yz) and after a lost answer."""
MOST_ATTEMPTS = 5
OFFLINE_SECONDS = 15
OFFLINE_LIMIT_SECONDS = 900
SPREAD = 0.2

SHUTTING_DOWN = 421
TEMPORARY, PERMANENT = 400, 500
_POLICY = re.compile(r"\b4\.7\.\d{1,3}\b", re.ASCII)


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


def slows_domain(code: int, said: str, *, domain: str, is_of_recipient: bool) -> bool:
    """Tell whether an SMTP reply is about how much one receiving domain gets: others may go on as fast as before.

    It is one for now (4yz) that says 421 or, as policy, 4.7.x (RFC 3463), and either names the domain, or answers the
    recipient (`RCPT`) with 4.7.x. Without that it is the server's own, for anybody.
    """
    if not domain or not TEMPORARY <= code < PERMANENT:
        return False
    is_policy = bool(_POLICY.search(said))
    return (is_policy and is_of_recipient) or ((is_policy or code == SHUTTING_DOWN) and names_domain(said, domain))


def names_domain(said: str, domain: str) -> bool:
    """Tell whether an answer names a domain as such, and not as part of an address or of a longer name."""
    return (
        bool(domain) and re.search(rf"(?<![\w.@-]){re.escape(domain)}(?![\w-]|\.\w)", said, re.IGNORECASE) is not None
    )


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
