"""Words for prices that are valid at the same time."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pricing.models import Price
from pricing.overlaps import do_overlap
from pricing.types import NewPrice
from shop.core.money import Money
from shop.core.templatetags.trolley import format_money

MOST_NAMED = 5


def describe(price: Price) -> str:
    """Say what a price is and when it is valid."""
    words = {
        "amount": format_money(Money(price.unit_price_minor, price.currency)),
        "begins": date_format(localtime(price.valid_from), "SHORT_DATETIME_FORMAT"),
    }
    if price.valid_until is None:
        return gettext("%(amount)s from %(begins)s without an end") % words
    ends = date_format(localtime(price.valid_until), "SHORT_DATETIME_FORMAT")
    return gettext("%(amount)s from %(begins)s to %(ends)s") % {**words, "ends": ends}


def meeting_words(price: Price | NewPrice, rivals: Sequence[Price]) -> list[str]:
    """Name the prices that a price meets, the latest first, and say which goes before which: the one that begins later.

    `rivals` are the latest first. Of those that begin earlier only the one is named that this price follows; whatever
    went before is out of force by then anyway. Of the price itself, and of one that it replaces because both begin at
    the same moment, nothing is said.
    """
    met = [other for other in rivals if other.valid_from != price.valid_from and do_overlap(price, other)]
    later = [other for other in met if other.valid_from > price.valid_from]
    followed = [other for other in met if other.valid_from < price.valid_from][:1]
    said = [_words(other, is_later=False) for other in later[:MOST_NAMED]]
    return [*said, *(_words(other, is_later=True) for other in followed)]


def _words(other: Price, *, is_later: bool) -> str:
    said = (
        _("While both are valid this price goes before %(other)s, because it begins later.")
        if is_later
        else _("While both are valid %(other)s goes before this price, because it begins later.")
    )
    return str(said) % {"other": describe(other)}
