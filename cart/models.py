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
            models.Index(fields=["-last_activity_at", "-id"], name="cart_by_activity"),
            models.Index(fields=["value_minor"], condition=Q(state="active", units__gt=0), name="cart_by_value"),
        ]
        # A further index, over the SKUs in `lines` and `saved`, is made by a migration.

    def __str__(self) -> str:
        """Name the cart without telling a guest's whole hash."""
        return self.owner[:8]


class CartEvent(models.Model):
    """One change of a cart, kept for a while so that people can see how a cart came to be as it is."""

    owner = models.CharField(_("owner"), max_length=80)
    version = models.BigIntegerField(_("version"))
    reason = models.CharField(_("what"), max_length=20)
    at = models.DateTimeField(_("at"))
    units = models.IntegerField(_("units"))
    value_minor = models.BigIntegerField(_("value"), help_text=_("At the prices when added, minor units."))
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="", db_default="")
    """Of `value_minor`; empty in rows from before there was a choice: the shop's."""
    quantities = models.JSONField(_("in the cart"), help_text=_("Units by SKU, after the change."))
    saved = models.JSONField(_("saved for later"), help_text=_("Units by SKU, after the change."))
    merge_id = models.CharField(_("merge"), max_length=300, blank=True, help_text=_("The one made, or undone."))
    policy = models.CharField(_("policy"), max_length=20, blank=True)
    receipt = models.JSONField(_("receipt"), default=list, help_text=_("What a merge did to each SKU."))

    class Meta:
        verbose_name = _("change of a cart")
        verbose_name_plural = _("changes of carts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "version"], name="one_event_a_version"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["at"], name="cart_events_by_age"),
            models.Index(fields=["-at", "-id"], condition=Q(reason="merge"), name="cart_merges"),
        ]

    def __str__(self) -> str:
        return f"{self.owner[:8]} {self.reason}"


class Merge(CartEvent):
    """The changes that joined a guest's cart to a customer's, as a list of their own."""

    class Meta:
        proxy = True
        verbose_name = _("merge")
        verbose_name_plural = _("merges")


class SavedLine(models.Model):
    """A line of a saved list as last recorded: a view of the database, which unfolds the records."""

    id = models.CharField(primary_key=True, max_length=160)
    record_id = models.BigIntegerField(_("cart"))
    owner = models.CharField(_("owner"), max_length=80)
    user_id = models.BigIntegerField(_("customer"), null=True)
    sku_id = models.CharField(_("SKU"), max_length=64)
    quantity = models.IntegerField(_("quantity"))
    price_minor = models.BigIntegerField(_("price when saved"), null=True)
    currency = models.CharField(_("currency"), max_length=3, null=True)  # noqa: DJ001 - unknown where no price was
    added_at = models.DateTimeField(_("since"))
    skus = models.JSONField(_("SKUs"), help_text=_("All SKUs of the same list: what the index knows."))

    class Meta:
        managed = False
        db_table = "cart_savedline"
        verbose_name = _("saved line")
        verbose_name_plural = _("saved lines")

    def __str__(self) -> str:
        return self.id


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
        permissions: ClassVar = [("retry_deadletter", _("Can try dead letters again, or give them up"))]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partition", "entry_id"], name="one_dead_letter_an_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.partition}/{self.entry_id}"
