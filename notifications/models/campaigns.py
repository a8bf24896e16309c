"""A campaign, its variants and their steps: who is reminded when, and how. Each campaign is one test."""

from __future__ import annotations

import secrets
from datetime import time, timedelta
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from notifications.conf import conf
from notifications.rules import given_away, read_minimums
from notifications.types import CampaignState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_slug = RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", _("Small letters, digits and hyphens."))

_OTHERS = _("Such as EUR:6000,JPY:9000. Where there is a minimum, carts in a currency that is not named are too small.")


def _minimums(text: str) -> None:
    """Refuse what does not name minimums.

    :raises ValidationError: if it is not well formed.
    """
    try:
        read_minimums(text)
    except ValueError as error:
        raise ValidationError(_("Write such as EUR:6000,JPY:9000, each currency once.")) from error


# What customers were given by chance must not be changed afterwards: the numbers would compare what never was.
_FROZEN = """
IF (SELECT c.state FROM notifications_campaign c WHERE c.id = {campaign}) <> 'draft' THEN
  RAISE EXCEPTION 'a campaign that has begun keeps its variants and steps';
END IF;
RETURN COALESCE(NEW, OLD);
"""


def default_idle_threshold() -> timedelta:
    """Give the idle time of a new campaign, as the shop has set it."""
    return timedelta(seconds=conf().idle_threshold_seconds)


def default_max_age() -> timedelta:
    """Give how long ago a cart may have been left, in a new campaign."""
    return conf().max_age_hours * HOUR


def default_max_lateness() -> timedelta:
    """Give how late a reminder may go, in a new campaign."""
    return conf().max_lateness_hours * HOUR


def default_cooldown() -> timedelta:
    """Give the pause for a customer, in a new campaign."""
    return conf().cooldown_days * DAY


def default_outcome_window() -> timedelta:
    """Give for how long orders count, in a new campaign."""
    return conf().outcome_days * DAY


def default_click_window() -> timedelta:
    """Give for how long a click counts for orders, in a new campaign."""
    return conf().click_days * DAY


def default_holdout() -> int:
    """Give the size of the hold-out in a new campaign."""
    return conf().holdout_bp


def default_quiet_start() -> time:
    """Give when quiet hours begin, in a new campaign."""
    return time.fromisoformat(conf().quiet_start)


def default_quiet_end() -> time:
    """Give when quiet hours end, in a new campaign."""
    return time.fromisoformat(conf().quiet_end)


def new_salt() -> str:
    """Make the salt of a new test, so that arms of two tests are independent."""
    return secrets.token_hex(8)


