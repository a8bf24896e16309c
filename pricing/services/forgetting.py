"""Forget a customer: their segment, the codes made for them, and whose mail address a use was counted by."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import F

from pricing.models import CustomerSegment, DiscountCode, PromotionUse, Redemption

HASHED = "m:"
"""Begins what a guest's uses are counted by: a hash of the mail address, which whoever knows the address can make."""


def forget_customer(*, user_id: int | None, checkout_ids: Collection[str], now: datetime) -> None:
    """Take a customer, if it is one, and the buyers of these checkouts out of prices and codes. Safe to repeat.

    Codes made for the customer end before they are no longer bound to anybody. Uses stay counted, by checkout.
    """
    with transaction.atomic():
        if user_id is not None:
            CustomerSegment.objects.filter(user_id=user_id).delete()
            bound = DiscountCode.objects.select_for_update(no_key=True).filter(user_id=user_id).order_by("pk")
            codes = DiscountCode.objects.filter(pk__in=[code.pk for code in bound])  # locked, in their order
            codes.filter(revoked_at=None).update(revoked_at=now)
            codes.update(user_id=None)
        for uses in (Redemption.objects, PromotionUse.objects):
            mine = uses.filter(checkout_id__in=checkout_ids, customer_key__startswith=HASHED)
            mine.update(customer_key=F("owner"))
