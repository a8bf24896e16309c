"""Quiet hours: nobody is written to at night, in their own time zone, whatever the clocks do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

FAR = timedelta(days=2)


def next_loud_moment(now: datetime, *, start: time, end: time, zone: str, otherwise: str) -> datetime:
    """Give the next moment outside the quiet hours [start, end): `now` itself if it is outside. Equal times: none.

    `otherwise` is the time zone to go by where `zone` is none. On the night when the clocks go forward the end may
    not exist; then it is the moment after the gap.
    """
    if start == end:
        return now
    here = now.astimezone(_zone(zone, otherwise))
    clock = here.time().replace(tzinfo=None)
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    if not is_quiet:
        return now
    day = here.date() if clock < end else here.date() + timedelta(days=1)
    # Through UTC and back: a time in the gap becomes one that exists; of a time that is there twice the first counts.
    return datetime.combine(day, end, tzinfo=here.tzinfo).astimezone(UTC)


def next_loud_moment_in_all(
    now: datetime, *, start: time, end: time, zones: Collection[str], otherwise: str
) -> datetime:
    """Give the next moment that lies outside the quiet hours in each of these zones (`next_loud_moment`).

    Without a zone, or where they lie so far apart that there is no such moment, `otherwise` counts.
    """
    moment = now
    while zones and moment - now <= FAR:
        later = max(next_loud_moment(moment, start=start, end=end, zone=zone, otherwise=otherwise) for zone in zones)
        if later == moment:
            return moment
        moment = later
    return next_loud_moment(now, start=start, end=end, zone="", otherwise=otherwise)


@lru_cache(maxsize=512)
def zones_of(country: str) -> tuple[str, ...]:
    """List the time zones of a country (ISO 3166-1 alpha-2); none of an unknown one."""
    zones = get_global("zone_territories").items()
    return tuple(sorted(zone for zone, where in zones if where == country and not zone.startswith("Antarctica/")))


def _zone(name: str, otherwise: str) -> ZoneInfo:
    for candidate in (name, otherwise):
        try:
            return ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return ZoneInfo("UTC")
