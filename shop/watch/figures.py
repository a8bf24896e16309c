"""The figures of staff's first page: counted by a job, kept in one row, read by the page.

Counting asks for a few windows of time on indexed columns; the page never counts a whole table.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from cart import watching as carts
from inventory import watching as stock
from notifications import watching as mails
from notifications.watching import ArmFigures, CampaignFigures
from pricing import watching as prices
from shop.checkout import watching as sales
from shop.watch.models import Roundup

WEEK = timedelta(days=7)
CAMPAIGNS_KEPT = timedelta(minutes=10)
"""How long the figures of campaigns are kept: they are dearer than the rest, and move slowly."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day until now, or the same hours a week before."""

    carts: int
    """Carts that had items after a change."""
    checkouts: int
    orders: int
    reserved_and_paid: float | None
    """The share of the checkouts begun that were completed; None where none began."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All of them, and when the campaigns' were counted."""

    today: Day
    week_ago: Day
    funnel: dict[str, int]
    """The last 24 hours: cart, checkout, payment, paid; and expired, cancelled."""
    contended: tuple[tuple[str, int, int], ...]
    """SKU, times refused within the last hour, units reserved now."""
    changes: dict[str, int]
    """Prices that had changed since they were added, 7 days: up, agreed, down."""
    campaigns: tuple[CampaignFigures, ...]
    campaigns_at: datetime


def count(*, now: datetime) -> Figures:
    """Count all figures and keep them. By two at once, the later one's stay."""
    kept = read()
    if kept and now - kept[0].campaigns_at < CAMPAIGNS_KEPT:
        campaigns, campaigns_at = kept[0].campaigns, kept[0].campaigns_at
    else:
        campaigns, campaigns_at = mails.list_campaigns(now=now), now
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    steps = sales.count_steps(since=now - timedelta(days=1), until=now)
    met = prices.count_changes_met(since=now - WEEK)
    figures = Figures(
        today=_day(midnight, now),
        week_ago=_day(midnight - WEEK, now - WEEK),
        funnel={
            "cart": carts.count_filled(since=now - timedelta(days=1), until=now),
            "checkout": steps.started,
            "payment": steps.paying,
            "paid": steps.completed,
            "expired": steps.expired,
            "cancelled": steps.cancelled,
        },
        contended=stock.most_contended(),
        changes={"up": met.up, "agreed": met.agreed, "down": met.down},
        campaigns=campaigns,
        campaigns_at=campaigns_at,
    )
    written = asdict(figures) | {"campaigns_at": campaigns_at.isoformat()}
    Roundup.objects.update_or_create(id=1, defaults={"figures": written, "counted_at": now})
    return figures


def read() -> tuple[Figures, datetime] | None:
    """Give the figures and when they were counted (one query); None before the first time, or from another version."""
    row = Roundup.objects.filter(id=1).first()
    if row is None:
        return None
    try:
        return _read(row.figures), row.counted_at
    except (KeyError, TypeError, ValueError):
        return None


def _day(since: datetime, until: datetime) -> Day:
    steps = sales.count_steps(since=since, until=until)
    return Day(
        carts=carts.count_filled(since=since, until=until),
        checkouts=steps.started,
        orders=steps.orders,
        reserved_and_paid=steps.completed / steps.started if steps.started else None,
    )


def _read(stored: dict[str, Any]) -> Figures:
    campaigns = (
        {**one, "mailed": ArmFigures(**one["mailed"]), "holdout": ArmFigures(**one["holdout"])}
        for one in stored["campaigns"]
    )
    return Figures(
        today=Day(**stored["today"]),
        week_ago=Day(**stored["week_ago"]),
        funnel=stored["funnel"],
        contended=tuple(tuple(one) for one in stored["contended"]),
        changes=stored["changes"],
        campaigns=tuple(CampaignFigures(**one) for one in campaigns),
        campaigns_at=datetime.fromisoformat(stored["campaigns_at"]),
    )
