"""Stock, reservations and the ledger.

Counters change only by the statements in `inventory.services`, each of which moves reservation, counter and ledger
together. Locks are taken in one order: reservations first, then stock rows by ascending `sku_id`.
"""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inventory import triggers as placing
from inventory.types import LaneState, ReservationState, StockEntryKind, StockReason

RESERVATION_STATES = [
    (ReservationState.SOFT.value, _("reserved")),
    (ReservationState.HARD.value, _("sold")),
    (ReservationState.RELEASED.value, _("given back")),
    (ReservationState.EXPIRED.value, _("expired")),
]

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


class Reservation(models.Model):
    """Units kept for one owner until a time; once it is hard, released or expired it never changes again.

    Long after that it is deleted (`INVENTORY_KEEP_DAYS`), with its lines and shares.
    """

    id = models.CharField(primary_key=True, max_length=40)
    owner = models.CharField(_("owner"), max_length=80, help_text=_("Opaque; the checkout's id."))
    state = models.CharField(_("state"), max_length=10, choices=RESERVATION_STATES, default=ReservationState.SOFT.value)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    expires_at = models.DateTimeField(_("ends"))
    pinned_until = models.DateTimeField(_("pinned until"), null=True, blank=True, help_text=_("While a payment runs."))
    renewals = models.PositiveSmallIntegerField(_("renewals"), default=0)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    cause = models.CharField(_("cause"), max_length=80, blank=True, default="", help_text=_("Why it ended."))

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        ordering: ClassVar = ["-created_at", "id"]
        permissions: ClassVar = [
            ("release_reservation", _("Can release a reservation, or add time to it")),
            ("force_release", _("Can release a reservation while a payment runs")),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="reservation_due", condition=Q(state="soft")),
            models.Index(fields=["-created_at", "id"], name="reservation_latest"),
            models.Index(fields=["owner"], name="reservation_owner"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner"], condition=Q(state="soft"), name="one_soft_reservation_an_owner"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in ReservationState]), name="reservation_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="soft", ended_at__isnull=True) | (~Q(state="soft") & Q(ended_at__isnull=False)),
                name="reservation_ends_once",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="ended_reservation_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state__df="soft"),
            ),
            pgtrigger.Protect(
                name="reservation_is_kept",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.state = 'soft' OR OLD.ended_at > now() - interval '7 days'"),
            ),
        ]

    def __str__(self) -> str:
        return self.id


class ReservationLine(models.Model):
    """So many units of one SKU in a reservation.

    `is_live` is true while the reservation is soft; the statement that ends the reservation turns it off. It lets
    PostgreSQL find who has a SKU right now without reading everything that was ever reserved.
    """

    reservation = models.ForeignKey(Reservation, models.PROTECT, related_name="lines", verbose_name=_("reservation"))
    sku_id = models.CharField(_("SKU"), max_length=64)
    quantity = models.IntegerField(_("quantity"))
    is_live = models.BooleanField(_("live"), default=True)

    class Meta:
        verbose_name = _("reservation line")
        verbose_name_plural = _("reservation lines")
        ordering: ClassVar = ["reservation", "sku_id"]
        indexes: ClassVar = [models.Index(fields=["sku_id"], name="reservation_line_live", condition=Q(is_live=True))]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "sku_id"], name="one_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_line_has_units"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="live_line_is_kept", operation=pgtrigger.Delete, condition=pgtrigger.Q(old__is_live=True)
            ),
            *placing.ON_LINES,
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku_id}"


class ReservationShare(models.Model):
    """So many units of a reservation line come from one location; written once, by a trigger."""

    line = models.ForeignKey(ReservationLine, models.PROTECT, related_name="shares", verbose_name=_("line"))
    location = models.ForeignKey(Location, models.PROTECT, verbose_name=_("location"), db_index=False)
    quantity = models.IntegerField(_("quantity"))

    class Meta:
        verbose_name = _("share of a reservation line")
        verbose_name_plural = _("shares of reservation lines")
        ordering: ClassVar = ["line", "location__position", "location_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["line", "location"], name="one_share_a_location"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_share_has_units"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="share_is_final", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.location_id}"


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


class LaneRequest(models.Model):
    """A request that waits in the lane of a hot SKU to be decided in order of arrival, with others, in one commit.

    It lives for milliseconds: whoever asked takes it out with its answer. The table is not logged (migration): after a
    crash nobody waits for an answer, and the reservations made by then are in tables that are.
    """

    lane = models.CharField(max_length=64)
    owner = models.CharField(max_length=80)
    reservation_id = models.CharField(max_length=40)
    sku_ids = ArrayField(models.CharField(max_length=64))
    quantities = ArrayField(models.IntegerField())
    ttl_seconds = models.IntegerField()
    state = models.CharField(max_length=10, default=LaneState.WAITING.value)
    short = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("lane request")
        verbose_name_plural = _("lane requests")
        indexes: ClassVar = [models.Index(fields=["lane", "id"], name="lane_waiting", condition=Q(state="waiting"))]

    def __str__(self) -> str:
        return f"{self.lane} {self.pk}"


class SweepRecord(models.Model):
    """When the sweep last came to its end: one row, for the health check."""

    name = models.CharField(primary_key=True, max_length=20)
    finished_at = models.DateTimeField()
    moved = models.IntegerField()

    class Meta:
        verbose_name = _("sweep record")
        verbose_name_plural = _("sweep records")

    def __str__(self) -> str:
        return self.name
