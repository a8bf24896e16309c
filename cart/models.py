"""Carts as PostgreSQL holds them: written through from Redis, for recovery, for analysis and for reminders."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class CartRecord(models.Model):
    """One cart as last recorded; converted and merged rows are final.

    An owner has one row that is not converted, and one converted row an order. `lines` and `saved` are lists of
    `cart.codec.LineRow`. There is no foreign key to the customer: rows outlive a customer as numbers.
    """

    class State(models.TextChoices):
        """What became of the cart."""

        ACTIVE = "active", _("active")
        CONVERTED = "converted", _("ordered")
        MERGED = "merged", _("merged")
        EXPIRED = "expired", _("expired")

    owner = models.CharField(_("owner"), max_length=80)
    user_id = models.BigIntegerField(_("customer"), null=True, blank=True)
    version = models.BigIntegerField(_("version"))
    content_version = models.BigIntegerField(_("content version"))
    lines = models.JSONField(_("lines"), default=list)
    saved = models.JSONField(_("saved for later"), default=list)
    marks = models.JSONField(
        _("marks"), default=dict, help_text=_("The cart's own fields: notices, receipts, merges and orders applied.")
    )
    ordered = models.JSONField(
        _("ordered"),
        default=list,
        help_text=_("The last orders, with the quantities by SKU that the cart is cleared of."),
    )
    units = models.IntegerField(_("units"), default=0)
    value_minor = models.BigIntegerField(_("value"), default=0, help_text=_("At the prices when added, minor units."))
    currency = models.CharField(_("currency"), max_length=3)
    last_activity_at = models.DateTimeField(_("last activity"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    order_number = models.CharField(_("order"), max_length=64, null=True, blank=True)  # noqa: DJ001 - unique where set
    recorded_at = models.DateTimeField(_("recorded"), db_default=Now())

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner"], condition=~Q(state="converted"), name="one_live_record_an_owner"),
            models.UniqueConstraint(
                fields=["order_number"], condition=Q(state="converted"), name="one_converted_record_an_order"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["active", "converted", "merged", "expired"]), name="cart_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="converted", order_number__isnull=False)
                | (~Q(state="converted") & Q(order_number__isnull=True)),
                name="converted_means_ordered",
            ),
            models.CheckConstraint(condition=Q(units__gte=0) & Q(value_minor__gte=0), name="cart_counts_up"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["last_activity_at", "id"],
                condition=Q(state="active", user_id__isnull=False, units__gt=0),
                name="cart_idle_scan",
            ),
            models.Index(fields=["last_activity_at"], condition=Q(user_id__isnull=True), name="cart_guests_by_age"),
            models.Index(fields=["user_id"], condition=Q(user_id__isnull=False), name="cart_by_customer"),
        ]

    def __str__(self) -> str:
        """Name the cart without telling a guest's whole hash."""
        return self.owner[:8]


class DeadLetter(models.Model):
    """An event that could not be recorded after several tries; kept for people to look at."""

    partition = models.IntegerField(_("partition"))
    entry_id = models.CharField(_("entry"), max_length=64)
    owner = models.CharField(_("owner"), max_length=80, blank=True)
    fields = models.TextField(_("content"), help_text=_("The entry's fields as JSON, cut at 64,000 characters."))
    error = models.TextField(_("error"))
    deliveries = models.IntegerField(_("tries"))
    created_at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partition", "entry_id"], name="one_dead_letter_an_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.partition}/{self.entry_id}"