class Campaign(models.Model):
    """Who is reminded of an idle cart, when, and in which arms."""

    STATES: ClassVar = [
        (CampaignState.DRAFT.value, _("draft")),
        (CampaignState.RUNNING.value, _("running")),
        (CampaignState.PAUSED.value, _("paused")),
        (CampaignState.ENDED.value, _("ended")),
    ]

    slug = models.CharField(
        _("key"), max_length=24, unique=True, validators=[_slug], help_text=_("Stands in links, as utm_campaign.")
    )
    name = models.CharField(_("name"), max_length=80)
    state = models.CharField(_("state"), max_length=8, choices=STATES, default=CampaignState.DRAFT.value)
    pause_reason = models.CharField(_("paused because"), max_length=200, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=100, help_text=_("Of several campaigns for one cart the lowest number wins.")
    )
    idle_threshold = models.DurationField(
        _("idle for"), default=default_idle_threshold, help_text=_("1 to 4 hours, such as 01:00:00.")
    )
    max_age = models.DurationField(_("at most idle for"), default=default_max_age)
    max_lateness = models.DurationField(
        _("at most late by"),
        default=default_max_lateness,
        help_text=_("A mail that could not go by then is cancelled."),
    )
    cooldown = models.DurationField(_("pause for a customer"), default=default_cooldown)
    max_messages_per_event = models.PositiveSmallIntegerField(
        _("mails at most"), default=1, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    minimum_minor = models.BigIntegerField(
        _("smallest cart"),
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("In minor units of the shop's currency; 0: any."),
    )
    other_minimums = models.CharField(
        _("in other currencies"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[_minimums],
        help_text=_OTHERS,
    )
    holdout_bp = models.PositiveSmallIntegerField(
        _("hold-out"),
        default=default_holdout,
        validators=[MaxValueValidator(5_000)],
        help_text=_("How many in 10,000 get no mail, so that its effect can be seen."),
    )
    quiet_start = models.TimeField(_("quiet from"), default=default_quiet_start)
    quiet_end = models.TimeField(
        _("quiet until"), default=default_quiet_end, help_text=_("The same time twice: never quiet.")
    )
    outcome_window = models.DurationField(_("orders count for"), default=default_outcome_window)
    click_window = models.DurationField(
        _("a click counts for"),
        default=default_click_window,
        help_text=_("An order so long after a click or a restore is given to its mail, beside the comparison."),
    )
    base_bp = models.PositiveSmallIntegerField(
        _("order anyway"),
        default=1_000,
        validators=[MinValueValidator(1), MaxValueValidator(9_000)],
        help_text=_("How many in 10,000 are expected to order without a mail."),
    )
    mde_pct = models.PositiveSmallIntegerField(
        _("smallest lift to see"), default=20, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    planned_n = models.PositiveIntegerField(_("hold-out planned"), null=True, blank=True)
    """Customers in the hold-out after which the result may be read; fixed at the start."""
    salt = models.CharField(max_length=32, default=new_salt, editable=False)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    activated_at = models.DateTimeField(_("started"), null=True, blank=True)
    """Carts that were idle before are left alone: switching on mails no history."""
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering: ClassVar = ["priority", "id"]
        permissions: ClassVar = [("run_campaign", "Can start, pause and end campaigns")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(idle_threshold__gte=HOUR, idle_threshold__lte=4 * HOUR), name="idle_for_1_to_4_hours"
            ),
            models.CheckConstraint(condition=Q(holdout_bp__lte=5_000), name="holdout_at_most_half"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in CampaignState]), name="campaign_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", activated_at__isnull=True, planned_n__isnull=True)
                | (~Q(state="draft") & Q(activated_at__isnull=False, planned_n__isnull=False)),
                name="campaign_has_begun_or_not",
            ),
            models.CheckConstraint(
                condition=Q(cooldown__gt=timedelta())
                & Q(max_age__gt=models.F("idle_threshold"))
                & Q(max_lateness__gt=timedelta())
                & Q(click_window__gt=timedelta()),
                name="campaign_times_are_possible",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One way to do it, with its share of the customers."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(_("key"), max_length=12, validators=[_slug])
    weight_bp = models.PositiveSmallIntegerField(
        _("share"), default=10_000, help_text=_("Of 10,000; all variants together make 10,000.")
    )

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "key"], name="one_variant_a_key"),
            models.CheckConstraint(condition=Q(weight_bp__gte=1, weight_bp__lte=10_000), name="variant_has_a_share"),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="variant_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=_FROZEN.format(campaign="COALESCE(NEW.campaign_id, OLD.campaign_id)"),
            ),
        ]

    def __str__(self) -> str:
        return self.key


