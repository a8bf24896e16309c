"""How fast reminders go out: buckets of tokens for all workers, refilled by the database's clock.

One is for all reminders, one for each domain that receives them, so that no mailbox provider is flooded, and one for
a day, while a new sender has to warm up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from django.db.models import Q

from notifications.conf import conf
from notifications.models import RateBucket
from shop.core.db import rows, statement

log = structlog.get_logger(__name__)
_KEY, _DAY_KEY, _DOMAIN = "reminders", "day", "domain:"
_LONGEST_DOMAIN = 33
"""Characters of a domain that fit into a key; longer ones go by a hash."""

_MAKE = """
INSERT INTO notifications_ratebucket (key, tokens, refilled_at) VALUES (%(key)s, %(burst)s, clock_timestamp())
    ON CONFLICT (key) DO NOTHING RETURNING key
"""

# How many still count of those that were told; each wears off after a while.
_HALVINGS = """
(CASE WHEN b.halved_at IS NULL THEN 0
      ELSE greatest(0, b.halvings - floor(greatest(0, extract(epoch FROM clock_timestamp() - b.halved_at))
                                          / %(recovers)s)) END)::int
"""
_RATE = f"(%(rate)s * power(0.5, {_HALVINGS}))"
_FILLED = f"""
least(greatest(1, {_RATE} * %(interval)s),
      b.tokens + {_RATE} * greatest(0, extract(epoch FROM clock_timestamp() - b.refilled_at)))::float
"""

_RATE_NOW = f"SELECT {_RATE}::float FROM notifications_ratebucket b WHERE b.key = %(key)s"  # noqa: S608 - constants

# The row is locked first, then the clock is read: whoever waited counts from what the one before left.
_TAKE = f"""
WITH locked AS MATERIALIZED (
       SELECT * FROM notifications_ratebucket WHERE key = %(key)s FOR UPDATE),
     filled AS MATERIALIZED (
       SELECT b.key, {_FILLED} AS tokens FROM locked b)
UPDATE notifications_ratebucket b
   SET tokens = f.tokens - least(floor(f.tokens), %(wanted)s), refilled_at = clock_timestamp()
  FROM filled f WHERE b.key = f.key
