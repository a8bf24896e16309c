"""The clock that edges read. Services and rules take `now` as an argument."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIRST_YEAR, LAST_YEAR = 1970, 2999


def is_tellable(moment: datetime) -> bool:
    """Tell whether people can mean it: near the ends of the calendar a time cannot be told in every zone."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR


def now() -> datetime:
    """Tell the time, aware, in UTC. Tests move it with time-machine."""
    return datetime.now(tz=UTC)


def is_zone(name: str) -> bool:
    """Tell whether this names a time zone (IANA), such as Europe/Berlin."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # “Europe” is a folder
        return False
    return True


def isoformat(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with a `Z`, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