class Step(models.Model):
    """One mail of a variant. What stands in a field replaces the shop's own words; empty fields keep them."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField(
        _("number"), default=1, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    delay = models.DurationField(
        _("delay"), default=timedelta, help_text=_("After the cart was found idle, or after the mail before.")
    )
    code_percent = models.PositiveSmallIntegerField(
        _("discount code"),
        default=0,
        validators=[MaxValueValidator(50)],
        help_text=_("Per cent off with a personal code in the mail; 0: no code."),
    )
    code_amount_minor = models.BigIntegerField(
        _("or an amount off"),
        default=0,
        db_default=0,
        validators=[MinValueValidator(0)],
        help_text=_("Off the whole cart instead of per cent, in minor units of the shop's currency; 0: none."),
    )
    code_other_amounts = models.CharField(
        _("amount off, in other currencies"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[_minimums],
        help_text=_("Such as EUR:500,JPY:800. Carts in a currency that is not named get the mail without a code."),
    )
    code_minimum_minor = models.BigIntegerField(
        _("code from"),
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_(
            "Smaller carts get the mail without a code. In minor units of the shop's currency, at today's prices."
            " With an amount off it is the code's own condition, too, and must be more than the amount."
        ),
    )
    code_other_minimums = models.CharField(
        _("code from, in other currencies"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[_minimums],
        help_text=_OTHERS,
    )
    code_days = models.PositiveSmallIntegerField(
        _("code works for days"), default=7, validators=[MinValueValidator(1), MaxValueValidator(90)]
    )
    promotion_id = models.BigIntegerField(null=True, editable=False)
    """What its codes bring, if per cent: made when the campaign starts."""
    promotion_ids = models.JSONField(default=dict, editable=False, db_default=Value({}, models.JSONField()))
    """What its codes bring, if an amount: one promotion for each currency."""
    subject = models.CharField(
        _("subject"), max_length=100, blank=True, help_text=_("{item}: the first item. {shop}: the shop's name.")
    )
    preheader = models.CharField(_("preview line"), max_length=120, blank=True)
    heading = models.CharField(_("heading"), max_length=100, blank=True)
    text = models.TextField(_("text"), max_length=1_000, blank=True)
    button = models.CharField(_("button"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["variant", "number"], name="one_step_a_number"),
            models.CheckConstraint(condition=Q(number__gte=1, number__lte=5), name="step_number_1_to_5"),
            models.CheckConstraint(condition=Q(delay__gte=timedelta()), name="step_delay_not_negative"),
            models.CheckConstraint(condition=Q(code_percent__lte=50), name="step_code_at_most_half"),
            models.CheckConstraint(
                condition=Q(code_percent=0) | Q(code_amount_minor=0, code_other_amounts=""),
                name="step_code_percent_or_amount",
                violation_error_message=_("A code takes off per cent or an amount, not both."),
            ),
            models.CheckConstraint(condition=Q(code_amount_minor__gte=0), name="step_code_amount_not_negative"),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="step_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=_FROZEN.format(
                    campaign="(SELECT v.campaign_id FROM notifications_variant v"
                    " WHERE v.id = COALESCE(NEW.variant_id, OLD.variant_id))"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.variant.key} {self.number}"

    def clean(self) -> None:
        """Refuse a code that gives carts away.

        :raises ValidationError: if an amount is not less than the minimum of its currency.
        """
        if currencies := self.gives_away():
            raise ValidationError(
                {
                    "code_other_minimums" if currency != settings.PRICING.currency else "code_minimum_minor": _(
                        "In %(currency)s carts must be worth more than the code takes off: name a greater minimum."
                    )
                    % {"currency": currency}
                    for currency in currencies
                }
            )

    def gives_away(self) -> tuple[str, ...]:
        """Name the currencies in which its code would take off all that a cart must be worth."""
        try:
            return given_away(
                own=settings.PRICING.currency,
                amount_minor=self.code_amount_minor or 0,
                amounts=self.code_other_amounts,
                minimum_minor=self.code_minimum_minor or 0,
                minimums=self.code_other_minimums,
            )
        except ValueError:
            return ()  # not well formed, which its field says


class SkipCount(models.Model):
    """How many idle carts a campaign left alone on one day, by reason."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="skips")
    day = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=40)
    count = models.PositiveIntegerField(_("carts"), default=0)

    class Meta:
        verbose_name = _("carts left alone")
        verbose_name_plural = _("carts left alone")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "day", "reason"], name="one_skip_count"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.reason}: {self.count}"
