"""Words for the cart's refusals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cart import errors
from shop.core.words import DETAIL_WORDS, Words, words


@words.register
def _quantity_invalid(refusal: errors.QuantityInvalidError) -> Words:
    return Words(_("Please check the quantity"), _("Please enter a whole number."))


@words.register
def _quantity_too_large(refusal: errors.QuantityTooLargeError) -> Words:
    text = _("At most %(limit)d of one item fit in a cart.") % {"limit": refusal.limit}
    return Words(_("Too many of one item"), text)


@words.register
def _region_unknown(refusal: errors.RegionUnknownError) -> Words:
    return Words(_("Unknown region"), _("Choose a region from the list."))


@words.register
def _cart_full(refusal: errors.CartFullError) -> Words:
    text = ngettext(
        "A cart takes %(limit)d item. Remove one to add another, or save it for later.",
        "A cart takes %(limit)d different items. Remove one to add another, or save it for later.",
        refusal.limit,
    )
    return Words(_("The cart is full"), text % {"limit": refusal.limit})


@words.register
def _saved_list_full(refusal: errors.SavedListFullError) -> Words:
    text = _("Saved for later takes %(limit)d different items. Remove one to save another.")
    return Words(_("The saved list is full"), text % {"limit": refusal.limit})


@words.register
def _sku_not_sellable(refusal: errors.SkuNotSellableError) -> Words:
    return Words(_("Not sold any more"), _("This item is no longer sold."))


@words.register
def _line_unknown(refusal: errors.LineUnknownError) -> Words:
    return Words(_("Not in this list"), _("This item is not in the list any more. We show the latest version."))


@words.register
def _cart_changed(refusal: errors.CartChangedError) -> Words:
    return Words(_("The cart was changed"), _("This cart was changed in another tab. We show the latest version."))


@words.register
def _cart_locked(refusal: errors.CartLockedError) -> Words:
    return Words(
        _("The cart is being paid for"),
        _("This cart is being paid for. You can change it when the payment is finished."),
    )


@words.register
def _cart_frozen(refusal: errors.CartFrozenError) -> Words:
    return Words(_("The cart is being joined"), _("This cart is being joined with another. Please try again."))


@words.register
def _cart_merged(refusal: errors.CartMergedError) -> Words:
    return Words(_("This cart was joined"), _("This cart was joined with the cart of your account."))


@words.register
def _undo_expired(refusal: errors.UndoExpiredError) -> Words:
    return Words(_("Too late to undo"), _("This change can no longer be undone."))


@words.register
def _undo_superseded(refusal: errors.UndoSupersededError) -> Words:
    return Words(_("Changed since"), _("The same items were changed since, so this change cannot be undone."))


@words.register
def _merge_source_gone(refusal: errors.MergeSourceGoneError) -> Words:
    return Words(_("No cart to join"), _("The cart that was to be joined does not exist any more."))


@words.register
def _operation_reused(refusal: errors.OperationReusedError) -> Words:
    return Words(_("The key was used before"), _("This Idempotency-Key was used for another change. Use a new key."))


@words.register
def _merge_question_gone(refusal: errors.MergeQuestionGoneError) -> Words:
    return Words(_("Nothing to decide"), _("There is nothing left to decide about these carts."))


@words.register
def _dead_letter_stands(refusal: errors.DeadLetterStandsError) -> Words:
    text = _("It still cannot be recorded, and Redis holds no cart to record in its place.")
    return Words(_("Not recorded"), text)


@words.register
def _carts_unavailable(refusal: errors.CartsUnavailableError) -> Words:
    return Words(
        _("Carts cannot be changed right now"),
        _("The cart cannot be changed right now. Please try again in a minute."),
    )


DETAIL_WORDS.update(
    {
        "not_an_integer": gettext_lazy("Please enter a whole number."),
        "min_value": gettext_lazy("The least is {limit}."),
        "max_value": gettext_lazy("The most is {limit}."),
        "max_items": gettext_lazy("At most {limit} items can be sent."),
        "invalid_sku": gettext_lazy("This is not an item number."),
        "sku_unknown": gettext_lazy("There is no such item."),
        "sku_not_sellable": gettext_lazy("This item is no longer sold."),
        "not_an_answer": gettext_lazy("This asks again. Choose “max”, “sum” or “keep_saved”."),
        "not_in_list": gettext_lazy("This item is not in the list any more."),
    }
)
