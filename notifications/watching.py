"""Reads for those who watch over mails: what campaigns brought until now, and how many stand still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from notifications.models import Campaign
from notifications.reporting import Arm, kept, report, weigh
from notifications.types import CampaignState

_PATIENCE_SECONDS = 60
"""For a campaign that no job has counted yet."""


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One side of the comparison."""

    carts: int
    """Customers whose time to order is over: only they are compared."""
    ordered: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """A running or paused campaign in a few numbers."""

    campaign_id: int
    name: str
    state: str
    currency: str
    mailed: ArmFigures
    holdout: ArmFigures
    lift: tuple[float, float, float] | None
    """Difference of the shares of buyers: its low end, value and high end (95 %); None while nobody can be compared."""
    finding: str
    sent: int
    cancelled: int


def list_campaigns(*, now: datetime) -> tuple[CampaignFigures, ...]:
    """Sum up the campaigns that run or pause, in order, as last counted (two queries; what never was is counted)."""
    going = Campaign.objects.filter(state__in=[CampaignState.RUNNING.value, CampaignState.PAUSED.value])
    going = going.select_related("stored_report")
    return tuple(_figures(campaign, now) for campaign in going.prefetch_related("variants"))


def count_paused() -> int:
    """Count the campaigns that stand still, whoever paused them (one query)."""
    return Campaign.objects.filter(state=CampaignState.PAUSED.value).count()


def _figures(campaign: Campaign, now: datetime) -> CampaignFigures:
    before = kept(campaign)
    found = (
        report(campaign=campaign, now=now, patience_seconds=_PATIENCE_SECONDS)
        if before is None
        else weigh(campaign, before.counted)
    )
    holdout, mailed = found.holdout, found.mailed
    lift = mailed.against_control.difference if mailed.against_control and holdout.ripe and mailed.ripe else None
    # One currency fits on a first page: that in which most was sold. The campaign's report has all of them.
    currency = next((sum_.currency for sum_ in (*mailed.revenues, *holdout.revenues)), settings.PRICING.currency)
    states: Mapping[str, int] = dict(mailed.states)
    return CampaignFigures(
        campaign_id=campaign.pk,
        name=campaign.name,
        state=campaign.state,
        currency=currency,
        mailed=_arm(mailed, currency),
        holdout=_arm(holdout, currency),
        lift=(lift.low, lift.value, lift.high) if lift else None,
        finding=found.finding.value,
        sent=states.get("sent", 0),
        cancelled=sum(number for _, number in found.cancelled),
    )


def _arm(arm: Arm, currency: str) -> ArmFigures:
    revenue = sum(sum_.minor for sum_ in arm.revenues if sum_.currency == currency)
    return ArmFigures(carts=arm.ripe, ordered=arm.ordered, revenue_minor=revenue)
