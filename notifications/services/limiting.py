"""How fast reminders go out: one bucket of tokens for all workers, refilled by the database's clock."""

from __future__ import annotations

from notifications.conf import conf
from shop.core.db import statement

_KEY = "reminders"

_MAKE = """
INSERT INTO notifications_ratebucket (key, tokens, refilled_at) VALUES (%(key)s, %(burst)s, clock_timestamp())
    ON CONFLICT (key) DO NOTHING RETURNING key
"""

# The row is locked first, then the clock is read: whoever waited counts from what the one before left.
_TAKE = """
WITH locked AS MATERIALIZED (
       SELECT key, tokens, refilled_at FROM notifications_ratebucket WHERE key = %(key)s FOR UPDATE),
     aged AS MATERIALIZED (
       SELECT key, tokens, greatest(0, extract(epoch FROM clock_timestamp() - refilled_at)) AS seconds FROM locked),
     filled AS MATERIALIZED (
       SELECT key, least(%(burst)s::float, tokens + %(rate)s * seconds) AS tokens FROM aged)
UPDATE notifications_ratebucket b
   SET tokens = f.tokens - least(floor(f.tokens), %(wanted)s), refilled_at = clock_timestamp()
  FROM filled f WHERE b.key = f.key
RETURNING least(floor(f.tokens), %(wanted)s)::int
"""


def take(*, wanted: int) -> int:
    """Take tokens, one a message (a ghost's too), at most `wanted`; give how many there were.

    The bucket holds what `NOTIFICATIONS_RATE_PER_SECOND` gives in one interval of sending, so that after a pause no
    burst goes out.
    """
    rate = conf().rate_per_second
    params = {"key": _KEY, "rate": rate, "burst": max(1, rate * conf().dispatch_seconds), "wanted": wanted}
    statement(_MAKE, params)
    return int(statement(_TAKE, params)[0][0])
