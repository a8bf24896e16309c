"""Words for pricing's refusals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pricing import errors
from shop.core.templatetags.trolley import format_money
from shop.core.words import DETAIL_WORDS, Words, words

DETAIL_WORDS["price_range"] = gettext_lazy("A price is from 1 to {limit} in the smallest unit.")


@words.register
def _price_invalid(refusal: errors.PriceInvalidError) -> Words:
    return Words(_("Please check your entries"), _("This price is not possible."))


@words.register
def _code_unknown(refusal: errors.CodeUnknownError) -> Words:
    return Words(_("Unknown discount code"), _("There is no such discount code. Please check how it is written."))


@words.register
def _code_not_yet(refusal: errors.CodeNotYetError) -> Words:
    return Words(_("Discount code not valid yet"), _("This discount code is not valid yet."))


@words.register
def _code_expired(refusal: errors.CodeExpiredError) -> Words:
    return Words(_("Discount code over"), _("This discount code is not valid any more."))


@words.register
def _code_used_up(refusal: errors.CodeUsedUpError) -> Words:
    if refusal.label:
        text = _("The discount code %(code)s has been used up.") % {"code": refusal.label}
    else:
        text = _("This discount code has been used up.")
    return Words(_("Discount code used up"), text)


@words.register
def _promotion_used_up(refusal: errors.PromotionUsedUpError) -> Words:
    text = _("“%(name)s” has been used up.") % {"name": refusal.label}
    return Words(_("Offer used up"), text)


@words.register
def _code_minimum(refusal: errors.CodeMinimumError) -> Words:
    text = _("This discount code needs items worth at least %(minimum)s.")
    return Words(_("Not enough for this discount code"), text % {"minimum": format_money(refusal.minimum)})


@words.register
def _code_not_for_cart(refusal: errors.CodeNotForCartError) -> Words:
    return Words(_("Discount code not for this cart"), _("This discount code fits nothing in your cart."))


@words.register
def _code_not_combinable(refusal: errors.CodeNotCombinableError) -> Words:
    return Words(
        _("Discount code cannot be combined"),
        _("This discount code cannot be combined with the discounts that your cart has already."),
    )


@words.register
def _code_taken(refusal: errors.CodeTakenError) -> Words:
    return Words(_("Please choose another code"), _("There is such a code already, or it cannot be a code."))
