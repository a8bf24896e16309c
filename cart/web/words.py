"""What the cart page says: about prices, stock, what changed and what was done."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cart.types import LineView, MergeOutcome, ReceiptLine
from cart.web.flash import Did
from inventory.types import AvailabilityState
from shop.catalog.types import SkuCard
from shop.catalog.web.words import only_left, reserved_words
from shop.core.money import Money
from shop.core.templatetags.trolley import format_money


def price_words(was: Money | None, current: Money | None, *, is_saved: bool = False) -> str:
    """Say that a price differs from the one at adding; nothing where it does not."""
    if was is None or current is None or was == current:
        return ""
    if was.currency != current.currency:
        both = {"was": format_money(was), "now": format_money(current)}
        return _("It was %(was)s in the region where you added it; here it is %(now)s.") % both
    numbers = {"difference": format_money(abs(current - was)), "was": format_money(was), "now": format_money(current)}
    if current > was:
        if is_saved:
            return _("Price up %(difference)s since you saved it. It was %(was)s; it is %(now)s now.") % numbers
        return _("Price up %(difference)s. It was %(was)s when you added it; it is %(now)s now.") % numbers
    if is_saved:
        return _("Price down %(difference)s since you saved it. It was %(was)s; it is %(now)s now.") % numbers
    return _("Price down %(difference)s. It was %(was)s when you added it; it is %(now)s now.") % numbers


def price_kind(was: Money | None, current: Money | None) -> str:
    """Name the look of `price_words`: a rise warns, a fall pleases."""
    if was is None or current is None or was.currency != current.currency:
        return ""
    return "warn" if current > was else "good"


def line_stock_words(line: LineView) -> str:
    """Say what stands between a line and being bought; nothing where it can be bought as it is."""
    if line.is_elsewhere or not line.is_sold or line.unit_price is None:
        return _why_not_sold(line) % {"title": line.title}
    if line.buyable >= line.quantity:
        return ""
    if line.buyable > 0:
        have = ngettext("You have %(count)d in your cart.", "You have %(count)d in your cart.", line.quantity)
        return f"{only_left(line.buyable)}. {have % {'count': line.quantity}}"
    if line.state is AvailabilityState.RESERVED_BY_OTHERS or line.retry_after_seconds is not None:
        return reserved_words(line.retry_after_seconds)
    return _("Out of stock. Save it for later, or remove it to check out.")


def limit_words(line: LineView, limit: int) -> str:
    """Say why there can be no more of a line: the stock, or what a cart takes."""
    if line.quantity >= limit:
        return _("%(limit)d is the most of one item.") % {"limit": limit}
    return only_left(line.buyable) + "."


def _why_not_sold(line: LineView) -> str:
    if line.is_elsewhere:
        return _("%(title)s is not sold in your region. It is not in your total.")
    if not line.is_sold:
        return _("%(title)s is no longer sold. It is not in your total.")
    return _("%(title)s has no price right now. It is not in your total.")


def saved_stock_words(line: LineView) -> str:
    """Say why a saved line cannot be moved to the cart, or that few are left."""
    if line.is_elsewhere:
        return _("Not sold in your region.")
    if not line.is_sold:
        return _("No longer sold.")
    if line.unit_price is None or line.buyable <= 0:
        return _("Out of stock") if line.retry_after_seconds is None else reserved_words(line.retry_after_seconds)
    return only_left(line.available) if line.state is AvailabilityState.LOW else ""


_RECEIPT = {
    MergeOutcome.ADDED: gettext_lazy("%(title)s: added"),
    MergeOutcome.KEPT_LARGER: gettext_lazy("%(title)s: kept %(result)s (the other cart had %(other)s)"),
    MergeOutcome.SUMMED: gettext_lazy("%(title)s: %(account)s + %(guest)s = %(result)s"),
    MergeOutcome.KEPT_SAVED: gettext_lazy("%(title)s: kept the %(result)s of your account"),
    MergeOutcome.ASKED: gettext_lazy("%(title)s: %(account)s in your account, %(guest)s in the other cart"),
    MergeOutcome.CAPPED: gettext_lazy("%(title)s: %(result)s of %(asked)s kept, only %(result)s left"),
    MergeOutcome.DISCONTINUED: gettext_lazy("%(title)s is no longer sold: left out"),
    MergeOutcome.UNKNOWN_SKU: gettext_lazy("1 unknown item: left out"),
    MergeOutcome.LIST_FULL: gettext_lazy("%(title)s: left out, a cart takes %(lines)s different items"),
}
_CAPPED_BY_LIMIT = gettext_lazy("%(title)s: %(result)s of %(asked)s kept, %(limit)s is the most")


def receipt_words(line: ReceiptLine, cards: Mapping[str, SkuCard], *, max_quantity: int, max_lines: int) -> str:
    """Say what a merge did to one SKU."""
    card = cards.get(line.sku_id)
    is_limit = line.outcome is MergeOutcome.CAPPED and line.result >= max_quantity
    template = _CAPPED_BY_LIMIT if is_limit else _RECEIPT[line.outcome]
    return str(template) % {
        "title": card.title if card else line.sku_id,
        "account": line.account,
        "guest": line.guest,
        "result": line.result,
        "other": min(line.account, line.guest),
        "asked": line.account + line.guest,
        "limit": max_quantity,
        "lines": max_lines,
    }


_DID = {
    "set": gettext_lazy("%(title)s: %(quantity)s. Total %(total)s."),
    "removed": gettext_lazy("Removed %(title)s."),
    "unsaved": gettext_lazy("Removed %(title)s."),
    "saved": gettext_lazy("Saved %(title)s for later."),
    "kept": gettext_lazy("Saved %(title)s for later."),
    "moved": gettext_lazy("Moved %(title)s to your cart."),
    "emptied": gettext_lazy("Emptied your cart."),
    "undone": gettext_lazy("%(title)s is back in your cart."),
    "unmerged": gettext_lazy("Your account's cart is as it was. The other items are saved for later."),
    "acknowledged": gettext_lazy("Notices cleared."),
    "code": gettext_lazy("Discount code applied. Total %(total)s."),
    "code_off": gettext_lazy("Discount code removed. Total %(total)s."),
}
_UNDONE = gettext_lazy("Your last change was undone.")
_CLAMPED = gettext_lazy("Quantity set to %(quantity)s.")


def did_words(did: Did, *, units: int, total: Money) -> str:
    """Say what the last action did: in the status line, in an Undo row, or on top of the page."""
    facts = {"title": did.title, "quantity": did.quantity, "total": format_money(total)}
    if did.kind == "added":
        return added_words(did.title, units)
    if did.kind == "clamped":
        return f"{only_left(did.quantity)}. {str(_CLAMPED) % facts}"
    template = _UNDONE if did.kind == "undone" and not did.title else _DID[did.kind]
    return str(template) % facts


def added_words(title: str, units: int) -> str:
    """Say that something was added, and how much is in the cart now."""
    cart = ngettext("Cart: %(count)d item.", "Cart: %(count)d items.", units) % {"count": units}
    return _("Added %(title)s.") % {"title": title} + " " + cart


_STOPPED = {
    "insufficient_stock": gettext_lazy(
        "Checkout has not started: there is too little of the marked items. Nothing is reserved."
    ),
    "line_unavailable": gettext_lazy(
        "Checkout has not started: the marked items are no longer sold. Nothing is reserved."
    ),
    "carts_unavailable": gettext_lazy("Checkout cannot start right now. Please try again in a minute."),
    "units_limit": gettext_lazy(
        "So many units cannot be reserved at once. Take some out of your cart, or pay in two orders."
    ),
    "address_limit": gettext_lazy(
        "A lot is being reserved from your network right now. Please try again in a few minutes."
    ),
    "reservation_limit": gettext_lazy("You have too many checkouts open. Finish or cancel one of them first."),
    "checkout_cancelled": gettext_lazy("This checkout is over. Your cart is kept; you can check out again."),
    "nothing_again": gettext_lazy("Nothing of this order can be bought right now."),
}
_ARRIVED = {
    "given_back": gettext_lazy("Checkout cancelled. Your items are no longer reserved; your cart is kept."),
    "ordered_again": gettext_lazy("The items of your order are in your cart, at today's prices."),
    "ordered_again_partly": gettext_lazy(
        "Your cart has what is still there of your order, at today's prices. These are not as you ordered them:"
    ),
}


def stop_words(code: str) -> tuple[str, bool]:
    """Say why the shopper was sent to the cart, and whether that is bad news; nothing for a code that is none."""
    said = _STOPPED.get(code) or _ARRIVED.get(code)
    return str(said or ""), code in _STOPPED
