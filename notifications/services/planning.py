"""How long a test takes, before it has begun."""

from __future__ import annotations

from datetime import datetime, timedelta

from cart import idle
from notifications import reporting
from notifications.models import Campaign
from notifications.rules.assigning import BUCKETS

LOOKS_BACK = timedelta(weeks=4)
MOST_WEEKS = 26
"""A test that takes longer is not begun unasked: the shop, its goods and its customers change meanwhile."""


def count_weekly(*, now: datetime) -> float:
    """Estimate how many customers leave a cart in a week, from the last four weeks (two queries).

    The greater of two counts, which both miss some: carts that lie idle now, and those that campaigns found, as their
    reports were last counted.
    """
    since = now - LOOKS_BACK
    begun = Campaign.objects.filter(activated_at__isnull=False).select_related("stored_report")
    found = sum(_found_since(campaign, since) for campaign in begun)
    return max(idle.count_idle(since=since), found) / (LOOKS_BACK / timedelta(weeks=1))


def _found_since(campaign: Campaign, since: datetime) -> int:
    kept, first = reporting.kept(campaign), since.date().isoformat()
    return sum(row["found"] for row in kept.counted.days if row["day"] >= first) if kept else 0


def weeks_needed(*, planned_n: int, holdout_bp: int, weekly: float) -> float | None:
    """Tell how many weeks it takes until so many customers are in the hold-out; None if nothing is planned or known."""
    held = weekly * holdout_bp / BUCKETS
    return planned_n / held if planned_n and held else None
