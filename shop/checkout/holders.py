"""Who stands behind a reservation, for staff: the checkout that it is for, with its mail address masked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from shop.checkout import models
from shop.checkout.types import CheckoutState
from shop.core.privacy import mask


@dataclass(frozen=True, slots=True)
class CheckoutLabel:
    """A checkout in a few words."""

    checkout_id: str
    who: str
    step: str


def label_checkouts(*, checkout_ids: Collection[str]) -> dict[str, CheckoutLabel]:
    """Name these checkouts by who buys and how far they are (one query); those that do not exist are left out."""
    found = models.Checkout.objects.filter(pk__in=set(checkout_ids)).only("email", "address", "state")
    return {row.checkout_id: CheckoutLabel(row.checkout_id, _who(row), _step(row)) for row in found}


def _who(row: models.Checkout) -> str:
    return mask(row.email) if row.email else _("guest")


def _step(row: models.Checkout) -> str:
    if row.state == CheckoutState.PAYING.value:
        return _("being paid")
    if row.state != CheckoutState.OPEN.value:
        return row.state
    return _("payment") if row.email and row.address else _("delivery")
