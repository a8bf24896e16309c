"""Reservations: units kept for an owner, by SKU, and from which locations.

Locks are taken in one order: reservations first, then stock rows by ascending `sku_id`.
"""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inventory import triggers as placing
from inventory.models.stock import Location
from inventory.types import ReservationState

RESERVATION_STATES = [
    (ReservationState.SOFT.value, _("reserved")),
    (ReservationState.HARD.value, _("sold")),
    (ReservationState.RELEASED.value, _("given back")),
    (ReservationState.EXPIRED.value, _("expired")),
]


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
