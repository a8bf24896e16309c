"""The numbers of a campaign's report, as staff read them."""

from __future__ import annotations

from notifications.reporting import Arm, Report
from notifications.rules import looks
from notifications.rules.statistics import Interval
from shop.checkout.messages import format_money
from shop.core.money import Money


def row(arm: Arm, currency: str) -> dict[str, object]:
    """Write an arm's numbers: shares in per cent, differences in points, money as such, each with its interval."""
    lift, more, earned = arm.against_control, arm.incremental, arm.earned_more
    return {
        "arm": arm,
        "share": f"{arm.share.value:.1%} ({arm.share.low:.1%} – {arm.share.high:.1%})" if arm.ripe else "–",
        "lift": "–" if lift is None else _interval(lift.difference, 100, 2),
        "p": "–" if lift is None else f"{lift.p:.3f}",
        "incremental": "–" if more is None else _interval(more, 1, 0),
        "earned": "–" if earned is None else _money_interval(earned, currency),
    }


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


def _money_interval(found: Interval, currency: str) -> str:
    value, low, high = (
        ("+" if part > 0 else "") + format_money(Money(round(part), currency))
        for part in (found.value, found.low, found.high)
    )
    return f"{value} ({low} – {high})"


def _interval(found: Interval, factor: int, digits: int) -> str:
    value, low, high = (f"{part * factor:+.{digits}f}" for part in (found.value, found.low, found.high))
    return f"{value} ({low} – {high})"
