"""Staff's pages of price deltas: what a line cost when it was added, shown, agreed to and charged, and why."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.functions import NullIf
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from pricing.models import PriceDelta
from pricing.watching import UNUSUAL, unusual
from pricing.wording import REASONS
from shop.core import clock
from shop.core.money import Money
from shop.core.privacy import mask_owner
from shop.core.sheets import defused
from shop.core.staff import ReadOnlyAdmin
from shop.core.templatetags.trolley import format_money

MOST_EXPORTED = 10_000
_COLUMNS = (
    *("updated_at", "sku_id", "quantity", "currency", "added_minor", "shown_minor", "acknowledged_minor"),
    *("charged_minor", "reasons", "owner", "checkout_id", "order_number"),
)


class ReasonFilter(admin.SimpleListFilter):
    """Deltas by why they came about."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return list(REASONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[PriceDelta]) -> QuerySet[PriceDelta]:
        return queryset.filter(reasons__contains=[self.value()]) if self.value() in REASONS else queryset


class DirectionFilter(admin.SimpleListFilter):
    """Deltas by whether the line became dearer, cheaper, or less than half as dear: a mistake, or worse."""

    title = _("direction")
    parameter_name = "direction"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("up", _("dearer")), ("down", _("cheaper")), ("half", _("less than half"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PriceDelta]) -> QuerySet[PriceDelta]:
        match self.value():
            case "up":
                return queryset.filter(shown_minor__gt=F("added_minor"))
            case "down":
                return queryset.filter(shown_minor__lt=F("added_minor"))
            case "half":
                return queryset.filter(shown_minor__lt=F("added_minor") / 2)
        return queryset


class StageFilter(admin.SimpleListFilter):
    """Deltas by how far the shopper went."""

    title = _("stage reached")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("shown", _("shown only")), ("acknowledged", _("agreed, not ordered")), ("charged", _("charged"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PriceDelta]) -> QuerySet[PriceDelta]:
        match self.value():
            case "shown":
                return queryset.filter(acknowledged_minor=None)
            case "acknowledged":
                return queryset.filter(acknowledged_minor__isnull=False, charged_minor=None)
            case "charged":
                return queryset.filter(charged_minor__isnull=False)
        return queryset


class UnusualFilter(admin.SimpleListFilter):
    """Deltas that somebody should look at: a price that was typed wrongly, or a customer who plays with prices."""

    title = _("unusual")
    parameter_name = "unusual"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [
            ("any", _("any of these")),
            ("far_below", _("charged less than half, by price alone")),
            ("doubled", _("more than twice as dear")),
            ("often", _("one customer, again and again")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PriceDelta]) -> QuerySet[PriceDelta]:
        kinds = UNUSUAL if self.value() == "any" else tuple(kind for kind in UNUSUAL if kind == self.value())
        return queryset.filter(unusual(*kinds, now=clock.now())) if kinds else queryset


@admin.register(PriceDelta)
class PriceDeltaAdmin(ReadOnlyAdmin):
    """Lines whose price was not the same all the way. Amounts are of the whole line."""

    # What a delta is about stands within the width of a small screen; who and when may be scrolled to.
    list_display = ("sku_id", "percent", "stages", "why", "quantity", "order_number", "who", "updated_at")
    list_filter = (UnusualFilter, DirectionFilter, ReasonFilter, StageFilter)
    date_hierarchy = "updated_at"
    search_fields = ("=sku_id", "=order_number", "=checkout_id", "=owner")
    search_help_text = _("SKU, order, checkout or owner, exactly")
    fields = (
        *("sku_id", "quantity", "who", "checkout_id", "order_number", "added", "shown", "acknowledged", "charged"),
        *("percent", "why", "created_at", "updated_at"),
    )
    actions = ("export",)

    @admin.display(description=_("who"))
    def who(self, row: PriceDelta) -> str:
        return mask_owner(row.owner)

    @admin.display(description=_("added"), ordering="added_minor")
    def added(self, row: PriceDelta) -> str:
        return _amount(row.added_minor, row.currency)

    @admin.display(description=_("shown"), ordering="shown_minor")
    def shown(self, row: PriceDelta) -> str:
        return _amount(row.shown_minor, row.currency)

    @admin.display(description=_("acknowledged"), ordering="acknowledged_minor")
    def acknowledged(self, row: PriceDelta) -> str:
        return _amount(row.acknowledged_minor, row.currency)

    @admin.display(description=_("charged"), ordering="charged_minor")
    def charged(self, row: PriceDelta) -> str:
        return _amount(row.charged_minor, row.currency)

    @admin.display(description=_("added → shown → acknowledged → charged"), ordering="shown_minor")
    def stages(self, row: PriceDelta) -> str:
        amounts = (row.added_minor, row.shown_minor, row.acknowledged_minor, row.charged_minor)
        return " → ".join(_amount(minor, row.currency) for minor in amounts)

    # Sorted by it, the largest falls come first: mistakes and fraud.
    @admin.display(description="Δ %", ordering=F("shown_minor") * 1.0 / NullIf(F("added_minor"), 0))
    def percent(self, row: PriceDelta) -> str:
        last = next((v for v in (row.charged_minor, row.acknowledged_minor, row.shown_minor) if v is not None), None)
        if last is None or not row.added_minor:
            return "–"
        return f"{100 * (last - row.added_minor) / row.added_minor:+.1f}"

    @admin.display(description=_("reasons"))
    def why(self, row: PriceDelta) -> str:
        return ", ".join(str(REASONS.get(reason, reason)) for reason in row.reasons)

    @admin.action(description=_("Export the chosen ones (CSV)"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[PriceDelta]) -> HttpResponse:
        """Give the rows as a file; what a spreadsheet would take for a formula is text."""
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="price-deltas.csv"'
        writer = csv.writer(response)
        writer.writerow(_COLUMNS)
        for row in queryset[:MOST_EXPORTED]:
            values = {name: getattr(row, name) for name in _COLUMNS}
            values |= {"owner": mask_owner(row.owner), "reasons": " ".join(row.reasons)}
            writer.writerow([defused(value) for value in values.values()])
        return response


def _amount(minor: int | None, currency: str) -> str:
    return "–" if minor is None else format_money(Money(minor, currency))
