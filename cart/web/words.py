"""What the cart page says: about prices, stock, what changed and what was done."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cart.types import LineView, MergeOutcome, ReceiptLine
from cart.web.flash import Did
from cart.wording import notice_words as notice_words
from inventory.types import AvailabilityState
from shop.catalog.types import SkuCard
from shop.catalog.web.words import only_left, reserved_words
from shop.core.money import Money
from shop.core.templatetags.trolley import format_money


def price_words(was: Money | None, current: Money | None, *, is_saved: bool = False) -> str:
    """Say that a price differs from the one at adding; nothing where it does not."""
    if was is None or current is None or was == current:
        return ""
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
    if was is None or current is None:
        return ""
    return "warn" if current > was else "good"


def line_stock_words(line: LineView) -> str:
    """Say what stands between a line and being bought; nothing where it can be bought as it is."""
    if not line.is_sold:
        return _("%(title)s is no longer sold. It is not in your total.") % {"title": line.title}
    if line.unit_price is None:
        return _("%(title)s has no price right now. It is not in your total.") % {"title": line.title}
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


def saved_stock_words(line: LineView) -> str:
    """Say why a saved line cannot be moved to the cart, or that few are left."""
    if not line.is_sold:
        return _("No longer sold.")
    if line.unit_price is None or line.buyable <= 0:
        return _("Out of stock") if line.retry_after_seconds is None else reserved_words(line.retry_after_seconds)
    return only_left(line.available) if line.state is AvailabilityState.LOW else ""


def receipt_words(line: ReceiptLine, cards: Mapping[str, SkuCard], *, max_quantity: int, max_lines: int) -> str:
    """Say what a merge did to one SKU."""
    card = cards.get(line.sku_id)
    facts = {
        "title": card.title if card else line.sku_id,
        "account": line.account,
        "guest": line.guest,
        "result": line.result,
        "other": min(line.account, line.guest),
        "asked": line.account + line.guest,
        "limit": max_quantity,
        "lines": max_lines,
    }
    match line.outcome:
        case MergeOutcome.ADDED:
            return _("%(title)s: added") % facts
        case MergeOutcome.KEPT_LARGER:
            return _("%(title)s: kept %(result)s (the other cart had %(other)s)") % facts
        case MergeOutcome.SUMMED:
            return _("%(title)s: %(account)s + %(guest)s = %(result)s") % facts
        case MergeOutcome.KEPT_SAVED:
            return _("%(title)s: kept the %(result)s of your account") % facts
        case MergeOutcome.CAPPED if line.result >= max_quantity:
            return _("%(title)s: %(result)s of %(asked)s kept, %(limit)s is the most") % facts
        case MergeOutcome.CAPPED:
            return _("%(title)s: %(result)s of %(asked)s kept, only %(result)s left") % facts
        case MergeOutcome.DISCONTINUED:
            return _("%(title)s is no longer sold: left out") % facts
        case MergeOutcome.LIST_FULL:
            return _("%(title)s: left out, a cart takes %(lines)s different items") % facts
        case _:
            return _("1 unknown item: left out")


def did_words(did: Did, *, units: int, total: Money) -> str:
    """Say what the last action did: in the status line, in an Undo row, or on top of the page."""
    facts = {"title": did.title, "quantity": did.quantity, "total": format_money(total)}
    match did.kind:
        case "added":
            return added_words(did.title, units)
        case "clamped":
            return f"{only_left(did.quantity)}. " + _("Quantity set to %(quantity)s.") % facts
        case "set":
            return _("%(title)s: %(quantity)s. Total %(total)s.") % facts
        case "removed" | "unsaved":
            return _("Removed %(title)s.") % facts
        case "saved" | "kept":
            return _("Saved %(title)s for later.") % facts
        case "moved":
            return _("Moved %(title)s to your cart.") % facts
        case "emptied":
            return _("Emptied your cart.")
        case "undone" if did.title:
            return _("%(title)s is back in your cart.") % facts
        case "undone":
            return _("Your last change was undone.")
        case "unmerged":
            return _("Your account's cart is as it was. The other items are saved for later.")
        case _:
            return _("Notices cleared.")


def added_words(title: str, units: int) -> str:
    """Say that something was added, and how much is in the cart now."""
    cart = ngettext("Cart: %(count)d item.", "Cart: %(count)d items.", units) % {"count": units}
    return _("Added %(title)s.") % {"title": title} + " " + cart


def stop_words(code: str) -> tuple[str, bool]:
    """Say why the shopper was sent back to the cart, and whether that is bad news; nothing for a code that is none."""
    match code:
        case "insufficient_stock":
            return _("Checkout has not started: there is too little of the marked items. Nothing is reserved."), True
        case "line_unavailable":
            return _("Checkout has not started: the marked items are no longer sold. Nothing is reserved."), True
        case "carts_unavailable":
            return _("Checkout cannot start right now. Please try again in a minute."), True
        case "reservation_limit":
            return _("You have too many checkouts open. Finish or cancel one of them first."), True
        case "checkout_cancelled":
            return _("This checkout is over. Your cart is kept; you can check out again."), True
        case "given_back":
            return _("Checkout cancelled. Your items are no longer reserved; your cart is kept."), False
        case "ordered_again":
            return _("The items of your order are in your cart, at today's prices."), False
        case "ordered_again_partly":
            return _(
                "Your cart has what is still there of your order, at today's prices. The rest is sold out or no longer sold."
            ), False
        case "nothing_again":
            return _("Nothing of this order can be bought right now."), True
        case _:
            return "", False
