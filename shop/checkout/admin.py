"""Staff's pages of checkouts, orders, payments and what came from outside: to read, and a few things to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from shop.checkout import selectors, services
from shop.checkout.messages import format_money
from shop.checkout.models import (
    Checkout,
    CheckoutLine,
    IdempotencyRecord,
    Order,
    OrderLine,
    Payment,
    WebhookEvent,
    WebhookState,
)
from shop.checkout.types import PaymentState
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.money import Money
from shop.core.privacy import mask, mask_owner
from shop.core.staff import Inline, ReadOnlyAdmin

UNMATCHED_AFTER = timedelta(minutes=5)


class PersonalAdmin(ReadOnlyAdmin):
    """A list in which people are masked, and a page that shows them to those who may see it, and notes that it did."""

    personal_fields: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ANN401 - Django's signature
        fields = list(super().get_fields(request, obj))
        return fields if self._may_see(request) else [name for name in fields if name not in self.personal_fields]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is not None and self._may_see(request) and self.has_view_permission(request, row):
            self.log_change(request, row, "Personal data shown")
        return super().change_view(request, object_id, form_url, extra_context)

    def _may_see(self, request: HttpRequest) -> bool:
        return request.user.has_perm("checkout.view_pii")

    @admin.display(description=_("mail address"))
    def masked_email(self, row: Any) -> str:  # noqa: ANN401 - checkout or order
        return mask(row.email) if row.email else "–"

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
class CheckoutAdmin(PersonalAdmin):
    """Who is buying what, and how far they are."""

    list_display = (
        *("checkout_id", "who", "masked_email", "state", "step", "total", "reservation_link", "lock_expires_at"),
        "created_at",
    )
    list_filter = ("state",)
    date_hierarchy = "created_at"
    search_fields = ("=checkout_id", "=email", "=reservation_id")
    search_help_text = _("Checkout, reservation or mail address, exactly")
    personal_fields = ("email", "address")
    fields = (
        *("checkout_id", "who", "masked_email", "email", "address", "state", "step", "total", "reservation_link"),
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
            reverse("admin:inventory_reservation_change", args=[row.reservation_id]),
            row.reservation_id,
        )


@admin.register(Order)
class OrderAdmin(PersonalAdmin):
    """What was bought. A trigger keeps orders as they are."""

    list_display = ("number", "placed_at", "who", "masked_email", "total", "paid", "checkout_link")
    list_filter = ("payment__state",)
    list_select_related = ("payment",)
    date_hierarchy = "placed_at"
    search_fields = ("=number", "=email", "=checkout__checkout_id", "=payment__provider_reference")
    search_help_text = _("Order, checkout, mail address or provider's reference, exactly")
    personal_fields = ("email", "address")
    fields = (
        *("number", "placed_at", "who", "masked_email", "email", "address", "total", "paid", "payment_link"),
        *("checkout_link", "language", "cart_cleared_at"),
    )
    inlines = (OrderLineInline,)

    @admin.display(description=_("payment"))
    def paid(self, row: Order) -> str:
        return str(row.payment.state)

    @admin.display(description=_("payment"))
    def payment_link(self, row: Order) -> str:
        url = reverse("admin:checkout_payment_change", args=[row.payment_id])
        return format_html('<a href="{}">{}</a>', url, row.payment_id)

    @admin.display(description=_("checkout"))
    def checkout_link(self, row: Order) -> str:
        url = reverse("admin:checkout_checkout_change", args=[row.checkout_id])
        return format_html('<a href="{}">{}</a>', url, row.checkout_id)


class PaymentFilter(admin.SimpleListFilter):
    """Payments that want attention."""

    title = _("attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("review", _("to review")), ("refund", _("refund due")), ("waiting", _("undecided for 5 minutes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        match self.value():
            case "review":
                return queryset.filter(state=PaymentState.REVIEW.value)
            case "refund":
                return queryset.filter(state=PaymentState.REFUND_DUE.value)
            case "waiting":
                undecided = Q(state__in=["created", "processing", "requires_action"])
                return queryset.filter(undecided, created_at__lt=clock.now() - UNMATCHED_AFTER)
        return queryset


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Each try to pay. Amount and checkout are kept by a trigger; states move by what the provider says."""

    list_display = ("payment_id", "what", "amount", "state", "reason", "provider", "provider_reference", "created_at")
    list_filter = ("state", "provider", PaymentFilter)
    list_select_related = ("order",)
    date_hierarchy = "created_at"
    search_fields = ("=payment_id", "=checkout__checkout_id", "=provider_reference")
    search_help_text = _("Payment, checkout or provider's reference, exactly")
    fields = (
        *("payment_id", "what", "amount", "state", "reason", "method", "provider", "provider_reference"),
        *("quote_number", "created_at", "settled_at", "next_check_at", "checks"),
    )
    actions = ("check_with_provider",)

    @admin.display(description=_("order or checkout"))
    def what(self, row: Payment) -> str:
        order = getattr(row, "order", None)
        if order is not None:
            return format_html('<a href="{}">{}</a>', reverse("admin:checkout_order_change", args=[order.pk]), order.pk)
        url = reverse("admin:checkout_checkout_change", args=[row.checkout_id])
        return format_html('<a href="{}">{}</a>', url, row.checkout_id)

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, row: Payment) -> str:
        return format_money(Money(row.amount_minor, row.currency))

    def has_check_permission(self, request: HttpRequest) -> bool:
        """Tell who may ask the provider."""
        return request.user.has_perm("checkout.check_payment")

    @admin.action(description=_("Check with provider"), permissions=["check"])
    def check_with_provider(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        for row in queryset.select_related("checkout"):
            principal = selectors.principal_of(row.checkout.owner)
            try:
                services.check_payment(
                    checkout_id=row.checkout_id,
                    payment_id=row.payment_id,
                    principal=principal,
                    now=clock.now(),
                )
            except Refusal as refusal:
                said = refusal.code
            else:
                said = "checked"
            row.refresh_from_db()
            self.log_change(request, row, f"Checked with provider: {said}, {row.state}")
            self.message_user(request, f"{row.payment_id}: {row.state}", messages.INFO)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """The inbox. Bodies are not shown."""

    list_display = ("received_at", "provider", "kind", "object_id", "state", "attempts", "error", "event_id")
    list_filter = ("state", "provider")
    date_hierarchy = "received_at"
    search_fields = ("=event_id", "=object_id")
    search_help_text = _("Event or object, exactly")
    fields = (
        *("provider", "event_id", "kind", "object_id", "state", "attempts", "error"),
        *("received_at", "next_try_at", "processed_at"),
    )
    actions = ("retry",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell who may take parked events up again."""
        return request.user.has_perm("checkout.retry_webhook")

    @admin.action(description=_("Try parked events again"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        parked = list(queryset.filter(state=WebhookState.PARKED))
        for event in parked:
            services.retry_webhook(event_id=event.pk, now=clock.now())
            self.log_change(request, event, "Tried again")
        sentence = ngettext("%(count)d event tried again.", "%(count)d events tried again.", len(parked))
        self.message_user(request, sentence % {"count": len(parked)}, messages.SUCCESS)


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnlyAdmin):
    """Keyed requests. Answers and whole keys are not shown."""

    list_display = ("created_at", "route", "who", "key_start", "state", "attempt", "status", "lease_until")
    list_filter = ("state",)
    search_fields = ("^key",)
    search_help_text = _("Beginning of the key")
    fields = list_display

    @admin.display(description=_("principal"))
    def who(self, record: IdempotencyRecord) -> str:
        return mask_owner(record.principal)

    @admin.display(description=_("key"))
    def key_start(self, record: IdempotencyRecord) -> str:
        return f"{record.key[:8]}…"
