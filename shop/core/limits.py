"""How often somebody may do something: counted in the cache's Redis, all counters of one request in one script."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.cache import caches
from django.http import HttpRequest
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from shop.core.conf import conf
from shop.core.errors import TooOftenError
from shop.core.http import network_address

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
REST_SECONDS = 5.0
"""How long a cache that did not answer is left alone; meanwhile nobody is refused."""

# Counts one more on each counter and says how many that makes and when its window ends.
# KEYS: counters (string, whole number). ARGV[1]: length of the window, ms.
# Returns: for each key its count and the rest of its window in ms.
_COUNT = """
local answer = {}
for _, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local rest = redis.call('PTTL', key)
  if rest < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    rest = tonumber(ARGV[1])
  end
  answer[#answer + 1] = count
  answer[#answer + 1] = rest
end
return answer
"""

_resting_until = 0.0


@dataclass(frozen=True, slots=True)
class Counter:
    """One thing that is counted: what is done, by whom, and how often it may be done in a minute."""

    scope: str
    who: str
    quota: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands after this request: of the counter that is nearest to its end."""

    scope: str
    quota: int
    remaining: int
    reset_seconds: int
    is_over: bool

    @property
    def headers(self) -> dict[str, str]:
        """The fields `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"{self.scope}";q={self.quota};w={WINDOW_SECONDS}',
            "RateLimit": f'"{self.scope}";r={self.remaining};t={self.reset_seconds}',
        }


def count_request(scope: str, request: HttpRequest, *, who: str = "") -> Standing | None:
    """Count a request by its network address and by `who` sent it, if that is known; the quota is a setting of the API.

    Page and API count the same thing under the same scope. None as for `count`.
    """
    quota: int = getattr(conf(), f"{scope}_per_minute")
    by_address = Counter(scope, f"a:{network_address(request)}", quota * conf().address_factor)
    return count([Counter(scope, who, quota), by_address] if who else [by_address])


def require(scope: str, request: HttpRequest, *, who: str = "") -> None:
    """Count a request as `count_request` does, and refuse the one that is too many.

    :raises TooOftenError: if it is.
    """
    standing = count_request(scope, request, who=who)
    if standing is not None and standing.is_over:
        raise TooOftenError(retry_after_seconds=standing.reset_seconds)


def count(counters: Sequence[Counter]) -> Standing | None:
    """Count one more; None if nothing is limited or the cache cannot answer: a lost counter refuses nobody."""
    global _resting_until  # noqa: PLW0603 - one flag a process
    counted = [counter for counter in counters if counter.quota > 0]
    if not counted or time.monotonic() < _resting_until:
        return None
    keys = [caches["default"].make_key(f"limit:{counter.scope}:{counter.who}") for counter in counted]
    try:
        answer = get_redis_connection("default").eval(_COUNT, len(keys), *keys, WINDOW_SECONDS * 1000)
    except RedisError as error:
        _resting_until = time.monotonic() + REST_SECONDS
        logger.warning("limits_not_counted", exc_info=error)
        return None
    standings = [
        Standing(
            scope=counter.scope,
            quota=counter.quota,
            remaining=max(0, counter.quota - int(answer[2 * position])),
            reset_seconds=max(1, -(-int(answer[2 * position + 1]) // 1000)),
            is_over=int(answer[2 * position]) > counter.quota,
        )
        for position, counter in enumerate(counted)
    ]
    return min(standings, key=lambda standing: (not standing.is_over, standing.remaining / standing.quota))
