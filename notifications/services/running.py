"""Start, pause, resume and end a campaign."""

from __future__ import annotations

import math
from datetime import datetime

from django.conf import settings
from django.db import transaction

from notifications.errors import CampaignNotReadyError, CampaignStateError
from notifications.models import Campaign, Step
from notifications.rules import amount_in, looks, read_minimums, statistics
from notifications.rules.assigning import BUCKETS
from notifications.services import planning
from notifications.types import CampaignState
from pricing import services as pricing
from pricing.types import Combining, ReductionKind


def start_campaign(*, campaign_id: int, now: datetime, most_weeks: float | None = None) -> Campaign:
    """Let a draft run. Carts that were idle before `now` are left alone; variants and steps are frozen.

    The size at which the result may be read is worked out and fixed here, before anybody has been mailed. With
    `most_weeks` a test that would take longer at the traffic of the last weeks is refused.

    :raises CampaignStateError: if it is no draft.
    :raises CampaignNotReadyError: if its variants or steps are not complete, or it would take too long.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, CampaignState.DRAFT)
        _check(campaign)
        _make_promotions(campaign, now)
        campaign.state = CampaignState.RUNNING.value
        campaign.activated_at = now
        campaign.planned_n = planned_n(campaign)
        if most_weeks is not None and (weeks := weeks_of(campaign, now=now)) is not None and weeks > most_weeks:
            raise CampaignNotReadyError(problem="too_long")
        campaign.save(update_fields=["state", "activated_at", "planned_n"])
    return campaign


def pause_campaign(*, campaign_id: int, reason: str) -> Campaign:
    """Hold a running campaign: nobody is enrolled, and messages that are due wait.

    :raises CampaignStateError: if it does not run.
    """
    return _move(campaign_id, CampaignState.RUNNING, CampaignState.PAUSED, reason)


def resume_campaign(*, campaign_id: int) -> Campaign:
    """Let a paused campaign run on. What became too late meanwhile is cancelled, in every arm.

    :raises CampaignStateError: if it is not paused.
    """
    return _move(campaign_id, CampaignState.PAUSED, CampaignState.RUNNING, "")


def end_campaign(*, campaign_id: int, now: datetime) -> Campaign:
    """End a campaign for good; messages that are due are cancelled when their turn comes.

    :raises CampaignStateError: if it neither runs nor is paused.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, CampaignState.RUNNING, CampaignState.PAUSED)
        campaign.state, campaign.ended_at = CampaignState.ENDED.value, now
        campaign.save(update_fields=["state", "ended_at"])
    return campaign


def planned_n(campaign: Campaign) -> int:
    """Work out how many customers the hold-out needs so that the campaign's smallest lift shows; 0 without a hold-out.

    A little more than for a test that is read once, as this one may end at each of its looks.

    :raises CampaignNotReadyError: if the share would rise above 100 %.
    """
    if not campaign.holdout_bp:
        return 0
    try:
        once = statistics.sample_size(
            base=campaign.base_bp / BUCKETS,
            lift_rel=campaign.mde_pct / 100,
            ratio=(BUCKETS - campaign.holdout_bp) / campaign.holdout_bp,
        )
    except ValueError as error:
        raise CampaignNotReadyError(problem="sample") from error
    return math.ceil(once * looks.INFLATION)


def weeks_of(campaign: Campaign, *, now: datetime) -> float | None:
    """Tell how many weeks a draft's test would take at the traffic of the last weeks; None if that is not known.

    :raises CampaignNotReadyError: if the share would rise above 100 %.
    """
    return planning.weeks_needed(
        planned_n=planned_n(campaign), holdout_bp=campaign.holdout_bp, weekly=planning.count_weekly(now=now)
    )


def _make_promotions(campaign: Campaign, now: datetime) -> None:
    """Make what the codes of its steps bring, off the whole cart and only with a code: per cent, or amounts."""
    own = settings.PRICING.currency
    for step in Step.objects.filter(variant__campaign=campaign).order_by("pk"):
        if step.code_percent:
            step.promotion_id = _add(campaign, now, kind=ReductionKind.PERCENT, value=step.code_percent)
        for currency, amount in ((own, step.code_amount_minor), *read_minimums(step.code_other_amounts)):
            if amount:
                least = amount_in(
                    currency, own=own, amount_minor=step.code_minimum_minor, others=step.code_other_minimums
                )
                step.promotion_ids[currency] = _add(
                    campaign, now, kind=ReductionKind.AMOUNT, value=amount, currency=currency, minimum_minor=least
                )
        step.save(update_fields=["promotion_id", "promotion_ids"])


def _add(
    campaign: Campaign, now: datetime, *, kind: ReductionKind, value: int, currency: str = "", minimum_minor: int = 0
) -> int:
    return pricing.add_promotion(
        promotion=pricing.NewPromotion(
            name=campaign.name,
            kind=kind,
            value=value,
            currency=currency,
            minimum_minor=minimum_minor,
            valid_from=now,
            combines=Combining.PROMOTIONS,
            needs_code=True,
        )
    )


def _check(campaign: Campaign) -> None:
    variants = list(campaign.variants.prefetch_related("steps"))
    if not variants:
        raise CampaignNotReadyError(problem="no_variant")
    if sum(variant.weight_bp for variant in variants) != BUCKETS:
        raise CampaignNotReadyError(problem="weights")
    for variant in variants:
        numbers = [step.number for step in variant.steps.all()]
        if 1 not in numbers:
            raise CampaignNotReadyError(problem="no_first_step")
        if numbers != list(range(1, len(numbers) + 1)):
            raise CampaignNotReadyError(problem="steps")
        if len(numbers) > campaign.max_messages_per_event:
            raise CampaignNotReadyError(problem="too_many_steps")
        if any(step.gives_away() for step in variant.steps.all()):
            raise CampaignNotReadyError(problem="gives_away")


def _move(campaign_id: int, before: CampaignState, after: CampaignState, reason: str) -> Campaign:
    with transaction.atomic():
        campaign = _locked(campaign_id, before)
        campaign.state, campaign.pause_reason = after.value, reason[:200]
        campaign.save(update_fields=["state", "pause_reason"])
    return campaign


def _locked(campaign_id: int, *allowed: CampaignState) -> Campaign:
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
    if campaign.state not in [state.value for state in allowed]:
        raise CampaignStateError(state=campaign.state)
    return campaign
