"""Stock by SKU and by location, and the ledger.

Counters change only by the statements in `inventory.services`, each of which moves reservation, counter and ledger
together.
"""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inventory import triggers as placing
from inventory.types import StockEntryKind, StockReason

ENTRY_KINDS = [
    (StockEntryKind.INITIAL.value, _("initial")),
    (StockEntryKind.ADJUST.value, _("adjustment")),
    (StockEntryKind.RECOUNT.value, _("recount")),
    (StockEntryKind.SALE.value, _("sale")),
    (StockEntryKind.RETURN.value, _("return")),
    (StockEntryKind.REPAIR.value, _("repair of counters")),
]

REASONS = [
    (StockReason.RECEIVED.value, _("Delivery received")),
    (StockReason.RETURNED.value, _("Returned by a customer")),
    (StockReason.FOUND.value, _("Found")),
    (StockReason.DAMAGED.value, _("Damaged")),
    (StockReason.LOST.value, _("Lost or stolen")),
    (StockReason.RECOUNT.value, _("Counted on the shelf")),
    (StockReason.CORRECTION.value, _("Correction of a mistake")),
    (StockReason.SALE.value, _("Sold")),
]


class StockItem(models.Model):
    """The two counters of one SKU: on hand − reserved = available.

    No index holds a counter and pages are filled to 60 % (migration), so that PostgreSQL updates the row in place.
    """

    sku_id = models.CharField(_("SKU"), max_length=64, primary_key=True)
    on_hand = models.IntegerField(_("on hand"), default=0)
    reserved = models.IntegerField(_("reserved"), default=0)
    is_hot = models.BooleanField(
        _("hot"), default=False, db_default=False, help_text=_("Reserve through the lane: staff expect a rush.")
    )
    hot_until = models.DateTimeField(
        _("hot until"), null=True, blank=True, help_text=_("Set by itself when waits grow.")
    )

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock items")
        ordering: ClassVar = ["sku_id"]
        permissions: ClassVar = [("adjust_stock", _("Can adjust stock"))]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")), name="reserved_is_within_on_hand"
            ),
        ]

    def __str__(self) -> str:
        return self.sku_id


class Location(models.Model):
    """A place where units stand. A shop that keeps all in one place has none: the stock items are all there is to know.

    The one opened first took over all units there were; what names no location is its.
    """

    code = models.SlugField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=100)
    position = models.PositiveSmallIntegerField(
        _("position"), help_text=_("Orders are filled from the lowest number first.")
    )
    is_open = models.BooleanField(
        _("open"), default=True, db_default=True, help_text=_("A location without units can be closed.")
    )

    class Meta:
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering: ClassVar = ["position", "id"]
        triggers: ClassVar = [pgtrigger.Protect(name="location_is_kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.name


class LocationStock(models.Model):
    """How many of the units of a SKU's stock item stand in one location; the locations add up to the stock item.

    Moved by triggers alone (`inventory.triggers`), while the stock item's row is locked.
    """

    sku_id = models.CharField(_("SKU"), max_length=64)
    location = models.ForeignKey(Location, models.PROTECT, verbose_name=_("location"))
    on_hand = models.IntegerField(_("on hand"), default=0)
    reserved = models.IntegerField(_("reserved"), default=0)

    class Meta:
        verbose_name = _("stock in a location")
        verbose_name_plural = _("stock by location")
        ordering: ClassVar = ["sku_id", "location__position", "location_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["sku_id", "location"], name="one_stock_a_location"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")), name="reserved_is_within_location"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku_id} · {self.location_id}"


class StockEntry(models.Model):
    """One line of the ledger: what changed `on_hand`, and why. Append-only; a mistake is corrected by another entry."""

    at = models.DateTimeField(_("at"), db_default=Now())
    sku_id = models.CharField(_("SKU"), max_length=64)
    delta = models.IntegerField(_("change"))
    on_hand_after = models.IntegerField(_("on hand after"))
    kind = models.CharField(_("kind"), max_length=10, choices=ENTRY_KINDS)
    reason = models.CharField(_("reason"), max_length=20, choices=REASONS)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    by = models.BigIntegerField(_("by"), null=True, blank=True, help_text=_("The number of a member of staff."))
    reference = models.CharField(_("reference"), max_length=80, blank=True, default="")
    location = models.ForeignKey(
        Location, models.PROTECT, null=True, blank=True, verbose_name=_("location"), db_index=False
    )

    class Meta:
        verbose_name = _("stock entry")
        verbose_name_plural = _("stock entries")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["sku_id", "-id"], name="stock_entry_sku"),
            models.Index(fields=["at"], name="stock_entry_at"),
            models.Index(fields=["reference"], name="stock_entry_reference", condition=~Q(reference="")),
            models.Index(fields=["location", "-id"], name="stock_entry_location", condition=Q(location__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["sku_id", "reference", "location"],
                nulls_distinct=False,
                condition=~Q(reference="") & ~Q(kind="sale"),
                name="one_adjustment_a_reference",
            ),
            models.CheckConstraint(
                condition=~Q(delta=0) | Q(kind=StockEntryKind.REPAIR.value), name="stock_entry_changes_something"
            ),
            models.CheckConstraint(condition=Q(on_hand_after__gte=0), name="stock_entry_leaves_units"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in StockEntryKind]), name="stock_entry_kind_is_known"
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="ledger_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            *placing.ON_LEDGER,
        ]

    def __str__(self) -> str:
        return f"{self.sku_id} {self.delta:+d}"
