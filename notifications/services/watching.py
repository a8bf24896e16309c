"""Let a campaign pause itself when something is badly wrong; only staff resume it."""

from __future__ import annotations

from collections import Counter

import structlog

from notifications import reporting
from notifications.errors import CampaignStateError
from notifications.models import Campaign, MailEvent, Message
from notifications.rules import breakers, statistics
from notifications.services.running import pause_campaign
from notifications.types import CampaignState, MailEventKind, MessageState

log = structlog.get_logger(__name__)

LAST = 2_000


def watch_campaigns() -> tuple[str, ...]:
    """Pause the campaigns whose last sends went wrong, or whose split is broken as last counted; give their keys."""
    paused = []
    running = Campaign.objects.filter(state=CampaignState.RUNNING.value).select_related("stored_report")
    for campaign in running.prefetch_related("variants"):
        reason = _trouble(campaign)
        if not reason:
            continue
        try:
            pause_campaign(campaign_id=campaign.pk, reason=reason)
        except CampaignStateError:
            continue  # staff were quicker
        log.error("campaign_paused_itself", campaign=campaign.slug, reason=reason)
        paused.append(campaign.slug)
    return tuple(paused)


def _trouble(campaign: Campaign) -> str:
    ended = [MessageState.SENT.value, MessageState.FAILED.value, MessageState.UNKNOWN.value]
    last = Message.objects.filter(abandonment__campaign=campaign, state__in=ended).order_by("-handed_at", "-pk")[:LAST]
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
