"""Staff's pages of payments, refunds, the inbox and keyed requests: to read, and to decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from shop.checkout import selectors, services
from shop.checkout.conf import conf
from shop.checkout.messages import format_money
from shop.checkout.models import IdempotencyRecord, Payment, RefundRequest, WebhookEvent, WebhookState
from shop.checkout.types import PaymentState
from shop.checkout.watching import UNDECIDED_AFTER
from shop.core import clock
from shop.core.errors import Refusal, RejectedError
from shop.core.money import Money
from shop.core.privacy import mask_owner
from shop.core.staff import ReadOnlyAdmin, change_page
from shop.core.words import detail_words, words


def _staff(request: HttpRequest) -> int:
    """Give the number of the member of staff who asks; the admin has signed them in."""
    return int(request.user.pk or 0)


class RefundForm(forms.Form):
    """Why a payment is given back."""

    reason = forms.CharField(
        label=_("Reason"), max_length=300, help_text=_("For staff and the books, not the customer.")
    )


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
                return queryset.filter(undecided, created_at__lt=clock.now() - UNDECIDED_AFTER)
        return queryset


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Each try to pay. Amount and checkout are kept by a trigger; states move by what the provider says."""

    list_display = ("payment_id", "amount", "state", "reason", "what", "created_at", "provider", "provider_reference")
    list_filter = ("state", "provider", PaymentFilter)
    list_select_related = ("order",)
    date_hierarchy = "created_at"
    search_fields = ("=payment_id", "=checkout__checkout_id", "=provider_reference")
    search_help_text = _("Payment, checkout or provider's reference, exactly")
    fields = (
        *("payment_id", "what", "amount", "state", "reason", "method", "provider", "provider_reference"),
        *("quote_number", "created_at", "settled_at", "next_check_at", "checks", "refund_link"),
    )
    actions = ("check_with_provider", "attach_to_order")

    @admin.display(description=_("order or checkout"))
    def what(self, row: Payment) -> str:
        order = getattr(row, "order", None)
        if order is not None:
            return format_html('<a href="{}">{}</a>', change_page("checkout_order", order.pk), order.pk)
        url = change_page("checkout_checkout", row.checkout_id)
        return format_html('<a href="{}">{}</a>', url, row.checkout_id)

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, row: Payment) -> str:
        return format_money(Money(row.amount_minor, row.currency))

    @admin.display(description=_("refund"))
    def refund_link(self, row: Payment) -> str:
        if row.state not in (PaymentState.SUCCEEDED.value, PaymentState.REVIEW.value):
            return "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:checkout_payment_refund", args=[row.pk]), _("Refund"))

    def get_urls(self) -> list[URLPattern]:
        refund = path(
            "<str:payment_id>/refund/", self.admin_site.admin_view(self.refund_view), name="checkout_payment_refund"
        )
        return [refund, *super().get_urls()]

    def refund_view(self, request: HttpRequest, payment_id: str) -> HttpResponse:
        """Ask for a reason and have the payment given back, or a second person asked.

        :raises PermissionDenied: if the member of staff may not refund.
        :raises Http404: if there is no such payment.
        """
        if not request.user.has_perm("checkout.refund_payment"):
            raise PermissionDenied
        payment = Payment.objects.filter(pk=payment_id).first()
        if payment is None:
            raise Http404
        form = RefundForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._refund(request, payment, form):
            return HttpResponseRedirect(change_page("checkout_payment", payment_id))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Refund"),
            "subtitle": payment_id,
            "amount": self.amount(payment),
            "needs_second": payment.amount_minor > conf().refund_limit_minor,
            "form": form,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/checkout/refund.html", context, status=422 if form.errors else 200)

    def _refund(self, request: HttpRequest, payment: Payment, form: RefundForm) -> bool:
        try:
            with transaction.atomic(durable=True):
                needs_second = services.ask_refund(
                    payment_id=payment.pk, reason=form.cleaned_data["reason"], by=_staff(request), now=clock.now()
                )
                said = "Refund asked for" if needs_second else "Refund due"
                self.log_change(request, payment, f"{said}: {form.cleaned_data['reason']}")
        except RejectedError as refusal:
            for detail in refusal.errors:
                form.add_error("reason", detail_words(detail))
            return False
        except Refusal as refusal:
            form.add_error(None, words(refusal).detail)
            return False
        sentence = _("A second person has to agree now.") if needs_second else _("The refund is on its way.")
        self.message_user(request, sentence, messages.SUCCESS)
        return True

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Tell who may settle payments in review."""
        return request.user.has_perm("checkout.review_payment")

    @admin.action(description=_("Attach to order"), permissions=["review"])
    def attach_to_order(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        """Settle what the provider's books say is paid, in full and for this checkout."""
        for row in queryset:
            try:
                outcome = services.look_up(payment_id=row.pk)
                with transaction.atomic(durable=True):
                    number = services.attach_payment(payment_id=row.pk, outcome=outcome, now=clock.now())
                    self.log_change(request, row, f"Attached to order: {number or 'none, refund due'}")
            except Refusal as refusal:
                self.message_user(request, f"{row.pk}: {words(refusal).detail}", messages.ERROR)
                continue
            if number:
                services.finish_order(number=number, now=clock.now())
            said = number or gettext("the order could not be made any more; the refund is due")
            self.message_user(request, f"{row.pk}: {said}", messages.SUCCESS if number else messages.WARNING)

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


