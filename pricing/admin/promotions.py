"""Staff's pages of promotions and segments, and the preview: what a cart costs, for whom, when, and why."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pricing import selectors
from pricing.admin.history import HistoryAdmin
from pricing.conf import conf
from pricing.models import CustomerSegment, Promotion, PromotionUse
from pricing.types import Demand, PriceQuote, ReductionKind
from shop.catalog import selectors as catalog
from shop.core import clock
from shop.core.money import Money
from shop.core.staff import FreshForm, QuickListAdmin, ReadOnlyAdmin
from shop.core.templatetags.trolley import format_money

_ALL = 100


class PromotionForm(FreshForm):
    """A promotion that makes sense; what does not is said at its field."""

    def clean(self) -> dict[str, Any] | None:
        """Refuse impossible values, and SKUs that the catalogue does not know."""
        cleaned = super().clean()
        given = self.cleaned_data
        begins, ends = given.get("valid_from"), given.get("valid_until")
        if begins and ends and ends <= begins:
            self.add_error("valid_until", _("The end must be later than the beginning."))
        if given.get("kind") == ReductionKind.PERCENT.value and (given.get("value") or 0) > _ALL:
            self.add_error("value", _("At most 100 percent."))
        needs_free = given.get("kind") == ReductionKind.BUY_X_GET_Y.value
        if bool(given.get("free")) is not needs_free:
            self.add_error("free", _("Free units are for “buy some, get the cheapest free”, at least 1 there."))
        is_amount = given.get("kind") in (ReductionKind.AMOUNT.value, ReductionKind.FIXED_PRICE.value)
        if not given.get("currency") and (is_amount or given.get("minimum_minor")):
            self.add_error("currency", _("An amount or a minimum needs a currency."))
        wanted = given.get("sku_ids") or []
        if missing := sorted(set(wanted) - set(catalog.list_cards(sku_ids=wanted))):
            self.add_error("sku_ids", _("There is no SKU %(ids)s.") % {"ids": ", ".join(missing)})
        # The row is locked by now (`FreshForm`), so nobody uses one more before this is saved.
        most, used = given.get("max_uses"), self.instance.used if self.instance.pk else 0
        if most is not None and most < used:
            self.add_error("max_uses", _("It has been used %(used)d times already.") % {"used": used})
        return cleaned


class RunningFilter(admin.SimpleListFilter):
    """Promotions by whether they run at this moment."""

    title = _("validity")
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("now", _("running")), ("later", _("later")), ("over", _("over or switched off"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Promotion]) -> QuerySet[Promotion]:
        now = clock.now()
        match self.value():
            case "now":
                begun = queryset.filter(valid_from__lte=now, is_active=True)
                return begun.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=now))
            case "later":
                return queryset.filter(valid_from__gt=now, is_active=True)
            case "over":
                return queryset.filter(Q(valid_until__lte=now) | Q(is_active=False))
        return queryset


class PreviewForm(forms.Form):
    """What is asked about."""

    sku_id = forms.CharField(label=_("SKU"), max_length=64)
    quantity = forms.IntegerField(label=_("Quantity"), min_value=1, max_value=999, initial=1)
    customer = forms.IntegerField(
        label=_("Customer"), required=False, min_value=1, help_text=_("Their number. Empty: a guest.")
    )
    code = forms.CharField(label=_("Discount code"), required=False, max_length=64)
    at = forms.DateTimeField(label=_("Moment"), required=False, help_text=_("Empty: now."))


@admin.register(Promotion)
class PromotionAdmin(HistoryAdmin, QuickListAdmin):
    """Promotions. One that ever ran is kept: switch it off, or set an end."""

    form = PromotionForm
    list_display = (
        *("name", "rule", "scope", "segment", "needs_code", "uses", "is_active", "valid_from", "valid_until"),
    )
    readonly_fields = ("used", "changes")
    list_filter = (RunningFilter, "needs_code", "kind", "segment")
    search_fields = ("name",)
    search_help_text = _("Name")
    change_list_template = "admin/pricing/promotions.html"

    def get_urls(self) -> list[URLPattern]:
        preview = path("preview/", self.admin_site.admin_view(self.preview_view), name="pricing_preview")
        return [preview, *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Promotion | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and obj is not None and obj.valid_from > clock.now() and not obj.codes.exists()

    @admin.display(description=_("rule"))
    def rule(self, promotion: Promotion) -> str:
        match ReductionKind(promotion.kind):
            case ReductionKind.PERCENT:
                return gettext("%(value)d %% off") % {"value": promotion.value}
            case ReductionKind.BUY_X_GET_Y:
                numbers = {"value": promotion.value, "free": promotion.free}
                return gettext("buy %(value)d, get %(free)d free") % numbers
            case kind:
                amount = format_money(Money(promotion.value, promotion.currency))
                words = gettext("%(amount)s off") if kind is ReductionKind.AMOUNT else gettext("%(amount)s each")
                return words % {"amount": amount}

    @admin.display(description=_("used"))
    def uses(self, promotion: Promotion) -> str:
        has_limit = promotion.max_uses is not None or promotion.max_uses_each is not None
        most = "∞" if promotion.max_uses is None else promotion.max_uses
        return f"{promotion.used} / {most}" if has_limit or promotion.used else "–"

    @admin.display(description=_("for"))
    def scope(self, promotion: Promotion) -> str:
        names = [*promotion.categories, *promotion.products, *promotion.sku_ids]
        return ", ".join(names[:3]) + ("…" if len(names) > 3 else "") or gettext("everything")  # noqa: PLR2004 - a glance

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what some units of one SKU cost, for whom, when, and why. Nothing is changed.

        :raises PermissionDenied: if the member of staff may not see promotions.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = PreviewForm(request.GET or None)
        quote = self._quote(form) if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Preview of a price"),
            "opts": self.opts,
            "form": form,
            "quote": quote,
        }
        return TemplateResponse(request, "admin/pricing/preview.html", context)

    def _quote(self, form: PreviewForm) -> PriceQuote | None:
        asked = form.cleaned_data
        owner = f"u:{asked['customer']}" if asked["customer"] else "g:preview"
        code_id = selectors.find_code(text=asked["code"], owner=owner) if asked["code"] else None
        if asked["code"] and code_id is None:
            form.add_error("code", _("There is no such discount code for this customer."))
            return None
        quote = selectors.quote(
            demands=[Demand(asked["sku_id"], asked["quantity"])],
            currency=conf().currency,
            now=asked["at"] or clock.now(),
            owner=owner,
            code_ids=[code_id] if code_id else [],
        )
        if quote.unpriced:
            form.add_error("sku_id", _("This SKU has no price at that moment."))
            return None
        return quote


@admin.register(PromotionUse)
class PromotionUseAdmin(ReadOnlyAdmin):
    """Who used which limited promotion: claimed by a payment, final with the order, or given back."""

    list_display = ("promotion", "checkout_id", "order_number", "claimed_at", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter), ("order_number", admin.EmptyFieldListFilter))
    list_select_related = ("promotion",)
    date_hierarchy = "claimed_at"
    search_fields = ("=checkout_id", "=order_number", "promotion__name__startswith")
    search_help_text = _("Checkout or order, exactly; or the beginning of a promotion's name")
    fields = ("promotion", "checkout_id", "order_number", "claimed_at", "released_at")


@admin.register(CustomerSegment)
class CustomerSegmentAdmin(QuickListAdmin):
    """Which segment a customer belongs to: its prices go before the list prices, its promotions are theirs."""

    list_display = ("user_id", "segment")
    list_filter = ("segment",)
    search_fields = ("=user_id",)
    search_help_text = _("Number of the customer")

    def get_readonly_fields(self, request: HttpRequest, obj: CustomerSegment | None = None) -> tuple[str, ...]:
        return ("user_id",) if obj else ()
