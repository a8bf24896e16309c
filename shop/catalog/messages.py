"""Words for the catalogue's refusals."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop.catalog.errors import (
    CursorInvalidError,
    PictureUnknownError,
    ProductUnknownError,
    SkuInvalidError,
    SkuUnknownError,
)
from shop.core.words import DETAIL_WORDS, Words, words

DETAIL_WORDS["cursor_invalid"] = gettext_lazy("This cursor was not given out by us. Start again without it.")

DETAIL_WORDS["sku_invalid"] = gettext_lazy("This cannot be a SKU.")


@words.register
def _sku_unknown(refusal: SkuUnknownError) -> Words:
    return Words(_("No such item"), _("There is no item with this number."))


@words.register
def _product_unknown(refusal: ProductUnknownError) -> Words:
    return Words(_("No such product"), _("There is no product at this address."))


@words.register
def _cursor_invalid(refusal: CursorInvalidError) -> Words:
    return Words(_("Please check your entries"), _("The list cannot be continued from there."))


@words.register
def _picture_unknown(refusal: PictureUnknownError) -> Words:
    return Words(_("No such picture"), _("There is no picture at this address."))


@words.register
def _sku_invalid(refusal: SkuInvalidError) -> Words:
    return Words(_("Please check your entries"), _("This cannot be a SKU."))
