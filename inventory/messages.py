"""Words for inventory's refusals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inventory.errors import (
    AdjustmentInvalidError,
    DriftUnrepairableError,
    InsufficientStockError,
    LocationInUseError,
    LocationUnknownError,
    RenewalLimitError,
    ReservationExpiredError,
    ReservationPinnedError,
    ReservationUnknownError,
    StockBelowReservedError,
    StockBusyError,
)
from inventory.models import ENTRY_KINDS, REASONS
from inventory.types import STAFF, ReleaseReason, StockEntryKind
from shop.core.words import DETAIL_WORDS, Words, words

DETAIL_WORDS.update(
    {
        "short": gettext_lazy("Only {buyable} left. You want {requested}."),
        "stock_below_reserved": gettext_lazy(
            "At most {most} can be taken away: {on_hand} are on hand, of which {reserved} are reserved."
        ),
        "delta_zero": gettext_lazy("0 changes nothing."),
        "delta_range": gettext_lazy("At most {limit} units can be on hand."),
        "location_unknown": gettext_lazy("Choose one of the locations that are open."),
        "reason_unknown": gettext_lazy("Choose one of the reasons."),
        "max_length": gettext_lazy("At most {limit} characters."),
    }
)

RELEASE_WORDS = {
    ReleaseReason.ASKED: gettext_lazy("you asked us to"),
    ReleaseReason.DUPLICATE: gettext_lazy("the same items were reserved twice"),
    ReleaseReason.NEEDED: gettext_lazy("the items are needed for an order placed before"),
    ReleaseReason.MISUSE: gettext_lazy("the items were kept for long without being bought"),
}
"""What the shopper reads, behind “Our staff ended your reservation:”."""


def release_words(cause: str) -> str:
    """Put the cause of a reservation's end into words if staff ended it; empty if they did not."""
    name = cause.removeprefix(STAFF)
    is_staff = cause.startswith(STAFF) and name in set(ReleaseReason)
    return str(RELEASE_WORDS[ReleaseReason(name)]) if is_staff else ""


def entry_words(kind: str, reason: str) -> str:
    """Say what a line of the ledger is, and why, where its kind does not say that."""
    says_all = (StockEntryKind.SALE.value, StockEntryKind.RECOUNT.value, StockEntryKind.REPAIR.value)
    called = str(dict(ENTRY_KINDS).get(kind, kind))
    return called if kind in says_all else f"{called}: {dict(REASONS).get(reason, reason)}"


@words.register
def _insufficient_stock(refusal: InsufficientStockError) -> Words:
    count = len(refusal.shortages)
    return Words(
        _("Not enough stock"),
        ngettext("%(count)d line is short.", "%(count)d lines are short.", count) % {"count": count},
    )


@words.register
def _reservation_unknown(refusal: ReservationUnknownError) -> Words:
    return Words(_("Not found"), _("There is no such reservation."))


@words.register
def _reservation_expired(refusal: ReservationExpiredError) -> Words:
    return Words(
        _("No longer reserved"), _("Your items are no longer reserved. You can still buy them while stock lasts.")
    )


@words.register
def _renewal_limit(refusal: RenewalLimitError) -> Words:
    detail = _(
        "You have added time %(limit)d times. Your items stay reserved until the time shown; "
        "then you can reserve again while stock lasts."
    )
    return Words(_("No more time can be added"), detail % {"limit": refusal.limit})


@words.register
def _stock_below_reserved(refusal: StockBelowReservedError) -> Words:
    detail = _("%(on_hand)d units are on hand, of which %(reserved)d are reserved: fewer cannot be left.")
    return Words(_("Not enough units"), detail % {"reserved": refusal.reserved, "on_hand": refusal.on_hand})


@words.register
def _adjustment_invalid(refusal: AdjustmentInvalidError) -> Words:
    return Words(_("Please check your entries"), _("This adjustment is not possible."))


@words.register
def _stock_busy(refusal: StockBusyError) -> Words:
    return Words(_("Very busy"), _("Many people want this item right now. Please try again in a few seconds."))


@words.register
def _drift_unrepairable(refusal: DriftUnrepairableError) -> Words:
    detail = _(
        "%(live)d units are reserved, but the ledger has only %(booked)d on hand. "
        "Count the shelf or release a reservation, then repair again."
    )
    return Words(_("Counters cannot be repaired"), detail % {"live": refusal.live, "booked": refusal.booked})


@words.register
def _reservation_pinned(refusal: ReservationPinnedError) -> Words:
    return Words(_("Being paid"), _("A payment runs for this reservation. It can be released when that is over."))


@words.register
def _location_unknown(refusal: LocationUnknownError) -> Words:
    return Words(_("Not found"), _("There is no such location."))


@words.register
def _location_in_use(refusal: LocationInUseError) -> Words:
    if refusal.is_first:
        return Words(_("Cannot be closed"), _("The first location takes what names no other: it stays open."))
    return Words(_("Cannot be closed"), _("There are units in this location. Book them out, and close it then."))
