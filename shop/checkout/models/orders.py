"""An order: what was bought, frozen."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from shop.checkout.models.checkouts import Checkout
from shop.checkout.models.payments import Payment


class Order(models.Model):
    """What was bought. Only `cart_cleared_at` is ever changed; a trigger sees to it."""

    number = models.CharField(_("number"), primary_key=True, max_length=40)
    checkout = models.OneToOneField(
        Checkout, on_delete=models.PROTECT, related_name="order", verbose_name=_("checkout")
    )
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="order", verbose_name=_("payment"))
    owner = models.CharField(_("owner"), max_length=80)
    user_id = models.BigIntegerField(_("customer"), null=True, blank=True)
    cart_content_version = models.BigIntegerField(_("cart content version"))
    currency = models.CharField(_("currency"), max_length=3)
    subtotal_minor = models.BigIntegerField(_("subtotal"))
    total_minor = models.BigIntegerField(_("total"))
    discounts = models.JSONField(_("discounts"), default=list, blank=True)
    """What promotions and codes took off: rows of `pricing.types.discount_rows`."""
    email = models.CharField(_("mail address"), max_length=254)
    address = models.JSONField(_("address"))
    language = models.CharField(_("language"), max_length=16, blank=True)
    placed_at = models.DateTimeField(_("placed"))
    cart_cleared_at = models.DateTimeField(_("cart cleared"), null=True, blank=True)
    """Null: the cart in Redis may still hold the ordered lines; the sweep takes them out."""

    class Meta:
        """One order a checkout, and one a cart content."""

        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering: ClassVar = ["-placed_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "cart_content_version"], name="one_order_a_cart_content"),
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="order_total_not_negative"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["placed_at", "number"], name="order_placed"),
            models.Index(Upper("email"), name="order_by_mail"),
            models.Index(fields=["owner", "-placed_at"], name="order_of_owner"),
            models.Index(
                fields=["placed_at"], condition=Q(cart_cleared_at__isnull=True), name="order_cart_not_cleared"
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="order_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="order_never_changed", exclude=["cart_cleared_at"]),
        ]

    def __str__(self) -> str:
        """Name it by its number."""
        return self.number


class OrderLine(models.Model):
    """A line that was bought: a copy, so that later edits of the catalogue change no order."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField(_("position"))
    sku_id = models.CharField(_("SKU"), max_length=64, db_index=True)
    title = models.CharField(_("title"), max_length=300)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_price_minor = models.BigIntegerField(_("unit price"))
    discount_minor = models.BigIntegerField(_("discount"), default=0)
    """This line's part of the discounts; the parts add up to what the order's discounts are."""
    image_url = models.CharField(_("picture"), max_length=500, blank=True)

    class Meta:
        """One line a SKU; never changed."""

        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "sku_id"], name="one_order_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_quantity_positive"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="order_line_frozen", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        """Name it by quantity and SKU."""
        return f"{self.quantity} × {self.sku_id}"

    @property
    def line_total_minor(self) -> int:
        """Quantity times unit price."""
        return self.quantity * self.unit_price_minor


class OrderToken(models.Model):
    """The hash of a secret that shows one order to whoever has the mail."""

    token_hash = models.CharField(primary_key=True, max_length=64)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="tokens")
    expires_at = models.DateTimeField()

    class Meta:
        """Only hashes are kept."""

    def __str__(self) -> str:
        """Show as little as possible."""
        return self.token_hash[:6]
