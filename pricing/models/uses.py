"""Who used which discount code, and which promotion that has a limit."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from pricing.models.promotions import DiscountCode, Promotion

_IS_LIVE = Q(released_at__isnull=True)
_IS_OPEN_OR_KEPT = _IS_LIVE | Q(order_number="")


class Use(models.Model):
    """One use: claimed when a payment starts, final with the order, released if there is none."""

    checkout_id = models.CharField(_("checkout"), max_length=40)
    owner = models.CharField(_("owner"), max_length=80)
    customer_key = models.CharField(_("customer"), max_length=80)
    """A customer's owner text, or a hash of a guest's mail address: whose uses are counted together."""
    order_number = models.CharField(_("order"), max_length=40, blank=True, default="")
    """Set once the order is made: from then on it is never released."""
    claimed_at = models.DateTimeField(_("claimed"), db_default=Now())
    released_at = models.DateTimeField(_("released"), null=True, blank=True)

    class Meta:
        """Shared by the two tables."""

        abstract = True


class Redemption(Use):
    """A use of a code."""

    code = models.ForeignKey(DiscountCode, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("code"))

    class Meta:
        """One live claim a code and checkout."""

        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        ordering: ClassVar = ["-claimed_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["code", "checkout_id"], condition=_IS_LIVE, name="one_live_claim_a_code_and_checkout"
            ),
            models.CheckConstraint(condition=_IS_OPEN_OR_KEPT, name="final_redemption_is_never_released"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["checkout_id"], condition=_IS_LIVE, name="redemption_of_checkout"),
            models.Index(fields=["code", "customer_key"], condition=_IS_LIVE, name="redemption_of_customer"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="redemption_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.code_id} {self.checkout_id}"


class PromotionUse(Use):
    """A use of a promotion that has a limit, with a code or of itself."""

    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="uses", verbose_name=_("promotion"))

    class Meta:
        """One live claim a promotion and checkout."""

        verbose_name = _("use of a promotion")
        verbose_name_plural = _("uses of promotions")
        ordering: ClassVar = ["-claimed_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["promotion", "checkout_id"], condition=_IS_LIVE, name="one_live_claim_a_promotion_and_checkout"
            ),
            models.CheckConstraint(condition=_IS_OPEN_OR_KEPT, name="final_promotion_use_is_never_released"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["checkout_id"], condition=_IS_LIVE, name="promotion_use_of_checkout"),
            models.Index(fields=["promotion", "customer_key"], condition=_IS_LIVE, name="promotion_use_of_customer"),
            models.Index(fields=["promotion", "owner"], condition=_IS_LIVE, name="promotion_use_of_owner"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="promotion_use_never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.promotion_id} {self.checkout_id}"
