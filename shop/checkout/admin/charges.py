"""Staff's report of charges: each order that costs something else than its lines did when they were added, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pricing.wording import REASONS
from shop.checkout.charges import Finding, explain_charges
from shop.checkout.messages import format_money
from shop.checkout.models import Order
from shop.core import clock
from shop.core.money import Money
from shop.core.staff import change_page

MOST_ORDERS = 5_000
"""More are not gone through while somebody waits for the page."""
MOST_ROWS = 500

FAULTS = {
    "lines_differ": _("The lines do not add up to the total."),
    "discounts_differ": _("The discounts of the lines do not add up to the order's."),
    "charge_differs": _("The payment is of another amount or currency than the order."),
    "unexplained": _("Nobody wrote down why."),
    "explained_wrongly": _("What was written down is another amount."),
}


class PeriodForm(forms.Form):
    """How far back to look."""

    days = forms.TypedChoiceField(
        label=_("Orders of the last days"), choices=[(number, str(number)) for number in (1, 7, 30, 90)], coerce=int
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A finding as it is read. Amounts are of the whole line, in words; “–” where there is none."""

    number: str
    url: str
    sku_id: str
    added: str
    shown: str
    acknowledged: str
    charged: str
    why: str
    is_fault: bool


def report(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Go through the orders of so many days; what nobody can explain comes first.

    :raises PermissionDenied: if the member of staff may not see orders and price deltas.
    """
    if not (request.user.has_perm("checkout.view_order") and request.user.has_perm("pricing.view_pricedelta")):
        raise PermissionDenied
    form = PeriodForm(request.GET if "days" in request.GET else {"days": 7})
    rows: list[Row] = []
    orders = 0
    if form.is_valid():
        since = clock.now() - timedelta(days=form.cleaned_data["days"])
        orders = Order.objects.filter(placed_at__gte=since)[: MOST_ORDERS + 1].count()
        if orders <= MOST_ORDERS:
            rows = [_row(finding) for finding in islice(explain_charges(placed_from=since), MOST_ROWS + 1)]
    shown = sorted(rows[:MOST_ROWS], key=lambda row: not row.is_fault)
    context |= {
        "title": gettext("Why orders cost what they cost"),
        "form": form,
        "rows": shown,
        "faults": sum(row.is_fault for row in shown),
        "orders": orders,
        "is_too_many": orders > MOST_ORDERS or len(rows) > MOST_ROWS,
    }
    return TemplateResponse(request, "admin/checkout/charges.html", context, status=200 if form.is_valid() else 422)


def _row(finding: Finding) -> Row:
    delta = finding.delta

    def amount(minor: int | None) -> str:
        return "–" if minor is None else format_money(Money(minor, finding.currency))

    reasons = ", ".join(str(REASONS.get(reason, reason)) for reason in (delta.reasons if delta else ()))
    return Row(
        number=finding.order_number,
        url=change_page("checkout_order", finding.order_number),
        sku_id=finding.sku_id or "–",
        added=amount(delta.added_minor if delta else None),
        shown=amount(delta.shown_minor if delta else None),
        acknowledged=amount(delta.acknowledged_minor if delta else None),
        charged=amount(finding.charged_minor),
        why=str(FAULTS[finding.fault]) if finding.fault else reasons,
        is_fault=bool(finding.fault),
    )
