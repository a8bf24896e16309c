"""What happened to a price between the cart and the charge."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class PriceDelta(models.Model):
    """A line whose price was not the same all the way: added → shown → acknowledged → charged, in line amounts.

    One row a SKU of one cart content. Lines that cost the same at every stage have none.
    """

    owner = models.CharField(_("owner"), max_length=80)
    cart_content_version = models.BigIntegerField(_("cart content version"))
    sku_id = models.CharField(_("SKU"), max_length=64)
    checkout_id = models.CharField(_("checkout"), max_length=40, blank=True, default="")
    order_number = models.CharField(_("order"), max_length=40, blank=True, default="")
    currency = models.CharField(_("currency"), max_length=3)
    quantity = models.PositiveIntegerField(_("quantity"))
    added_minor = models.BigIntegerField(_("added"), null=True)
    """The price at add, for so many units."""
    shown_minor = models.BigIntegerField(_("shown"), null=True)
    """What a quote said last, after promotions and codes, agreed to or not."""
    acknowledged_minor = models.BigIntegerField(_("acknowledged"), null=True)
    """What the quote said that the checkout went on with."""
    charged_minor = models.BigIntegerField(_("charged"), null=True)
    reasons = ArrayField(models.CharField(max_length=12), verbose_name=_("reasons"), default=list)
    created_at = models.DateTimeField(_("first"), db_default=Now())
    updated_at = models.DateTimeField(_("last"), db_default=Now())

    class Meta:
        """Found by order, SKU and reason; never deleted."""

        verbose_name = _("price delta")
        verbose_name_plural = _("price deltas")
        ordering: ClassVar = ["-updated_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "cart_content_version", "sku_id"], name="one_delta_a_line_of_a_cart_content"
            ),
            models.CheckConstraint(
                condition=Q(charged_minor__isnull=True) | ~Q(order_number=""), name="price_delta_charged_by_an_order"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-updated_at", "-id"], name="price_delta_newest"),
            models.Index(fields=["order_number"], condition=~Q(order_number=""), name="price_delta_of_order"),
            models.Index(fields=["sku_id"], name="price_delta_of_sku"),
            GinIndex(fields=["reasons"], name="price_delta_by_reason"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="price_delta_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.sku_id} {self.order_number or self.checkout_id}"
