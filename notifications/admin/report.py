"""The report of a campaign: what it has brought, as it was last counted."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import charts, reporting
from notifications.admin import figures
from notifications.conf import conf
from notifications.errors import CampaignNotReadyError
from notifications.messages import PROBLEMS
from notifications.models import Campaign, Step
from notifications.reporting import Arm, Report
from notifications.rules import capacity, looks
from notifications.services import limiting, planning, running, summing
from notifications.types import CampaignState, MessageState
from shop.core import clock
from shop.core.sheets import defused

FINDINGS = {
    "split_is_wrong": _("The split is broken: customers did not fall into the arms as they should. No number counts."),
    "too_early": _("Too early: no look until now was beyond its bound, and the planned number is not reached."),
    "no_difference": _("No difference that could not be chance, at the last look."),
    "helps": _("Mailed customers order more often."),
    "harms": _("Mailed customers order less often."),
    "guard_rail": _("Mailed customers order more often, but too many of them complained or opted out: no winner."),
}
_WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
_WAITING = (MessageState.DUE.value, MessageState.CLAIMED.value)


def context_of(campaign: Campaign) -> dict[str, Any]:
    """Give what the page shows: of the last count, or of now where nothing was counted yet."""
    now = clock.now()
    kept = reporting.kept(campaign)
    counted = (
        kept.counted if kept else reporting.count(campaign=campaign, now=now, patience_seconds=summing.PAGE_SECONDS)
    )
    counted_at = kept.counted_at if kept else now
    report = reporting.weigh(campaign, counted)
    is_hidden = report.finding == "split_is_wrong"
    context: dict[str, Any] = {
        "report": report,
        "is_hidden": is_hidden,
        "is_draft": campaign.state == CampaignState.DRAFT.value,
        "counted_at": counted_at,
        "finding": FINDINGS[report.finding.value],
        "currency": report.currency,
        "click_days": campaign.click_window / timedelta(days=1),
        "counts_opens": conf().count_opens,
        "has_margin": bool(conf().margin_bp),
        "margin": conf().margin_bp / 100,
        "capacity": _capacity(campaign, report),
        "arms": report.arms,
    }
    if campaign.state == CampaignState.DRAFT.value:
        return context | _plan(campaign)
    context["enrolment"] = charts.enrolment(report.days, looks.sizes(report.planned_n))
    context["weeks_left"] = figures.weeks_left(report, timezone.localdate(counted_at))
    context["days"] = figures.days_of(report)
    context["week"] = charts.week(report.hours)
    context["weekdays"] = [
        {
            "name": name,
            "y": charts.CELL * place + charts.CELL // 2,
            "hours": [hour for hour in report.hours if hour.weekday == place + 1],
        }
        for place, name in enumerate(_WEEKDAYS)
    ]
    context["funnels"] = [(arm, charts.funnel(_stages(arm, is_hidden=is_hidden))) for arm in report.arms[:2]]
    return context if is_hidden else context | _results(campaign, counted, report)


def table_of(campaign: Campaign) -> HttpResponse:
    """Give the days of the report as a table for a spreadsheet; without results where the split is broken."""
    context = context_of(campaign)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{campaign.slug}.csv"'
    sheet = csv.writer(answer)
    names = (
        "day",
        "found",
        "hold-out found",
        "hold-out time over",
        "hold-out ordered",
        "mailed time over",
        "mailed ordered",
    )
    shown = names[:3] if context["is_hidden"] else names
    sheet.writerow(shown)
    for day in context["report"].days:
        cells = (day.day.isoformat(), day.found, day.held, *reversed(day.control), *reversed(day.mailed))
        sheet.writerow([defused(cell) for cell in cells[: len(shown)]])
    return answer


def _results(campaign: Campaign, counted: reporting.Counted, report: Report) -> dict[str, Any]:
    drawn = reporting.draw(campaign, counted, report, has_margin=bool(conf().margin_bp))
    sizes = looks.sizes(report.planned_n)
    chart = charts.shares(report.arms)
    named = [(figures.band_name(place, report), band) for place, band in enumerate(report.bands)]
    return {
        "rows": [figures.row(arm, one, report.currency) for arm, one in zip(report.arms, drawn, strict=True)],
        "passed": figures.passed_of(report) if _is_at_one_time(campaign) else None,
        "looks": figures.looks_of(report),
        "chart": chart,
        "over_looks": charts.over_looks(report.looks, sizes) if report.looks else None,
        "difference": charts.difference(report.days, sizes),
        "delays": charts.delays(report.holdout, report.mailed, report.delays, window=campaign.outcome_window),
        "delay_rows": figures.delays_of(report, campaign.outcome_window),
        "bands": figures.bands_of(report),
        "band_chart": charts.differences(named) if named else None,
    }


def _is_at_one_time(campaign: Campaign) -> bool:
    """Tell whether the first mails of all variants go at the same time, and each variant has one mail."""
    delays = list(Step.objects.filter(variant__campaign=campaign).values_list("number", "delay"))
    return len(set(delays)) == 1


def _plan(campaign: Campaign) -> dict[str, Any]:
    """Say how large and how long the test of a draft would be."""
    try:
        return {
            "planned": running.planned_n(campaign),
            "weeks": running.weeks_of(campaign, now=clock.now()),
            "most_weeks": planning.MOST_WEEKS,
        }
    except CampaignNotReadyError as error:
        return {"problem": PROBLEMS[error.problem]}


def _capacity(campaign: Campaign, report: Report) -> dict[str, Any]:
    rate, cap = limiting.rate_now(), conf().daily_cap
    waiting = sum(n for arm in report.arms[:2] for state, n in arm.states if state in _WAITING)
    fits = capacity.fit_within(campaign.max_lateness, per_second=rate, daily_cap=cap)
    return {
        "rate": rate,
        "is_slowed": rate < conf().rate_per_second,
        "cap": cap,
        "fits": fits,
        "waiting": waiting,
        "takes_text": _span(capacity.takes(waiting, per_second=rate)),
        "is_too_much": waiting > fits,
    }


def _span(span: timedelta) -> str:
    """Write a span in the unit that fits."""
    if span < timedelta(minutes=2):
        return gettext("%(n)d seconds") % {"n": max(1, round(span / timedelta(seconds=1)))}
    if span < timedelta(hours=2):
        return gettext("%(n)d minutes") % {"n": round(span / timedelta(minutes=1))}
    return gettext("%(n)d hours") % {"n": round(span / timedelta(hours=1))}


def _stages(arm: Arm, *, is_hidden: bool) -> list[tuple[str, int]]:
    states = dict(arm.states)
    ordered = [] if is_hidden else [(str(_("Ordered")), arm.ordered)]
    if arm.is_holdout:
        return [(str(_("Found")), arm.enrolled), (str(_("Ghost")), states.get("ghost", 0)), *ordered]
    return [
        (str(_("Found")), arm.enrolled),
        (str(_("Sent")), states.get("sent", 0)),
        *([(str(_("Delivered")), arm.delivered)] if arm.delivered else []),
        (str(_("Clicked")), arm.clicked),
        (str(_("Restored")), arm.restored),
        *ordered,
    ]
