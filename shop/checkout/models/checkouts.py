"""A checkout and its frozen quote."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from shop.checkout.types import CheckoutState

STATES = [(state.value, state.value) for state in CheckoutState]
LIVE = (CheckoutState.OPEN.value, CheckoutState.PAYING.value)


class Checkout(models.Model):
    """One act of buying. Customers stand in it as text (`u:42`, `g:…`), so that it outlives them."""

    checkout_id = models.CharField(_("checkout"), primary_key=True, max_length=40)
    owner = models.CharField(_("owner"), max_length=80)
    user_id = models.BigIntegerField(_("customer"), null=True, blank=True, db_index=True)
    state = models.CharField(_("state"), max_length=12, choices=STATES, default=CheckoutState.OPEN.value)
    version = models.PositiveIntegerField(_("version"), default=1)
    """Grows with every change: what `If-Match` compares."""
    quote_number = models.PositiveIntegerField(_("quote"), default=1)
    """Grows with every new quote: a payment is for exactly one of them."""
    currency = models.CharField(_("currency"), max_length=3)
    subtotal_minor = models.BigIntegerField(_("subtotal"))
    total_minor = models.BigIntegerField(_("total"))
    discounts = models.JSONField(default=list, blank=True)
    """What promotions and codes take off: rows of `pricing.types.discount_rows`."""
    reductions = models.JSONField(default=list, blank=True)
    """The rules of the quote, so that lines that are cut are priced by the same ones: `reduction_rows`."""
    code_ids = models.JSONField(default=list, blank=True)
    """Discount codes that were in the cart when it was quoted."""
    lock_expires_at = models.DateTimeField(_("prices fixed until"))
    reservation_id = models.CharField(_("reservation"), max_length=40, blank=True)
    renewal_key = models.CharField(_("key of the last renewal"), max_length=255, blank=True, default="", db_default="")
    cart_version = models.BigIntegerField(_("cart version"))
    cart_content_version = models.BigIntegerField(_("cart content version"))
    email = models.CharField(_("mail address"), max_length=254, blank=True)
    address = models.JSONField(_("address"), default=dict, blank=True)
    consent_reminders = models.BooleanField(_("reminders wanted"), default=False)
    language = models.CharField(_("language"), max_length=16, blank=True)
    end_cause = models.CharField(_("ended by"), max_length=32, blank=True)
    created_at = models.DateTimeField(_("started"))
    updated_at = models.DateTimeField(_("changed"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        """One open checkout an owner; one live one a cart content."""

        verbose_name = _("checkout")
        verbose_name_plural = _("checkouts")
        ordering: ClassVar = ["-created_at"]
        permissions: ClassVar = [("view_pii", "Can see personal data of customers")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(state=CheckoutState.OPEN.value),
                name="one_open_checkout_an_owner",
            ),
            models.UniqueConstraint(
                fields=["owner", "cart_content_version"],
                condition=Q(state__in=LIVE),
                name="one_live_checkout_a_cart_content",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in CheckoutState]),
                name="checkout_state_known",
            ),
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="checkout_total_not_negative"),
            models.CheckConstraint(
                condition=Q(state__in=LIVE, ended_at__isnull=True) | (~Q(state__in=LIVE) & Q(ended_at__isnull=False)),
                name="checkout_ended_iff_over",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["updated_at"], condition=Q(state__in=LIVE), name="checkout_live"),
            models.Index(fields=["-created_at"], name="checkout_newest"),
            models.Index(Upper("email"), name="checkout_by_mail"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="checkout_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        """Name it by its id."""
        return self.checkout_id


class CheckoutLine(models.Model):
    """A line of the frozen quote."""

    checkout = models.ForeignKey(Checkout, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField(_("position"))
    sku_id = models.CharField(_("SKU"), max_length=64)
    title = models.CharField(_("title"), max_length=300)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_price_minor = models.BigIntegerField(_("unit price"))
    discount_minor = models.BigIntegerField(_("discount"), default=0)
    """This line's part of the discounts."""
    price_at_add_minor = models.BigIntegerField(_("price at add"), null=True, blank=True)

    class Meta:
        """One line a SKU."""

        verbose_name = _("checkout line")
        verbose_name_plural = _("checkout lines")
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["checkout", "sku_id"], name="one_checkout_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="checkout_line_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price_minor__gte=0), name="checkout_line_price_not_negative"),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0, discount_minor__lte=F("quantity") * F("unit_price_minor")),
                name="checkout_line_discount_within_line",
            ),
        ]

    def __str__(self) -> str:
        """Name it by quantity and SKU."""
        return f"{self.quantity} × {self.sku_id}"

    @property
    def line_total_minor(self) -> int:
        """Quantity times unit price."""
        return self.quantity * self.unit_price_minor
