"""Count what reports rest on, and keep it: pages read what was kept."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import structlog
from django.db import OperationalError
from django.db.models import Q

from notifications import reporting
from notifications.models import Campaign
from notifications.types import CampaignState

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 600
"""How long a statement of the job may take; that of a page, which somebody waits for, has `PAGE_SECONDS`."""
PAGE_SECONDS = 20
SHARE = 20
"""Counting takes no more than one part in so many of a worker's time: what took long is not soon done again."""
FOLLOWED = timedelta(days=60)
"""For so long after their end campaigns are still counted: orders are given back."""


def count_reports(*, now: datetime) -> int:
    """Count the reports of campaigns that have begun, unless they were dear and are new; give their number.

    By two at once both are counted, and the later one stays. One that fails keeps no other from being counted.
    """
    begun = Campaign.objects.exclude(state=CampaignState.DRAFT.value)
    going = begun.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=now - FOLLOWED)).select_related("stored_report")
    done = 0
    for campaign in going.prefetch_related("variants"):
        before = reporting.kept(campaign)
        if before is not None and now < before.counted_at + timedelta(seconds=SHARE * before.seconds):
            continue
        try:
            count_report(campaign=campaign, now=now, patience_seconds=PATIENCE_SECONDS)
        except OperationalError as error:
            log.warning("report_not_counted", campaign=campaign.slug, error=type(error.__cause__).__name__)
            continue
        done += 1
    return done


def count_report(*, campaign: Campaign, now: datetime, patience_seconds: int = PAGE_SECONDS) -> None:
    """Count one campaign's report, and keep it.

    :raises OperationalError: if a statement takes longer than that.
    """
    begin = time.monotonic()
    counted = reporting.count(campaign=campaign, now=now, patience_seconds=patience_seconds)
    reporting.keep(campaign_id=campaign.pk, counted=counted, counted_at=now, seconds=time.monotonic() - begin)
