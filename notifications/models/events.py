"""Abandonments: one row an episode of a customer's idle cart, with its arm; and what came of its mails."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from notifications.models.campaigns import Campaign, Variant
from notifications.models.messages import Message
from notifications.types import AttributionModel, EventState, TouchKind


class Abandonment(models.Model):
    """A customer's cart that was left, as found. Rows outlive customers as numbers; references are not enforced."""

    STATES: ClassVar = [
        (EventState.OPEN.value, _("open")),
        (EventState.CONVERTED.value, _("ordered")),
        (EventState.CANCELLED.value, _("cancelled")),
        (EventState.EXPIRED.value, _("over")),
    ]

    cart_record_id = models.BigIntegerField(_("cart"))
    content_version = models.BigIntegerField(_("content version"))
    user_id = models.BigIntegerField(_("customer"), null=True, blank=True)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="events"
    )
    variant = models.ForeignKey(
        Variant, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="events"
    )
    is_holdout = models.BooleanField(_("hold-out"))
    state = models.CharField(_("state"), max_length=10, choices=STATES, default=EventState.OPEN.value)
    close_reason = models.CharField(_("reason"), max_length=40, blank=True)
    abandoned_at = models.DateTimeField(_("left"))
    enrolled_at = models.DateTimeField(_("found"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    cooldown_range = DateTimeRangeField(null=True, blank=True)
    """Taken with the first mail or ghost: the customer gets no other event's first mail in it."""
    currency = models.CharField(_("currency"), max_length=3)
    value_minor = models.BigIntegerField(_("value"))
    snapshot = models.JSONField(null=True, blank=True)
    """The lines of the cart when the first message passed: what a restore link gives back."""
    order_number = models.CharField(_("order"), max_length=40, blank=True)
    """The first order within the campaign's window, in whichever arm."""
    ordered_at = models.DateTimeField(_("ordered"), null=True, blank=True)
    order_minor = models.BigIntegerField(_("order value"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded"), default=0, db_default=0)
    """What of the order was given back since."""
    code_minor = models.BigIntegerField(_("code's discount"), default=0, db_default=0)
    """What discount codes took off the order."""

    class Meta:
        verbose_name = _("abandonment")
        verbose_name_plural = _("abandonments")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cart_record_id", "content_version"], name="one_event_per_cart_episode"),
            models.UniqueConstraint(
                fields=["user_id"], condition=Q(closed_at__isnull=True), name="one_open_event_per_user"
            ),
            ExclusionConstraint(
                name="user_cooldown",
                condition=Q(cooldown_range__isnull=False),
                expressions=[
                    # Both sides are ranges, so that GiST needs no extension.
                    (
                        Func(
                            F("user_id"),
                            F("user_id"),
                            Value("[]"),
                            function="int8range",
                            output_field=BigIntegerRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                    ("cooldown_range", RangeOperators.OVERLAPS),
                ],
            ),
            # A range of nobody would be unbounded, and meet everybody's.
            models.CheckConstraint(
                condition=Q(user_id__isnull=False) | Q(cooldown_range__isnull=True), name="cooldown_has_customer"
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="closed_iff_not_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in EventState]), name="event_state_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["enrolled_at", "id"], condition=Q(state="open"), name="event_open"),
            models.Index(fields=["user_id"], name="event_of_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class DiscountGrant(models.Model):
    """Which discount code was issued for which abandonment. The code itself is with pricing, as a hash."""

    abandonment = models.OneToOneField(Abandonment, on_delete=models.CASCADE, related_name="grant")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="grant")
    code_id = models.BigIntegerField(_("code"), unique=True)
    user_id = models.BigIntegerField(_("customer"), null=True, blank=True)
    created_at = models.DateTimeField(_("issued"))
    valid_until = models.DateTimeField(_("valid until"))
    voided_at = models.DateTimeField(_("void since"), null=True, blank=True)

    class Meta:
        verbose_name = _("discount granted")
        verbose_name_plural = _("discounts granted")
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["user_id", "created_at"], name="grant_of_customer"),
            models.Index(fields=["created_at"], condition=Q(voided_at__isnull=True), name="grant_not_void"),
        ]

    def __str__(self) -> str:
        return f"{self.code_id}"


class Touch(models.Model):
    """Somebody came by a mail's link. A click is a GET, which scanners make too; a restore is a POST.

    Of a trap the visitor is its source: one row for each that fell into it.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="touches")
    kind = models.CharField(_("what"), max_length=8, choices=[(kind.value, kind.value) for kind in TouchKind])
    visitor = models.CharField(max_length=16, blank=True)
    """A short hash of the visitor's cart, empty for none: it counts people, and names nobody."""
    source = models.CharField(max_length=16, blank=True, default="", db_default="")
    """A short hash of the network address, for minutes: until it is clear whether a program was there."""
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "kind", "visitor"], name="one_touch_a_visitor"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["visitor", "at"], condition=~Q(visitor=""), name="touch_of_visitor"),
            models.Index(fields=["source"], condition=~Q(source=""), name="touch_from_source"),
        ]

    def __str__(self) -> str:
        return self.kind


class Attribution(models.Model):
    """An order that a model gives to a mail. Kept without the customer: numbers for a report."""

    MODELS: ClassVar = [
        (AttributionModel.CLICK.value, _("last click")),
        (AttributionModel.RESTORE.value, _("last restore")),
        (AttributionModel.CODE.value, _("its code")),
    ]

    order_number = models.CharField(_("order"), max_length=40)
    model = models.CharField(_("by"), max_length=8, choices=MODELS)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="attributions")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attributions")
    at = models.DateTimeField(_("at"))
    total_minor = models.BigIntegerField(_("order value"))
    refunded_minor = models.BigIntegerField(_("refunded"), default=0, db_default=0)
    """What of it was given back since."""
    currency = models.CharField(_("currency"), max_length=3)

    class Meta:
        verbose_name = _("attributed order")
        verbose_name_plural = _("attributed orders")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order_number", "model"], name="one_attribution_an_order_and_model"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.order_number}"
