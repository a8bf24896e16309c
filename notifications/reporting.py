"""What a campaign has brought: each arm against the hold-out, by intention to treat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings

from notifications import comparing
from notifications.conf import conf
from notifications.models import Attribution, Campaign, SkipCount
from notifications.rules import breakers, looks, statistics
from notifications.rules.assigning import BUCKETS
from notifications.rules.looks import Finding, Look
from notifications.rules.statistics import Interval, Lift
from notifications.types import MailEventKind, MessageKind, MessageState, TouchKind
from shop.core.db import rows
from shop.core.money import Money

# Each customer counts once, by the first enrolment; an erased one by the event. An order counts once the window of the
# event is over, so that late arms are not compared with early ones.
_ARMS = """
SELECT f.variant_id, f.is_holdout, count(*), count(*) FILTER (WHERE f.enrolled_at < %(ripe)s),
       count(*) FILTER (WHERE f.enrolled_at < %(ripe)s AND f.ordered_at IS NOT NULL),
       coalesce(sum(f.order_minor - f.refunded_minor) FILTER (WHERE f.enrolled_at < %(ripe)s), 0), f.currency
  FROM (SELECT DISTINCT ON (coalesce(user_id, -id)) id, variant_id, is_holdout, enrolled_at, ordered_at, order_minor,
               refunded_minor, currency
          FROM notifications_abandonment WHERE campaign_id = %(campaign)s
         ORDER BY coalesce(user_id, -id), enrolled_at, id) f
 GROUP BY f.variant_id, f.is_holdout, f.currency
"""

_COUNTED = {
    "clicked": TouchKind.CLICK.value,
    "scanned": TouchKind.SCAN.value,
    "restored": TouchKind.RESTORE.value,
    "opened": TouchKind.OPEN.value,
    "machine_opened": TouchKind.MACHINE_OPEN.value,
    "delivered": MailEventKind.DELIVERED.value,
    "bounced": MailEventKind.BOUNCED.value,
    "complained": MailEventKind.COMPLAINED.value,
    "opted_out": comparing.OPTED_OUT,
}
"""Fields of an arm, and what its mails are counted by."""
_WENT = (MessageState.SENT.value, MessageState.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the report."""

    name: str
    is_holdout: bool
    enrolled: int
    ripe: int
    """Customers whose window is over: only they are compared."""
    ordered: int
    share: Interval
    revenues: tuple[Money, ...]
    """One a currency, without what was refunded."""
    against_control: Lift | None = None
    incremental: Interval | None = None
    """How many more ordered than would have without a mail."""
    earned_more: Interval | None = None
    """How much more a customer spent than one of the hold-out, in minor units of the report's currency."""
    states: tuple[tuple[str, int], ...] = ()
    clicked: int = 0
    scanned: int = 0
    """Mails whose link was followed by a program that says so."""
    restored: int = 0
    delivered: int = 0
    """Mails of which the provider told that they arrived; without a provider nobody tells."""
    bounced: int = 0
    complained: int = 0
    asked: int = 0
    """Mails that told when they were opened: only of these opens are known."""
    opened: int = 0
    machine_opened: int = 0
    opted_out: int = 0
    """Mails whose readers opted out by them."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """What a model gives to the mails of a campaign. Not what they have brought."""

    model: str
    orders: int
    revenues: tuple[Money, ...]
    """Without what was refunded; one a currency."""
    refunded: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a campaign has shown until now."""

    arms: tuple[Arm, ...]
    """The hold-out first, then all who may be mailed together, then each variant."""
    split_p: float
    finding: Finding
    decided_at: Look | None
    """The look that the finding rests on; what came after it changes nothing."""
    looks: tuple[Look, ...]
    """Those taken until now."""
    planned_n: int
    control_n: int
    currency: str
    """In which most was sold: `earned_more` is in it."""
    skipped: tuple[tuple[str, int], ...]
    """Carts left alone in the last 30 days, by reason."""
    cancelled: tuple[tuple[str, int], ...]
    """Messages cancelled, by reason."""
    attributed: tuple[Attributed, ...]


