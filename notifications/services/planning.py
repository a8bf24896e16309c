"""How long a test takes, before it has begun."""

from __future__ import annotations

from datetime import datetime, timedelta

from cart import idle
from notifications.models import Abandonment, Campaign
from notifications.rules.assigning import BUCKETS

LOOKS_BACK = timedelta(weeks=4)
MOST_WEEKS = 26
"""A test that takes longer is not begun unasked: the shop, its goods and its customers change meanwhile."""


def count_weekly(*, now: datetime) -> float:
    """Estimate how many customers leave a cart in a week, from the last four weeks (three queries).

    The greater of two counts, which both miss some: carts that lie idle now, and those that campaigns found.
    """
    since = now - LOOKS_BACK
    ids = list(Campaign.objects.filter(activated_at__isnull=False).values_list("pk", flat=True))
    found = Abandonment.objects.filter(campaign_id__in=ids, enrolled_at__gte=since).count()
    return max(idle.count_idle(since=since), found) / (LOOKS_BACK / timedelta(weeks=1))


def weeks_needed(*, planned_n: int, holdout_bp: int, weekly: float) -> float | None:
    """Tell how many weeks it takes until so many customers are in the hold-out; None if nothing is planned or known."""
    held = weekly * holdout_bp / BUCKETS
    return planned_n / held if planned_n and held else None
