"""Let a campaign pause itself when something is badly wrong; only staff resume it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import structlog
from django.db.models import QuerySet

from notifications import reporting
from notifications.errors import CampaignStateError
from notifications.models import Campaign, MailEvent, Message
from notifications.rules import breakers, statistics
from notifications.services.running import pause_campaign
from notifications.types import CampaignState, MailEventKind, MessageKind, MessageState

log = structlog.get_logger(__name__)

LAST = 2_000
LATELY = timedelta(days=30)
_ENDED = [MessageState.SENT.value, MessageState.FAILED.value, MessageState.UNKNOWN.value]


def watch_campaigns(*, now: datetime) -> tuple[str, ...]:
    """Pause the campaigns whose last sends went wrong, or whose split is broken as last counted; give their keys.

    Where far too many readers complain over all campaigns, all of them pause.
    """
    paused, everywhere = [], _trouble_everywhere(now)
    running = Campaign.objects.filter(state=CampaignState.RUNNING.value).select_related("stored_report")
    for campaign in running.prefetch_related("variants"):
        reason = everywhere or _trouble(campaign, now)
        if not reason:
            continue
        try:
            pause_campaign(campaign_id=campaign.pk, reason=reason)
        except CampaignStateError:
            continue  # staff were quicker
        log.error("campaign_paused_itself", campaign=campaign.slug, reason=reason)
        paused.append(campaign.slug)
    return tuple(paused)


def _last_sends(now: datetime) -> QuerySet[Message]:
    """Give the reminders that were sent or failed, newest first, as the index `message_by_time` has them."""
    lately = Message.objects.filter(kind=MessageKind.RECOVERY.value, state__in=_ENDED, created_at__gte=now - LATELY)
    return lately.order_by("-created_at", "-pk")


def _trouble_everywhere(now: datetime) -> str:
    ids = list(_last_sends(now).values_list("pk", flat=True)[:LAST])
    came_back = MailEvent.objects.filter(message__in=ids, kind=MailEventKind.COMPLAINED.value)
    complained = came_back.order_by().values("message").distinct().count()
    return breakers.trouble_everywhere(complained, len(ids))


def _trouble(campaign: Campaign, now: datetime) -> str:
    last = _last_sends(now).filter(abandonment__campaign=campaign)[:LAST]
    seen: Counter[str] = Counter()
    ids = []
    for pk, state, why in last.values_list("pk", "state", "reason"):
        ids.append(pk)
        seen["all"] += 1
        if state == MessageState.UNKNOWN.value:
            seen["unknown"] += 1
        elif state == MessageState.FAILED.value:
            seen["render" if why == "render" else "refused"] += 1
    # What comes back through the provider: a mail counts once, whatever was told of it how often.
    came_back = MailEvent.objects.filter(
        message__in=ids, kind__in=[MailEventKind.BOUNCED.value, MailEventKind.COMPLAINED.value]
    )
    seen.update(kind for kind, _ in came_back.order_by().values_list("kind", "message").distinct())
    seen["opted_out"] = reporting.count_opt_outs_of(message_ids=ids) if ids else 0
    if reason := breakers.trouble(seen):
        return reason
    if (kept := reporting.kept(campaign)) is None:
        return ""
    p = reporting.split_of(campaign, kept.counted)
    if sum(row["enrolled"] for row in kept.counted.arms) >= breakers.ENOUGH and p < statistics.SPLIT_IS_WRONG:
        return f"split: p = {p:.5f}"
    return ""