RETURNING least(floor(f.tokens), %(wanted)s)::int
"""  # noqa: S608 - put together from constants

_GIVE_BACK = """
UPDATE notifications_ratebucket SET tokens = tokens + %(unused)s WHERE key = %(key)s RETURNING key
"""

# A bucket that is not there is full. Here, too, the row is locked before the clock is read.
_TAKE_OF_DOMAIN = f"""
INSERT INTO notifications_ratebucket AS b (key, tokens, refilled_at)
VALUES (%(key)s, %(burst)s - 1, clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET tokens = {_FILLED} - 1, refilled_at = clock_timestamp()
 WHERE {_FILLED} >= 1
RETURNING key
"""  # noqa: S608 - put together from constants

# Here `tokens` are those that went today, and `refilled_at` is when the day began.
_TODAY = "date_trunc('day', clock_timestamp(), 'UTC')"
_WENT_TODAY = f"(CASE WHEN b.refilled_at < {_TODAY} THEN 0 ELSE b.tokens END)"
_TAKE_OF_DAY = f"""
INSERT INTO notifications_ratebucket AS b (key, tokens, refilled_at) VALUES (%(key)s, 1, {_TODAY})
    ON CONFLICT (key) DO UPDATE SET tokens = {_WENT_TODAY} + 1, refilled_at = {_TODAY}
 WHERE {_WENT_TODAY} < %(cap)s
RETURNING key
"""  # noqa: S608 - put together from constants

# What several workers are told at once is one answer.
_SLOW_DOWN = f"""
INSERT INTO notifications_ratebucket AS b (key, tokens, refilled_at, halvings, halved_at)
VALUES (%(key)s, 0, clock_timestamp(), 1, clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET halvings = least(%(most)s, {_HALVINGS} + 1), halved_at = clock_timestamp()
 WHERE b.halved_at IS NULL OR b.halved_at < clock_timestamp() - make_interval(secs => %(one)s)
RETURNING halvings
"""  # noqa: S608 - put together from constants

RECOVERS_SECONDS = 600
"""One halving wears off in so long."""
MOST_HALVINGS = 5
_ONE_ANSWER_SECONDS = 10
_FORGOTTEN_AFTER = timedelta(days=1)
"""Of a domain: by then its bucket is full, and its halvings have worn off."""


class Pace(StrEnum):
    """What a reminder that passed all gates is told by the buckets."""

    GO = "go"
    DOMAIN = "domain_pace"
    """Its domain gets enough for the moment."""
    DAY = "daily_cap"
    """So many went today as may go in a day."""


def take(*, wanted: int) -> int:
    """Take tokens, one a message (a ghost's too), at most `wanted`; give how many there were.

    The bucket holds what `NOTIFICATIONS_RATE_PER_SECOND` gives in one interval of sending, so that after a pause no
    burst goes out.
    """
    params = {**_filling(_KEY, conf().rate_per_second), "wanted": wanted}
    statement(_MAKE, params)
    return int(statement(_TAKE, params)[0][0])


def rate_now() -> float:
    """Tell how many reminders a second go at most for now: less than is set where the mail server said too much."""
    rate = conf().rate_per_second
    found = rows(_RATE_NOW, {"key": _KEY, "rate": rate, "recovers": RECOVERS_SECONDS})
    return float(found[0][0]) if found else float(rate)


def give_back(*, unused: int) -> None:
    """Put back tokens that `take` gave for messages that have to wait for their domain: others may go instead."""
    if unused:
        statement(_GIVE_BACK, {"key": _KEY, "unused": unused})


def take_of_domain(*, domain: str) -> Pace:
    """Take a token of a receiving domain, and one of the day: call it last, in the transaction that lets a message go.

    `domain` is normalised, as `links.normalize` does it. One statement for each of the two that is limited.
    """
    rate, cap = conf().rate_per_domain, conf().daily_cap
    if rate and not statement(_TAKE_OF_DOMAIN, _filling(_key_of(domain), rate)):
        return Pace.DOMAIN
    if cap and not statement(_TAKE_OF_DAY, {"key": _DAY_KEY, "cap": cap}):
        return Pace.DAY
    return Pace.GO


def slow_down(*, domain: str = "") -> None:
    """Send half as fast from here on, for ten minutes: the mail server said that it was too much.

    Told so again it halves again, down to a 32nd; each halving wears off by itself. With a domain only what goes there
    is slowed down, if domains have a pace of their own.
    """
    is_of_domain = bool(domain and conf().rate_per_domain)
    key = _key_of(domain) if is_of_domain else _KEY
    params = {"key": key, "most": MOST_HALVINGS, "one": _ONE_ANSWER_SECONDS, "recovers": RECOVERS_SECONDS}
    if made := statement(_SLOW_DOWN, params):
        log.warning("mails_slowed_down", halvings=made[0][0], domain=domain if is_of_domain else "all")


def forget_domains(*, now: datetime) -> int:
    """Delete the buckets of domains that got nothing for a day: one that is not there is full. Give their number."""
    before = now - _FORGOTTEN_AFTER
    idle = RateBucket.objects.filter(key__startswith=_DOMAIN, refilled_at__lt=before)
    return idle.filter(Q(halved_at__isnull=True) | Q(halved_at__lt=before)).delete()[0]


def _filling(key: str, rate: int) -> Mapping[str, Any]:
    interval = conf().dispatch_seconds
    return {
        "key": key,
        "rate": rate,
        "interval": interval,
        "burst": max(1, rate * interval),
        "recovers": RECOVERS_SECONDS,
    }


def _key_of(domain: str) -> str:
    short = domain if len(domain) <= _LONGEST_DOMAIN else hashlib.sha256(domain.encode()).hexdigest()[:32]
    return _DOMAIN + short
