"""What shoppers are told about stock, before and after they put something into the cart."""

from __future__ import annotations

from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.types import Availability, AvailabilityState


def stock_words(availability: Availability) -> str:
    """Say how much there is: a number only when it is small and true."""
    match availability.state:
        case AvailabilityState.IN_STOCK:
            return _("In stock")
        case AvailabilityState.LOW:
            return only_left(availability.available)
        case AvailabilityState.RESERVED_BY_OTHERS:
            return reserved_words(availability.retry_after_seconds)
        case _:
            return _("Out of stock")


def only_left(available: int) -> str:
    """Say that few are left."""
    return ngettext("Only %(count)d left", "Only %(count)d left", available) % {"count": available}


def reserved_words(retry_after_seconds: int | None) -> str:
    """Say that every unit is in somebody's checkout, and when one may come back."""
    if retry_after_seconds is None:
        return _("All reserved by other shoppers. Some may come back soon.")
    minutes = max(1, ceil(retry_after_seconds / 60))
    return ngettext(
        "All reserved by other shoppers. Some may come back in about %(count)d minute.",
        "All reserved by other shoppers. Some may come back in about %(count)d minutes.",
        minutes,
    ) % {"count": minutes}
