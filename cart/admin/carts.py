"""Staff's pages of carts: to find and to read. Nobody edits a shopper's cart, and no token is ever shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import F, Func, JSONField, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from cart import inspecting
from cart.admin.base import OwnedAdmin, ShopperFilter, receipt_words
from cart.models import CartRecord
from cart.offers import currency
from cart.wording import REASON_WORDS, notice_words
from shop.catalog.rules import canonical_sku_id
from shop.core import clock
from shop.core.money import Money
from shop.core.templatetags.trolley import format_money

GUEST_PREFIX = "g:"
IDLE = {"1": _("for a day"), "7": _("for a week"), "30": _("for a month")}
BANDS = {"low": (1, 2_000), "middle": (2_000, 10_000), "high": (10_000, None)}
"""Values of carts in minor units, from and below."""


class IdleFilter(admin.SimpleListFilter):
    """Carts with something in them that nobody has touched for a while."""

    title = _("idle")
    parameter_name = "idle"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
        return list(IDLE.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[CartRecord]) -> QuerySet[CartRecord]:
        if (value := self.value()) not in IDLE:
            return queryset
        before = clock.now() - timedelta(days=int(value or 0))
        return queryset.filter(state=CartRecord.State.ACTIVE, units__gt=0, last_activity_at__lt=before)


class ValueFilter(admin.SimpleListFilter):
    """Carts by what they are worth at the prices when added."""

    title = _("value")
    parameter_name = "value"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
        def name(minor: int) -> str:
            return format_money(Money(minor, currency()))

        below, above = BANDS["low"][1] or 0, BANDS["high"][0]
        return [
            ("low", gettext("below %(value)s") % {"value": name(below)}),
            ("middle", gettext("%(low)s to %(high)s") % {"low": name(below), "high": name(above)}),
            ("high", gettext("from %(value)s") % {"value": name(above)}),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CartRecord]) -> QuerySet[CartRecord]:
        band = BANDS.get(self.value() or "")
        if band is None:
            return queryset
        least, most = band
        # The bands are amounts of the default currency: nothing else can be compared with them.
        found = queryset.filter(state=CartRecord.State.ACTIVE, units__gt=0, value_minor__gte=least, currency=currency())
        return found if most is None else found.filter(value_minor__lt=most)


@admin.register(CartRecord)
class CartAdmin(OwnedAdmin):
    """Carts as last recorded; the page of one shows the live cart beside it."""

    change_form_template = "admin/cart/cart.html"
    list_display = ("who", "units", "value", "saved_lines", "state", "last_activity_at", "order_number")
    list_filter = (ShopperFilter, "state", IdleFilter, ValueFilter)
    ordering = ("-last_activity_at", "-id")
    search_fields = ("order_number",)
    search_help_text = _("Mail address, customer number, guest (g:9f3a1b), SKU or order, exactly")
    fields = (
        *("who", "state", "order_number", "units", "value", "currency", "last_activity_at", "recorded_at"),
        *("version", "content_version"),
    )

    @admin.display(description=_("value"), ordering="value_minor")
    def value(self, record: CartRecord) -> str:
        return format_money(Money(record.value_minor, record.currency))

    @admin.display(description=_("saved"))
    def saved_lines(self, record: CartRecord) -> int:
        return len(record.saved)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CartRecord], search_term: str
    ) -> tuple[QuerySet[CartRecord], bool]:
        """Find carts by whatever staff has at hand: all of it indexed, none of it a part of a word."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(user_id__in=self.find_customers(term))
        if term.startswith(GUEST_PREFIX):
            found |= Q(owner__startswith=term)
        if "\0" not in term:
            found |= Q(order_number=term)
        if sku_id := canonical_sku_id(term):
            queryset = queryset.annotate(skus=_skus("lines"), saved_skus=_skus("saved"))
            found |= Q(skus__contains=[sku_id]) | Q(saved_skus__contains=[sku_id])
        return queryset.filter(found), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if record is not None and self.has_view_permission(request, record):
            seen = inspecting.inspect(record=record, locale=get_language() or "", now=clock.now())
            extra |= {"seen": seen, "lag_seconds": seen.lag / 1_000_000, "notices": map(notice_words, seen.notices)}
            extra["changes"] = [
                (change, REASON_WORDS.get(change.reason, change.reason), map(receipt_words, change.receipt))
                for change in seen.changes
            ]
        return super().change_view(request, object_id, form_url, extra)


def _skus(field: str) -> Func:
    """Give the expression of the index `cart_by_sku`: the SKUs of a list."""
    template = "jsonb_path_query_array(%(expressions)s, '$[*].sku_id')"
    return Func(F(field), template=template, output_field=JSONField())
