"""Staff's pages of prices. Who set which is in each price's history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _

from pricing.admin.history import HistoryAdmin
from pricing.admin.importing import import_view
from pricing.admin.meeting import describe, meeting_words
from pricing.conf import conf
from pricing.models import Price
from pricing.overlaps import key_of, list_rivals
from shop.catalog import selectors as catalog
from shop.core import clock
from shop.core.money import Money
from shop.core.staff import FreshForm, QuickListAdmin


class PriceForm(FreshForm):
    """A price of a SKU that exists."""

    def clean_sku_id(self) -> str:
        """Refuse a SKU that the catalogue does not know."""
        sku_id: str = self.cleaned_data["sku_id"]
        if sku_id not in catalog.list_cards(sku_ids=[sku_id]):
            raise ValidationError(_("There is no SKU with this id."), code="sku_unknown")
        return sku_id

    def clean(self) -> dict[str, Any] | None:
        """Refuse an end before the beginning, at its field."""
        cleaned = super().clean()
        begins, ends = self.cleaned_data.get("valid_from"), self.cleaned_data.get("valid_until")
        if begins and ends and ends <= begins:
            self.add_error("valid_until", _("The end must be later than the beginning."))
        same = _rivals(self.cleaned_data, but=self.instance).filter(valid_from=begins).first() if begins else None
        if same is not None:
            said = _("From the same moment there is the price %(price)s: change that one, or begin at another moment.")
            self.add_error("valid_from", said % {"price": describe(same)})
        return cleaned


def _rivals(given: dict[str, Any], *, but: Price) -> QuerySet[Price]:
    """List the other prices of the same SKU, currency and segment."""
    key = {name: given.get(name, "") for name in ("sku_id", "currency", "segment")}
    found = Price.objects.filter(**key)
    return found.exclude(pk=but.pk) if but.pk else found


class ValidNowFilter(admin.SimpleListFilter):
    """Prices by whether they are valid at this moment."""

    title = _("validity")
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("now", _("valid now")), ("later", _("later")), ("over", _("over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> QuerySet[Price]:
        now = clock.now()
        match self.value():
            case "now":
                return queryset.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=now), valid_from__lte=now)
            case "later":
                return queryset.filter(valid_from__gt=now)
            case "over":
                return queryset.filter(valid_until__lte=now)
        return queryset


@admin.register(Price)
class PriceAdmin(HistoryAdmin, QuickListAdmin):
    """Prices. One that was ever in force is kept: set an end, or a later price."""

    form = PriceForm
    list_display = ("sku_id", "amount", "currency", "segment", "valid_from", "valid_until")
    list_filter = (ValidNowFilter, "currency", "segment")
    search_fields = ("sku_id",)
    search_help_text = _("SKU")
    change_list_template = "admin/pricing/prices.html"
    readonly_fields = ("changes",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="pricing_price_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file of prices, show what it does, and do it when that is confirmed.

        :raises PermissionDenied: if the member of staff may not add prices.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        return import_view(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": conf().currency, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's
        """Save, and name the prices that it meets: the one that began last is in force."""
        super().save_model(request, obj, form, change)
        for said in meeting_words(obj, list_rivals([obj])[key_of(obj)]):
            self.message_user(request, said, messages.INFO)

    @admin.display(description=_("price"), ordering="unit_price_minor")
    def amount(self, price: Price) -> str:
        return Money(price.unit_price_minor, price.currency).format(to_locale(get_language() or "en"))

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and obj is not None and obj.valid_from > clock.now()
