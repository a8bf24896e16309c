"""What pages and API say alike of a cart: its notices and warnings."""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cart.types import MergeOutcome, Notice
from pricing.errors import refusal_of
from pricing.types import CodeOff
from shop.core.money import Money
from shop.core.templatetags.trolley import format_money
from shop.core.words import DETAIL_WORDS, words

DETAIL_WORDS.update(
    {
        "clamped": gettext_lazy("The quantity was set to {quantity}: there is no more, or a cart takes no more."),
        "cart_session_ignored": gettext_lazy(
            "You are signed in, so the guest's cart that was sent along was left alone."
        ),
        "cart_is_copy": gettext_lazy("This is a copy and may be a little old. The cart cannot be changed right now."),
    }
)

OUTCOME_WORDS = {
    MergeOutcome.ADDED: gettext_lazy("added"),
    MergeOutcome.KEPT_LARGER: gettext_lazy("larger kept"),
    MergeOutcome.SUMMED: gettext_lazy("summed"),
    MergeOutcome.KEPT_SAVED: gettext_lazy("account's kept"),
    MergeOutcome.ASKED: gettext_lazy("asked"),
    MergeOutcome.CAPPED: gettext_lazy("capped"),
    MergeOutcome.DISCONTINUED: gettext_lazy("no longer sold"),
    MergeOutcome.UNKNOWN_SKU: gettext_lazy("unknown"),
    MergeOutcome.LIST_FULL: gettext_lazy("list full"),
}
"""What a merge did to a SKU, for staff."""

REASON_WORDS = {
    "set": gettext_lazy("quantity set"),
    "add": gettext_lazy("added"),
    "save": gettext_lazy("saved for later"),
    "unsave": gettext_lazy("moved to the cart"),
    "set_saved": gettext_lazy("saved list changed"),
    "patch": gettext_lazy("several lines changed"),
    "replace": gettext_lazy("replaced"),
    "empty": gettext_lazy("emptied"),
    "undo": gettext_lazy("undone"),
    "ack": gettext_lazy("notices acknowledged"),
    "code": gettext_lazy("discount code entered"),
    "code_off": gettext_lazy("discount code removed"),
    "region": gettext_lazy("another region chosen"),
    "merge": gettext_lazy("joined with a guest's cart"),
    "answer": gettext_lazy("answered what a merge had asked"),
    "merged": gettext_lazy("joined to a customer's cart"),
    "order": gettext_lazy("ordered"),
    "retry": gettext_lazy("recorded by staff"),
}
"""What changed a cart, for staff."""


def code_off_words(off: CodeOff) -> str:
    """Say that a discount code takes nothing off, and why."""
    why = words(refusal_of(replace(off, label=""))).detail
    return _("%(code)s takes nothing off now. %(why)s") % {"code": off.label, "why": why}


def notice_words(notice: Notice) -> str:  # noqa: PLR0911 - a table
    """Put one change that the shopper did not make into a line of the digest."""
    title = notice.title
    match notice.kind:
        case "price_up" | "price_down" if isinstance(notice.was, Money) and isinstance(notice.now, Money):
            numbers = {
                "title": title,
                "difference": format_money(abs(notice.now - notice.was)),
                "now": format_money(notice.now),
            }
            if notice.kind == "price_up":
                return _("%(title)s: price up %(difference)s to %(now)s") % numbers
            return _("%(title)s: price down %(difference)s to %(now)s") % numbers
        case "short":
            facts = {"title": title, "left": notice.now or 0, "have": notice.was or 0}
            if not notice.now:
                return _("%(title)s: none left, you have %(have)s") % facts
            return _("%(title)s: only %(left)s left, you have %(have)s") % facts
        case "discontinued":
            return _("%(title)s is no longer sold") % {"title": title}
        case "code_off":
            minimum = notice.now if isinstance(notice.now, Money) else None
            return code_off_words(CodeOff(0, title, notice.reason, minimum))
        case "not_in_region":
            return _("%(title)s is not sold in your region") % {"title": title}
        case "currency":
            return _("Prices are now in %(currency)s, for the region you chose.") % {"currency": title}
        case "merged":
            return _("We joined two carts")
        case _:
            return _("This cart was changed in another tab. We show the latest version.")
