"""Reads for those who watch over prices: do counters agree with uses, and which changes did shoppers meet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db.models import Count, F, Q

from pricing import models
from shop.core.db import rows

# One statement sees one moment, and whoever claims or releases moves counter and row together.
_DRIFTS = """
SELECT 'code', c.id, c.label, c.used, count(r.id) FROM pricing_discountcode c
  LEFT JOIN pricing_redemption r ON r.code_id = c.id AND r.released_at IS NULL
 GROUP BY c.id HAVING c.used <> count(r.id)
 UNION ALL
SELECT 'promotion', p.id, p.name, p.used, count(u.id) FROM pricing_promotion p
  LEFT JOIN pricing_promotionuse u ON u.promotion_id = p.id AND u.released_at IS NULL
 GROUP BY p.id HAVING p.used <> count(u.id)
 ORDER BY 1, 2
"""
_OPEN = """
SELECT checkout_id FROM pricing_redemption
 WHERE released_at IS NULL AND order_number = '' AND claimed_at < now() - make_interval(secs => %(seconds)s)
 UNION
SELECT checkout_id FROM pricing_promotionuse
 WHERE released_at IS NULL AND order_number = '' AND claimed_at < now() - make_interval(secs => %(seconds)s)
 ORDER BY 1
"""

_MET = """
SELECT count(*) FILTER (WHERE shown_minor > added_minor),
       count(*) FILTER (WHERE shown_minor > added_minor AND acknowledged_minor > added_minor),
       count(*) FILTER (WHERE shown_minor < added_minor)
  FROM pricing_pricedelta WHERE updated_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class UseDrift:
    """A code or a promotion (`kind`) whose counter is not the number of its uses."""

    kind: str
    subject_id: int
    label: str
    used: int
    live: int


def list_drifts() -> tuple[UseDrift, ...]:
    """List codes and promotions whose counters differ from their uses."""
    return tuple(UseDrift(*row) for row in rows(_DRIFTS))


def list_open_claims(*, older_than_seconds: int) -> tuple[str, ...]:
    """List checkouts that have claimed a code or a promotion so long ago and have not ordered."""
    return tuple(row[0] for row in rows(_OPEN, {"seconds": older_than_seconds}))


@dataclass(frozen=True, slots=True)
class ChangesMet:
    """Lines whose price had changed since they were added."""

    up: int
    agreed: int
    """Of those that rose, the ones with which the shopper went on."""
    down: int


def count_changes_met(*, since: datetime) -> ChangesMet:
    """Count the changed prices that shoppers met since then (one query)."""
    return ChangesMet(*map(int, rows(_MET, {"since": since})[0]))


UNUSUAL = ("far_below", "doubled", "often")
"""What is unusual of a line: it was charged at less than half of its price at add, and no promotion or code says why;
it was shown at more than twice its price at add; or its owner met such falls in many orders."""
OFTEN_ORDERS = 5
OFTEN_DAYS = 30


def unusual(*kinds: str, now: datetime) -> Q:
    """Give the condition for price deltas that are unusual in any of these ways (of `UNUSUAL`)."""
    reduced = Q(reasons__overlap=["promotion", "code"])
    fell = Q(charged_minor__lt=F("added_minor")) & ~reduced
    recently = models.PriceDelta.objects.filter(fell, updated_at__gte=now - timedelta(days=OFTEN_DAYS))
    often = recently.values("owner").annotate(orders=Count("order_number", distinct=True))
    conditions = {
        "far_below": Q(charged_minor__lt=F("added_minor") / 2) & ~reduced,
        "doubled": Q(shown_minor__gt=F("added_minor") * 2),
        "often": fell & Q(owner__in=often.filter(orders__gte=OFTEN_ORDERS).values("owner")),
    }
    return reduce(or_, (conditions[kind] for kind in kinds))


def count_unusual(*, now: datetime, hours: int = 24) -> int:
    """Count the unusual price deltas of the last hours (one query)."""
    lately = models.PriceDelta.objects.filter(updated_at__gte=now - timedelta(hours=hours))
    return lately.filter(unusual(*UNUSUAL, now=now)).count()