@admin.register(RefundRequest)
class RefundRequestAdmin(ReadOnlyAdmin):
    """Refunds that were asked for. A large one waits here for a second person."""

    list_display = ("payment", "amount", "reason", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state", "needs_second")
    list_select_related = ("payment",)
    date_hierarchy = "asked_at"
    search_fields = ("=payment__payment_id",)
    search_help_text = _("Payment, exactly")
    fields = (*list_display, "needs_second")
    actions = ("approve", "refuse")

    @admin.display(description=_("amount"), ordering="payment__amount_minor")
    def amount(self, row: RefundRequest) -> str:
        return format_money(Money(row.payment.amount_minor, row.payment.currency))

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """Tell who may agree to refunds."""
        return request.user.has_perm("checkout.approve_refund")

    @admin.action(description=_("Agree to the refund"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[RefundRequest]) -> None:
        self._decide(request, queryset, approve=True)

    @admin.action(description=_("Refuse the refund"), permissions=["approve"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[RefundRequest]) -> None:
        self._decide(request, queryset, approve=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[RefundRequest], *, approve: bool) -> None:
        for row in queryset:
            try:
                with transaction.atomic(durable=True):
                    services.decide_refund(request_id=row.pk, approve=approve, by=_staff(request), now=clock.now())
                    self.log_change(request, row, "Agreed" if approve else "Refused")
            except Refusal as refusal:
                self.message_user(request, f"{row}: {words(refusal).detail}", messages.ERROR)
            else:
                said = gettext("the refund is on its way") if approve else gettext("refused")
                self.message_user(request, f"{row}: {said}", messages.SUCCESS)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """The inbox. Bodies are not shown."""

    list_display = ("received_at", "kind", "state", "attempts", "error", "object_id", "event_id", "provider")
    list_filter = ("state", "provider")
    date_hierarchy = "received_at"
    search_fields = ("=event_id", "=object_id")
    search_help_text = _("Event or object, exactly")
    fields = (
        *("provider", "event_id", "kind", "object_id", "state", "attempts", "error"),
        *("received_at", "next_try_at", "processed_at"),
    )
    actions = ("retry", "give_up")

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

    @admin.action(description=_("Give parked events up"), permissions=["retry"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        closed = 0
        for event in queryset.filter(state=WebhookState.PARKED):
            with transaction.atomic(durable=True):
                if services.give_up_webhook(event_id=event.pk, now=clock.now()):
                    self.log_change(request, event, "Given up")
                    closed += 1
        sentence = ngettext("%(count)d event given up.", "%(count)d events given up.", closed)
        self.message_user(request, sentence % {"count": closed}, messages.SUCCESS)


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
