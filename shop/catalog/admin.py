"""Staff's pages of products and SKUs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import get_language, ngettext, to_locale
from django.utils.translation import gettext_lazy as _

from inventory import selectors as inventory
from inventory.types import Availability
from pricing import selectors as pricing
from shop.catalog import services
from shop.catalog.models import Product, Sku
from shop.catalog.pictures import picture_url
from shop.core import clock
from shop.core.money import Money
from shop.core.staff import FreshForm, Inline, QuickListAdmin


class SkuInline(Inline):
    """The SKUs on their product's page: a way to them, and their order."""

    model = Sku
    extra = 0
    can_delete = False
    show_change_link = True
    fields = ("sku_id", "chosen", "position", "is_sellable")
    readonly_fields = ("sku_id", "chosen")
    ordering = ("position", "id")

    def has_add_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False

    @admin.display(description=_("options"))
    def chosen(self, sku: Sku) -> str:
        return ", ".join(f"{name}: {value}" for name, value in sku.options) or "–"


@admin.register(Product)
class ProductAdmin(QuickListAdmin):
    """Products. One with SKUs cannot be deleted: Django names them."""

    form = FreshForm
    list_display = ("picture", "title", "category", "position", "skus_sold")
    list_display_links = ("title",)
    list_filter = ("category",)
    search_fields = ("title", "slug", "skus__sku_id")
    search_help_text = _("Title, address or SKU")
    prepopulated_fields = {"slug": ("title",)}
    inlines = (SkuInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        counted = Count("skus", filter=Q(skus__is_sellable=True), distinct=True)
        products: QuerySet[Product] = super().get_queryset(request)
        return products.annotate(skus_sold=counted)

    @admin.display(description=_("picture"))
    def picture(self, product: Product) -> str:
        return format_html('<img src="{}" width="40" height="40" alt="" loading="lazy">', picture_url(product.slug))

    @admin.display(description=_("SKUs sold"), ordering="skus_sold")
    def skus_sold(self, product: Any) -> int:  # noqa: ANN401 - annotated
        return int(product.skus_sold)


class LowStockFilter(admin.SimpleListFilter):
    """SKUs of which few units, or none, are available."""

    title = _("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("low", _("low or none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Sku]) -> QuerySet[Sku]:
        return queryset.exclude(sku_id__in=inventory.list_plenty()) if self.value() == "low" else queryset


class SkuChangeList(ChangeList):
    """The list of SKUs with the prices and the stock of its page: two queries, whatever the number of rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        skus = list(self.result_list)
        sku_ids = [sku.sku_id for sku in skus]
        currency = settings.PRICING.currency
        prices = pricing.current_prices(sku_ids=sku_ids, currency=currency, now=clock.now())
        stock = inventory.availability(sku_ids=sku_ids)
        for sku in skus:
            sku.shown_price = prices.get(sku.sku_id)
            sku.shown_stock = stock[sku.sku_id]
        self.result_list = skus


@admin.register(Sku)
class SkuAdmin(QuickListAdmin):
    """SKUs. Their id is fixed once made, and none is ever deleted: carts, orders and the ledger name it."""

    form = FreshForm
    list_display = ("sku_id", "sku_title", "price", "on_hand", "reserved", "available", "stock_state", "is_sellable")
    list_filter = ("is_sellable", "product__category", LowStockFilter)
    list_select_related = ("product",)
    search_fields = ("sku_id", "product__title")
    search_help_text = _("SKU or title")
    autocomplete_fields = ("product",)
    actions = ("stop_selling", "start_selling")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ANN401 - Django's signature
        return SkuChangeList

    def get_readonly_fields(self, request: HttpRequest, obj: Sku | None = None) -> tuple[str, ...]:
        return ("sku_id", "stock_links") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Sku | None = None) -> tuple[str, ...]:
        fields = ("sku_id", "product", "options", "position", "is_sellable", "opened_with")
        return (*fields, "stock_links") if obj else fields

    def has_delete_permission(self, request: HttpRequest, obj: Sku | None = None) -> bool:
        return False

    @admin.display(description=_("title"), ordering="product__title")
    def sku_title(self, sku: Sku) -> str:
        return sku.title

    @admin.display(description=_("price"))
    def price(self, sku: Any) -> str:  # noqa: ANN401 - filled in by SkuChangeList
        price: Money | None = sku.shown_price
        return price.format(to_locale(get_language() or "en")) if price else "–"

    @admin.display(description=_("on hand"))
    def on_hand(self, sku: Any) -> int:  # noqa: ANN401 - filled in by SkuChangeList
        return _stock(sku).on_hand

    @admin.display(description=_("reserved"))
    def reserved(self, sku: Any) -> int:  # noqa: ANN401 - filled in by SkuChangeList
        return _stock(sku).on_hand - _stock(sku).available

    @admin.display(description=_("available"))
    def available(self, sku: Any) -> int:  # noqa: ANN401 - filled in by SkuChangeList
        return _stock(sku).available

    @admin.display(description=_("state"))
    def stock_state(self, sku: Any) -> str:  # noqa: ANN401 - filled in by SkuChangeList
        return _stock(sku).state.value.replace("_", " ")

    @admin.display(description=_("stock"))
    def stock_links(self, sku: Sku) -> str:
        return format_html(
            '<a href="{}">{}</a> · <a href="{}">{}</a> · <a href="{}?q={}">{}</a>',
            reverse("stock_availability", args=[sku.sku_id]),
            _("Availability"),
            reverse("admin:inventory_stockitem_adjust", args=[sku.sku_id]),
            _("Adjust"),
            reverse("admin:inventory_stockentry_changelist"),
            sku.sku_id,
            _("Ledger"),
        )

    @admin.action(description=_("Stop selling"), permissions=["change"])
    def stop_selling(self, request: HttpRequest, queryset: QuerySet[Sku]) -> None:
        """Take the chosen SKUs off sale; carts keep them, named as no longer sold."""
        with transaction.atomic():
            changed = services.stop_selling(sku_ids=list(queryset.values_list("sku_id", flat=True)))
            self._tell(request, changed, "Stopped selling")
        self.message_user(
            request,
            ngettext("%(count)d SKU is no longer sold.", "%(count)d SKUs are no longer sold.", len(changed))
            % {"count": len(changed)},
            messages.SUCCESS,
        )

    @admin.action(description=_("Sell again"), permissions=["change"])
    def start_selling(self, request: HttpRequest, queryset: QuerySet[Sku]) -> None:
        """Put the chosen SKUs on sale."""
        with transaction.atomic():
            changed = services.start_selling(sku_ids=list(queryset.values_list("sku_id", flat=True)))
            self._tell(request, changed, "Started selling")
        self.message_user(
            request,
            ngettext("%(count)d SKU is sold again.", "%(count)d SKUs are sold again.", len(changed))
            % {"count": len(changed)},
            messages.SUCCESS,
        )

    def _tell(self, request: HttpRequest, sku_ids: tuple[str, ...], what: str) -> None:
        for sku in Sku.objects.filter(sku_id__in=sku_ids):
            self.log_change(request, sku, what)


def _stock(sku: Any) -> Availability:  # noqa: ANN401 - filled in by SkuChangeList
    stock: Availability = sku.shown_stock
    return stock
