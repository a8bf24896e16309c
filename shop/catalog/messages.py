"""Words for the catalogue's refusals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop.catalog.errors import CursorInvalidError, ProductUnknownError, SkuUnknownError
from shop.core.words import DETAIL_WORDS, Words, words

DETAIL_WORDS["cursor_invalid"] = gettext_lazy("This cursor was not given out by us. Start again without it.")


@words.register
def _sku_unknown(refusal: SkuUnknownError) -> Words:
    return Words(_("No such item"), _("There is no item with this number."))


@words.register
def _product_unknown(refusal: ProductUnknownError) -> Words:
    return Words(_("No such product"), _("There is no product at this address."))


@words.register
def _cursor_invalid(refusal: CursorInvalidError) -> Words:
    return Words(_("Please check your entries"), _("The list cannot be continued from there."))
