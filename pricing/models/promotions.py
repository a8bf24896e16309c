"""Promotions, the codes that bring some of them, and which segment a customer belongs to."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from pricing.models.prices import MAX_UNIT_PRICE_MINOR
from pricing.types import Combining, ReductionKind

KINDS = [
    (ReductionKind.PERCENT.value, _("percent off")),
    (ReductionKind.AMOUNT.value, _("amount off, once")),
    (ReductionKind.FIXED_PRICE.value, _("fixed price a unit")),
    (ReductionKind.BUY_X_GET_Y.value, _("buy some, get the cheapest free")),
]
COMBINES = [
    (Combining.EVERYTHING.value, _("with everything")),
    (Combining.PROMOTIONS.value, _("with promotions, with no other code")),
    (Combining.NOTHING.value, _("with nothing")),
]
_NAME = models.CharField(max_length=100)


class Promotion(models.Model):
    """A reduction of prices: for everybody, for a segment, or for whoever enters one of its codes."""

    name = models.CharField(_("name"), max_length=80, help_text=_("Customers read it beside the amount."))
    kind = models.CharField(_("rule"), max_length=12, choices=KINDS)
    value = models.PositiveIntegerField(
        _("value"),
        validators=[MinValueValidator(1), MaxValueValidator(MAX_UNIT_PRICE_MINOR)],
        help_text=_("Percent, or an amount in the smallest unit, or how many are bought for the free ones."),
    )
    free = models.PositiveIntegerField(
        _("free units"), default=0, blank=True, help_text=_("How many of them are free; else 0.")
    )
    currency = models.CharField(
        _("currency"), max_length=3, blank=True, default="", help_text=_("Empty: any. Amounts and minimums need one.")
    )
    sku_ids = ArrayField(_NAME, verbose_name=_("SKUs"), default=list, blank=True, help_text=_("Separated by commas."))
    products = ArrayField(
        _NAME, verbose_name=_("products"), default=list, blank=True, help_text=_("Their addresses, such as enamel-mug.")
    )
    categories = ArrayField(
        _NAME,
        verbose_name=_("categories"),
        default=list,
        blank=True,
        help_text=_("All three empty: everything that is sold."),
    )
    segment = models.CharField(_("segment"), max_length=40, blank=True, default="", help_text=_("Empty: everybody."))
    minimum_minor = models.PositiveIntegerField(
        _("minimum"),
        default=0,
        blank=True,
        help_text=_("What it covers must cost at least so much at list prices, in the smallest unit."),
    )
    combines = models.CharField(_("combines"), max_length=12, choices=COMBINES, default=Combining.EVERYTHING.value)
    priority = models.SmallIntegerField(_("priority"), default=0, help_text=_("The highest is applied first."))
    needs_code = models.BooleanField(_("only with a code"), default=False)
    max_uses = models.PositiveIntegerField(
        _("most orders"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("With any of its codes or without. Empty: any number. Counted while one of the two limits is set."),
    )
    max_uses_each = models.PositiveIntegerField(
        _("most orders a customer"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    used = models.PositiveIntegerField(_("used"), default=0, editable=False)
    """Claims that were not released: kept by the statements that claim and release, never counted anew."""
    is_active = models.BooleanField(_("switched on"), default=True)
    valid_from = models.DateTimeField(_("valid from"), db_default=Now())
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True, help_text=_("Empty: no end."))

    class Meta:
        """What would make no sense is refused by the database too."""

        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        ordering: ClassVar = ["-priority", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(kind=ReductionKind.PERCENT.value) | Q(value__lte=100),
                name="promotion_at_most_everything_off",
                violation_error_message=_("At most 100 percent."),
            ),
            models.CheckConstraint(
                condition=Q(kind=ReductionKind.BUY_X_GET_Y.value, free__gte=1)
                | (~Q(kind=ReductionKind.BUY_X_GET_Y.value) & Q(free=0)),
                name="promotion_free_units_fit_the_rule",
                violation_error_message=_("Free units are for “buy some, get the cheapest free”, at least 1 there."),
            ),
            models.CheckConstraint(
                condition=~Q(currency="")
                | (Q(kind__in=[ReductionKind.PERCENT.value, ReductionKind.BUY_X_GET_Y.value]) & Q(minimum_minor=0)),
                name="promotion_amounts_have_a_currency",
                violation_error_message=_("An amount or a minimum needs a currency."),
            ),
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"),
                name="promotion_currency_is_a_code",
                violation_error_message=_("Three capital letters, such as GBP."),
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="promotion_ends_after_it_begins",
                violation_error_message=_("The end must be later than the beginning."),
            ),
            models.CheckConstraint(
                condition=Q(value__gte=1, value__lte=MAX_UNIT_PRICE_MINOR), name="promotion_value_is_possible"
            ),
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(used__lte=F("max_uses")), name="promotion_used_within_its_limit"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["valid_from"], condition=Q(needs_code=False, is_active=True), name="promotion_running")
        ]

    def __str__(self) -> str:
        return self.name


class DiscountCode(models.Model):
    """A code that brings a promotion. A personal one is kept as a hash, with its first characters to know it by."""

    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, related_name="codes", verbose_name=_("promotion")
    )
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    """SHA-256 of the code in its canonical form."""
    label = models.CharField(_("code"), max_length=64)
    """The whole code if anybody may know it, else its beginning."""
    is_personal = models.BooleanField(_("personal"), default=False)
    user_id = models.BigIntegerField(
        _("customer"), null=True, blank=True, help_text=_("Only this customer may use it.")
    )
    max_uses = models.PositiveIntegerField(_("most uses"), null=True, blank=True, help_text=_("Empty: any number."))
    max_uses_each = models.PositiveIntegerField(
        _("most uses a customer"), null=True, blank=True, help_text=_("Empty: any number.")
    )
    used = models.PositiveIntegerField(_("used"), default=0, editable=False)
    """Claims that were not released: kept by the statements that claim and release, never counted anew."""
    valid_from = models.DateTimeField(_("valid from"), db_default=Now())
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True, help_text=_("Empty: no end."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("issued"), db_default=Now(), editable=False)

    class Meta:
        """A limit that is broken cannot be written."""

        verbose_name = _("discount code")
        verbose_name_plural = _("discount codes")
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(used__lte=F("max_uses")), name="code_used_within_its_limit"
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="code_ends_after_it_begins",
                violation_error_message=_("The end must be later than the beginning."),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["label"], name="code_by_label")]

    def __str__(self) -> str:
        return self.label


class CustomerSegment(models.Model):
    """The segment whose prices and promotions a customer gets. No row: the list prices."""

    user_id = models.BigIntegerField(_("customer"), primary_key=True)
    segment = models.CharField(_("segment"), max_length=40)

    class Meta:
        """At most one a customer."""

        verbose_name = _("segment of a customer")
        verbose_name_plural = _("segments of customers")
        ordering: ClassVar = ["segment", "user_id"]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(segment=""), name="segment_has_a_name")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.segment}"
