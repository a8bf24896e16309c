"""Prices of SKUs, each for one currency and one segment of customers, valid for a time."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MAX_UNIT_PRICE_MINOR = 100_000_000
"""One million in a currency of two digits: more is a slip of the keyboard, and sums of it stay far within 64 bits."""


class Price(models.Model):
    """What one unit costs. The price in force is the valid one that began last; a future one waits for its day."""

    sku_id = models.CharField(_("SKU"), max_length=64)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        validators=[RegexValidator(r"^[A-Z]{3}\Z", _("Three capital letters, such as GBP."))],
        help_text=_("ISO 4217, such as GBP."),
    )
    segment = models.CharField(
        _("segment"), max_length=40, blank=True, default="", help_text=_("Empty: the list price, for everybody.")
    )
    unit_price_minor = models.BigIntegerField(
        _("unit price"),
        validators=[MinValueValidator(1), MaxValueValidator(MAX_UNIT_PRICE_MINOR)],
        help_text=_("In the smallest unit: 1400 is £14.00."),
    )
    valid_from = models.DateTimeField(_("valid from"), db_default=Now())
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True, help_text=_("Empty: no end."))

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering: ClassVar = ["sku_id", "currency", "segment", "-valid_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                # In the order in which the price in force is looked up.
                fields=["sku_id", "currency", "segment", "valid_from"],
                name="one_price_at_a_time",
                violation_error_message=_("There is a price of this SKU from the same moment."),
            ),
            models.CheckConstraint(
                condition=Q(unit_price_minor__gt=0, unit_price_minor__lte=MAX_UNIT_PRICE_MINOR),
                name="price_is_possible",
                violation_error_message=_("A price is from 1 to 100000000 in the smallest unit."),
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="price_ends_after_it_begins",
                violation_error_message=_("The end must be later than the beginning."),
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="price_currency_is_a_code",
                violation_error_message=_("Three capital letters, such as GBP."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku_id} {self.unit_price_minor} {self.currency}"
