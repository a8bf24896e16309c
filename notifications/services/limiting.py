"""How fast reminders go out: one bucket of tokens for all workers, refilled by the database's clock."""

from __future__ import annotations

import structlog

from notifications.conf import conf
from shop.core.db import statement

log = structlog.get_logger(__name__)
_KEY = "reminders"

_MAKE = """
INSERT INTO notifications_ratebucket (key, tokens, refilled_at) VALUES (%(key)s, %(burst)s, clock_timestamp())
    ON CONFLICT (key) DO NOTHING RETURNING key
"""

# How many still count of those that were told; each wears off after a while.
_HALVINGS = """
greatest(0, halvings - floor(extract(epoch FROM clock_timestamp() - coalesce(halved_at, clock_timestamp()))
                             / %(recovers)s))::int
"""

# The row is locked first, then the clock is read: whoever waited counts from what the one before left.
_TAKE = f"""
WITH locked AS MATERIALIZED (
       SELECT key, tokens, refilled_at, halvings, halved_at FROM notifications_ratebucket
        WHERE key = %(key)s FOR UPDATE),
     aged AS MATERIALIZED (
       SELECT key, tokens, greatest(0, extract(epoch FROM clock_timestamp() - refilled_at)) AS seconds,
              %(rate)s * power(0.5, {_HALVINGS}) AS rate FROM locked),
     filled AS MATERIALIZED (
       SELECT key, least(greatest(1, rate * %(interval)s), tokens + rate * seconds)::float AS tokens FROM aged)
UPDATE notifications_ratebucket b
   SET tokens = f.tokens - least(floor(f.tokens), %(wanted)s), refilled_at = clock_timestamp()
  FROM filled f WHERE b.key = f.key
RETURNING least(floor(f.tokens), %(wanted)s)::int
"""  # noqa: S608 - put together from constants

# What several workers are told at once is one answer.
_SLOW_DOWN = f"""
UPDATE notifications_ratebucket SET halvings = least(%(most)s, {_HALVINGS} + 1), halved_at = clock_timestamp()
 WHERE key = %(key)s AND (halved_at IS NULL OR halved_at < clock_timestamp() - make_interval(secs => %(one)s))
RETURNING halvings
"""  # noqa: S608 - put together from constants

RECOVERS_SECONDS = 600
"""One halving wears off in so long."""
MOST_HALVINGS = 5
_ONE_ANSWER_SECONDS = 10


def take(*, wanted: int) -> int:
    """Take tokens, one a message (a ghost's too), at most `wanted`; give how many there were.

    The bucket holds what `NOTIFICATIONS_RATE_PER_SECOND` gives in one interval of sending, so that after a pause no
    burst goes out.
    """
    rate, interval = conf().rate_per_second, conf().dispatch_seconds
    params = {
        "key": _KEY,
        "rate": rate,
        "interval": interval,
        "burst": max(1, rate * interval),
        "wanted": wanted,
        "recovers": RECOVERS_SECONDS,
    }
    statement(_MAKE, params)
    return int(statement(_TAKE, params)[0][0])


def slow_down() -> None:
    """Send half as fast from here on, for ten minutes: the mail server said that it was too much.

    Told so again it halves again, down to a 32nd; each halving wears off by itself.
    """
    params = {"key": _KEY, "most": MOST_HALVINGS, "one": _ONE_ANSWER_SECONDS, "recovers": RECOVERS_SECONDS}
    if made := statement(_SLOW_DOWN, params):
        log.warning("mails_slowed_down", halvings=made[0][0])