def report(*, campaign: Campaign, now: datetime) -> Report:
    """Compare the arms of a campaign (eight queries)."""
    variants = list(campaign.variants.all())
    found = rows(_ARMS, {"campaign": campaign.pk, "ripe": now - campaign.outcome_window})
    numbers, revenues = _numbers(found), Counter[tuple[int, bool, str]]()
    for variant_id, is_holdout, _enrolled, _ripe, _ordered, revenue, currency in found:
        revenues[variant_id, is_holdout, currency] += int(revenue)

    def counted(ids: Sequence[int], *, is_holdout: bool) -> tuple[int, int, int]:
        parts = [numbers.get((pk, is_holdout), (0, 0, 0)) for pk in ids]
        enrolled, ripe, ordered = (int(sum(column)) for column in zip(*parts, strict=True))
        return enrolled, ripe, ordered

    def earned(ids: Sequence[int], *, is_holdout: bool) -> tuple[Money, ...]:
        """Add up by currency; the first one is that with most."""
        sums = Counter[str]()
        for (pk, other, currency), minor in revenues.items():
            if pk in ids and other is is_holdout:
                sums[currency] += minor
        return tuple(Money(minor, currency) for currency, minor in sums.most_common())

    everybody = [variant.pk for variant in variants]
    control = counted(everybody, is_holdout=True) if everybody else (0, 0, 0)
    states, asked, cancelled = _messages(campaign)
    mails = comparing.count_mails(campaign=campaign)
    sums = Counter[str]()
    for (_pk, _is_holdout, code), minor in revenues.items():
        sums[code] += minor
    currency = next((code for code, _ in sums.most_common(1)), settings.PRICING.currency)
    spent = comparing.find_spent(campaign=campaign, currency=currency, now=now)

    def arm(name: str, ids: Sequence[int], *, is_holdout: bool = False) -> Arm:
        enrolled, ripe, ordered = counted(ids, is_holdout=is_holdout) if ids else (0, 0, 0)
        against = (
            None if is_holdout else statistics.lift(hits=ordered, n=ripe, control_hits=control[2], control_n=control[1])
        )
        seen = Counter[str]()
        for pk in ids:
            seen.update(states.get((pk, is_holdout), {}))
        return Arm(
            name=name,
            is_holdout=is_holdout,
            enrolled=enrolled,
            ripe=ripe,
            ordered=ordered,
            share=statistics.wilson(ordered, ripe),
            revenues=earned(ids, is_holdout=is_holdout),
            against_control=against,
            incremental=against.incremental(ripe) if against and control[1] else None,
            earned_more=None if is_holdout else spent.more_than_control(ids),
            states=tuple(sorted(seen.items())),
            asked=0 if is_holdout else sum(asked[pk] for pk in ids),
            **{} if is_holdout else {name: sum(mails[pk, kind] for pk in ids) for name, kind in _COUNTED.items()},
        )

    arms = [arm("hold-out", everybody, is_holdout=True), arm("mailed", everybody)]
    if len(variants) > 1:
        arms.extend(_corrected([arm(variant.key, [variant.pk]) for variant in variants]))
    split = _split(campaign, numbers)
    taken = comparing.list_looks(campaign=campaign, now=now)
    finding, decided_at = looks.judge(split=split, taken=taken, is_harmful=_is_harmful(arms[1]))
    return Report(
        arms=tuple(arms),
        split_p=split,
        finding=finding,
        decided_at=decided_at,
        looks=taken,
        currency=currency,
        planned_n=campaign.planned_n or 0,
        control_n=control[1],
        skipped=_skipped(campaign, now.date()),
        cancelled=cancelled,
        attributed=_attributed(campaign),
    )


def _corrected(arms: Sequence[Arm]) -> list[Arm]:
    """Correct the p of several variants for there being several."""
    lifts = [arm.against_control or Lift(Interval(0, -1, 1), 1) for arm in arms]
    ps = statistics.holm([lift.p for lift in lifts])
    return [replace(arm, against_control=replace(lift, p=p)) for arm, lift, p in zip(arms, lifts, ps, strict=True)]


