"""Staff's pages of checkouts and orders, to read; people are masked."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.checkout.admin.charges import report
from shop.checkout.messages import format_money
from shop.checkout.models import Checkout, CheckoutLine, Order, OrderLine
from shop.core.money import Money
from shop.core.privacy import mask_owner
from shop.core.staff import Inline, PersonalAdmin, change_page


class BuyerAdmin(PersonalAdmin):
    """Rows of somebody who buys."""

    @admin.display(description=_("address"))
    def delivered_to(self, row: Any) -> SafeString | str:  # noqa: ANN401 - checkout or order
        """Write the address as on a parcel; in a checkout it may not be known yet."""
        names = ("name", "line1", "line2", "city", "region", "postcode", "country")
        return (
            format_html_join(mark_safe("<br>"), "{}", ((row.address[name],) for name in names if row.address.get(name)))
            or "–"
        )

    @admin.display(description=_("who"))
    def who(self, row: Any) -> str:  # noqa: ANN401 - checkout or order
        return mask_owner(row.owner)

    @admin.display(description=_("total"), ordering="total_minor")
    def total(self, row: Any) -> str:  # noqa: ANN401 - checkout or order
        return format_money(Money(row.total_minor, row.currency))


class LineInline(Inline):
    """Lines, to read."""

    extra = 0
    can_delete = False
    fields = ("sku_id", "title", "quantity", "unit_price", "line_total")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature
        return False

    def currency_of(self, line: Any) -> str:  # noqa: ANN401 - a line of either kind
        """Tell the currency of a line's aggregate."""
        raise NotImplementedError

    @admin.display(description=_("unit price"))
    def unit_price(self, line: Any) -> str:  # noqa: ANN401 - a line of either kind
        return format_money(Money(line.unit_price_minor, self.currency_of(line)))

    @admin.display(description=_("line total"))
    def line_total(self, line: Any) -> str:  # noqa: ANN401 - a line of either kind
        return format_money(Money(line.line_total_minor, self.currency_of(line)))


class CheckoutLineInline(LineInline):
    """Lines of the frozen quote."""

    model = CheckoutLine

    def currency_of(self, line: CheckoutLine) -> str:
        return str(line.checkout.currency)


class OrderLineInline(LineInline):
    """Lines that were bought."""

    model = OrderLine

    def currency_of(self, line: OrderLine) -> str:
        return str(line.order.currency)


@admin.register(Checkout)
class CheckoutAdmin(BuyerAdmin):
    """Who is buying what, and how far they are."""

    list_display = (
        *("checkout_id", "who", "masked_email", "state", "step", "total", "reservation_link", "lock_expires_at"),
        "created_at",
    )
    list_filter = ("state",)
    date_hierarchy = "created_at"
    search_fields = ("=checkout_id", "=email", "=reservation_id")
    search_help_text = _("Checkout, reservation or mail address, exactly")
    personal_fields = ("email", "delivered_to")
    fields = (
        *("checkout_id", "who", "masked_email", "email", "delivered_to", "state", "step", "total", "reservation_link"),
        *("lock_expires_at", "cart_content_version", "quote_number", "version", "consent_reminders"),
        *("created_at", "updated_at", "ended_at", "end_cause"),
    )
    inlines = (CheckoutLineInline,)

    @admin.display(description=_("step"))
    def step(self, row: Checkout) -> str:
        if not row.email or not row.address:
            return gettext("delivery")
        return gettext("payment")

    @admin.display(description=_("reservation"))
    def reservation_link(self, row: Checkout) -> str:
        if not row.reservation_id:
            return "–"
        return format_html(
            '<a href="{}">{}</a>',
            change_page("inventory_reservation", row.reservation_id),
            row.reservation_id,
        )


@admin.register(Order)
class OrderAdmin(BuyerAdmin):
    """What was bought. A trigger keeps orders as they are."""

    list_display = ("number", "placed_at", "who", "masked_email", "total", "paid", "checkout_link")
    list_filter = ("payment__state",)
    list_select_related = ("payment",)
    date_hierarchy = "placed_at"
    search_fields = ("=number", "=email", "=checkout__checkout_id", "=payment__provider_reference")
    search_help_text = _("Order, checkout, mail address or provider's reference, exactly")
    personal_fields = ("email", "delivered_to")
    fields = (
        *("number", "placed_at", "who", "masked_email", "email", "delivered_to", "total", "paid", "payment_link"),
        *("checkout_link", "deltas_link", "language", "cart_cleared_at"),
    )
    inlines = (OrderLineInline,)
    change_list_template = "admin/checkout/orders.html"

    def get_urls(self) -> list[URLPattern]:
        charges = path("charges/", self.admin_site.admin_view(self.charges_view), name="checkout_order_charges")
        return [charges, *super().get_urls()]

    def charges_view(self, request: HttpRequest) -> HttpResponse:
        """Show which orders cost something else than their lines did when they were added, and why."""
        return report(request, {**self.admin_site.each_context(request), "opts": self.opts})

    @admin.display(description=_("price deltas"))
    def deltas_link(self, row: Order) -> str:
        url = reverse("admin:pricing_pricedelta_changelist")
        return format_html('<a href="{}?q={}">{}</a>', url, row.pk, gettext("What its prices did"))

    @admin.display(description=_("payment"))
    def paid(self, row: Order) -> str:
        return str(row.payment.state)

    @admin.display(description=_("payment"))
    def payment_link(self, row: Order) -> str:
        url = change_page("checkout_payment", row.payment_id)
        return format_html('<a href="{}">{}</a>', url, row.payment_id)

    @admin.display(description=_("checkout"))
    def checkout_link(self, row: Order) -> str:
        url = change_page("checkout_checkout", row.checkout_id)
        return format_html('<a href="{}">{}</a>', url, row.checkout_id)
