"""What a campaign has brought: counted in the database, kept, and weighed when somebody looks."""

from __future__ import annotations

from datetime import datetime

from notifications.models import Campaign
from notifications.reporting.counting import Counted, count, count_opt_outs_of
from notifications.reporting.keeping import Kept, keep, kept
from notifications.reporting.values import Arm, Attributed, Band, Day, Drawn, Hour, Report
from notifications.reporting.weighing import draw, split_of, weigh

__all__ = [
    "Arm",
    "Attributed",
    "Band",
    "Counted",
    "Day",
    "Drawn",
    "Hour",
    "Kept",
    "Report",
    "count",
    "count_opt_outs_of",
    "draw",
    "keep",
    "kept",
    "report",
    "split_of",
    "weigh",
]


def report(*, campaign: Campaign, now: datetime, patience_seconds: int = 0) -> Report:
    """Count and weigh a campaign at once (six queries, over all its events)."""
    return weigh(campaign, count(campaign=campaign, now=now, patience_seconds=patience_seconds))
