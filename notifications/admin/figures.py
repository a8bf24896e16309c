"""The numbers of a campaign's report, as staff read them."""

from __future__ import annotations

from datetime import date, timedelta

from django.utils.translation import gettext as _

from notifications import charts
from notifications.reporting import Arm, Day, Drawn, Report
from notifications.rules import looks, statistics
from notifications.rules.statistics import Interval
from shop.checkout.messages import format_money
from shop.core.money import Money

LATELY = timedelta(days=14)
PARTS = 8
"""Rows of the table of how soon orders came."""


def row(arm: Arm, drawn: Drawn, currency: str) -> dict[str, object]:
    """Write an arm's numbers: shares in per cent, differences in points, money as such, each with its interval."""
    lift, more, earned, belief = arm.against_control, arm.incremental, drawn.earned_more, drawn.belief
    return {
        "arm": arm,
        "share": f"{arm.share.value:.1%} ({arm.share.low:.1%} – {arm.share.high:.1%})" if arm.ripe else "–",
        "lift": "–" if lift is None else _interval(lift.difference, 100, 2),
        "p": "–" if lift is None else f"{lift.p:.3f}",
        "incremental": incremental(more),
        "earned": "–" if earned is None else _money_interval(earned, currency),
        "margin": "–" if drawn.margin is None else _money_interval(drawn.margin, currency),
        "best": "–" if belief is None else f"{belief.is_best:.0%}",
        "loss": "–" if belief is None else f"{100 * belief.loss:.2f}",
        "average": _average(arm),
    }


def passed_of(report: Report) -> list[dict[str, object]]:
    """Write how mails did beside ghosts, of those alone that passed the gates."""
    return [
        {
            "passed": one,
            "share": f"{one.share.value:.1%} ({one.share.low:.1%} – {one.share.high:.1%})" if one.n else "–",
            "lift": "–" if one.against_ghosts is None else _interval(one.against_ghosts.difference, 100, 2),
            "p": "–" if one.against_ghosts is None else f"{one.against_ghosts.p:.3f}",
        }
        for one in report.passed
    ]


def incremental(found: Interval | None) -> str:
    """Write how many more ordered."""
    return "–" if found is None else _interval(found, 1, 0)


def looks_of(report: Report) -> list[dict[str, object]]:
    """Write the looks, taken or to come: how many customers, from which |z| it ends the test, what was found."""
    taken = {look.number: look for look in report.looks}
    return [
        {
            "number": number,
            "size": size,
            "bound": f"{looks.bound(number):.3f}",
            "look": taken.get(number),
            "z": f"{taken[number].z:+.3f}" if number in taken else "–",
            "has_decided": report.decided_at is not None and report.decided_at.number == number,
        }
        for number, size in enumerate(looks.sizes(report.planned_n), start=1)
    ]


def days_of(report: Report) -> list[dict[str, object]]:
    """Write what was known at the end of each day that the charts draw."""
    return [
        {"day": day, "lift": _interval(charts.difference_of(day), 100, 2) if _is_comparable(day) else "–"}
        for day in charts.thinned(report.days)
    ]


def delays_of(report: Report, window: timedelta) -> list[dict[str, object]]:
    """Write which share had ordered how long after the cart was found."""
    parts = report.delays
    if not parts or not report.holdout.ripe or not report.mailed.ripe:
        return []
    hours = window / timedelta(hours=1)
    places = [round((number + 1) * len(parts) / PARTS) - 1 for number in range(PARTS)]
    return [
        {
            "hours": f"{hours * (place + 1) / len(parts):.0f}",
            "held": f"{parts[place][0] / report.holdout.ripe:.1%}",
            "mailed": f"{parts[place][1] / report.mailed.ripe:.1%}",
        }
        for place in places
    ]


def bands_of(report: Report) -> list[dict[str, object]]:
    """Write the difference for carts of each value, in points."""
    return [
        {
            "name": band_name(place, report),
            "control": band.control,
            "mailed": band.mailed,
            "lift": _interval(
                statistics.lift(
                    hits=band.mailed[0], n=band.mailed[1], control_hits=band.control[0], control_n=band.control[1]
                ).difference,
                100,
                2,
            )
            if band.control[1] and band.mailed[1]
            else "–",
        }
        for place, band in enumerate(report.bands)
    ]


def band_name(place: int, report: Report) -> str:
    """Name carts by the values that they lie between."""
    least = report.bands[place].least
    if least is not None:
        return _("from %(value)s") % {"value": format_money(least)}
    after = report.bands[place + 1].least if place + 1 < len(report.bands) else None
    return _("below %(value)s") % {"value": format_money(after)} if after else _("all")


def weeks_left(report: Report, today: date) -> float | None:
    """Tell in how many weeks the planned number is found, at the traffic of the last two; None if it is not known."""
    if not report.days or not report.planned_n:
        return None
    before = next((day.held for day in reversed(report.days) if day.day <= today - LATELY), 0)
    since = max(today - LATELY, report.days[0].day)
    weekly = (report.days[-1].held - before) / max(1, (today - since).days) * 7
    missing = report.planned_n - report.days[-1].held
    if missing <= 0:
        return 0.0
    return missing / weekly if weekly else None


def _is_comparable(day: Day) -> bool:
    return bool(day.control[1] and day.mailed[1])


def _average(arm: Arm) -> str:
    """Write what an order was worth, in the currency with most; refunds taken off."""
    if not arm.ordered or len(arm.revenues) != 1:
        return "–"
    return format_money(Money(round(arm.revenues[0].minor / arm.ordered), arm.revenues[0].currency))


def _money_interval(found: Interval, currency: str) -> str:
    value, low, high = (
        ("+" if part > 0 else "") + format_money(Money(round(part), currency))
        for part in (found.value, found.low, found.high)
    )
    return f"{value} ({low} – {high})"


def _interval(found: Interval, factor: int, digits: int) -> str:
    value, low, high = (f"{part * factor:+.{digits}f}" for part in (found.value, found.low, found.high))
    return f"{value} ({low} – {high})"