def _is_harmful(mailed: Arm) -> bool:
    """Tell whether the readers of all mails until now complained or opted out too often."""
    went = sum(count for state, count in mailed.states if state in _WENT)
    seen = {"all": went, "complained": mailed.complained, "opted_out": mailed.opted_out}
    return bool(breakers.trouble(seen, kinds=breakers.UNWANTED))


def split(campaign: Campaign) -> tuple[int, float]:
    """Tell how many customers a campaign has found, and how likely their split into arms is by chance."""
    found = rows(_ARMS, {"campaign": campaign.pk, "ripe": campaign.created_at})
    numbers = _numbers(found)
    return sum(row[2] for row in found), _split(campaign, numbers)


def _numbers(found: Sequence[tuple[Any, ...]]) -> dict[tuple[int, bool], tuple[int, ...]]:
    """Add up enrolled, ripe and ordered of each arm over its currencies: customers are counted, not money."""
    numbers: dict[tuple[int, bool], tuple[int, ...]] = {}
    for variant_id, is_holdout, *counts, _revenue, _currency in found:
        before = numbers.get((variant_id, is_holdout), (0, 0, 0))
        numbers[variant_id, is_holdout] = tuple(a + int(b) for a, b in zip(before, counts, strict=True))
    return numbers


def _split(campaign: Campaign, numbers: dict[tuple[int, bool], tuple[int, ...]]) -> float:
    """Check how customers fell into the arms against the weights."""
    counts, weights = [], []
    for variant in campaign.variants.all():
        for is_holdout in (True, False):
            share = campaign.holdout_bp if is_holdout else BUCKETS - campaign.holdout_bp
            if share:
                counts.append(numbers.get((variant.pk, is_holdout), (0,))[0])
                weights.append(share * variant.weight_bp)
    return statistics.split_p(counts, weights)


def _messages(
    campaign: Campaign,
) -> tuple[dict[tuple[int, bool], Counter[str]], Counter[int], tuple[tuple[str, int], ...]]:
    """Count by arm and state, those that told when they were opened by variant, and the cancelled ones by reason."""
    found = rows(
        "SELECT a.variant_id, a.is_holdout, m.state, m.reason, count(*),"
        "       count(*) FILTER (WHERE %(opens)s AND m.shown -> 'counts_opens' IS NOT NULL)"
        "  FROM notifications_message m JOIN notifications_abandonment a ON a.id = m.abandonment_id"
        " WHERE a.campaign_id = %(campaign)s AND m.kind = %(kind)s GROUP BY 1, 2, 3, 4",
        {"campaign": campaign.pk, "kind": MessageKind.RECOVERY.value, "opens": conf().count_opens},
    )
    states: dict[tuple[int, bool], Counter[str]] = {}
    reasons, asked = Counter[str](), Counter[int]()
    for variant_id, is_holdout, state, reason, count, opens in found:
        states.setdefault((variant_id, is_holdout), Counter())[state] += count
        asked[variant_id] += opens
        if state == "cancelled":
            reasons[reason] += count
    return states, asked, tuple(reasons.most_common())


def _attributed(campaign: Campaign) -> tuple[Attributed, ...]:
    """Add up by model, each of them, in the order of their list; the currency with most comes first."""
    found = rows(
        "SELECT model, currency, count(*), sum(total_minor - refunded_minor)::bigint, sum(refunded_minor)::bigint"
        "  FROM notifications_attribution"
        " WHERE campaign_id = %(campaign)s GROUP BY 1, 2 ORDER BY 4 DESC",
        {"campaign": campaign.pk},
    )
    return tuple(
        Attributed(
            model=str(label),
            orders=sum(row[2] for row in found if row[0] == model),
            revenues=tuple(Money(row[3], row[1]) for row in found if row[0] == model),
            refunded=tuple(Money(row[4], row[1]) for row in found if row[0] == model and row[4]),
        )
        for model, label in Attribution.MODELS
    )


def _skipped(campaign: Campaign, today: date) -> tuple[tuple[str, int], ...]:
    counts = Counter[str]()
    lately = SkipCount.objects.filter(campaign=campaign, day__gt=today - timedelta(days=30))
    for reason, count in lately.values_list("reason", "count"):
        counts[reason] += count
    return tuple(counts.most_common())
