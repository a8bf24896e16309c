"""Quiet hours: nobody is written to at night, in their own time zone, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


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


def _zone(name: str, otherwise: str) -> ZoneInfo:
    for candidate in (name, otherwise):
        try:
            return ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return ZoneInfo("UTC")
