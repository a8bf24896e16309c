"""Words for pricing's refusals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pricing.errors import PriceInvalidError
from shop.core.words import DETAIL_WORDS, Words, words

DETAIL_WORDS["price_range"] = gettext_lazy("A price is from 1 to {limit} in the smallest unit.")


@words.register
def _price_invalid(refusal: PriceInvalidError) -> Words:
    return Words(_("Please check your entries"), _("This price is not possible."))
