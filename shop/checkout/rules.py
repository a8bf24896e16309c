"""Pure decisions of checkout and payment: what must be agreed to, which payment state wins, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pricing.types import PriceQuote
from shop.checkout.types import PaymentState, PriceChange
from shop.core.money import Money

PRECEDENCE: Mapping[PaymentState, int] = {
    PaymentState.CREATED: 0,
    PaymentState.PROCESSING: 1,
    PaymentState.REQUIRES_ACTION: 1,
    PaymentState.FAILED: 2,
    PaymentState.SUCCEEDED: 3,
    PaymentState.REFUND_DUE: 4,
    PaymentState.REFUNDED: 5,
    PaymentState.REVIEW: 6,
}
"""A payment's state is decided by rank, not by the order in which news of it arrives."""


def may_move(current: PaymentState, new: PaymentState) -> bool:
    """Tell whether a payment may go from `current` to `new`: upwards, or between the two kinds of waiting."""
    return current is not new and (PRECEDENCE[new] > PRECEDENCE[current] or PRECEDENCE[new] == PRECEDENCE[current] == 1)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a payment is for, or what somebody says that it was for."""

    checkout_id: str
    amount_minor: int
    currency: str
    account: str
    is_live: bool


def mismatch(ours: Claim, theirs: Claim) -> str:
    """Name the first field in which the provider's news differs from our payment: a stable code, empty if none does."""
    differences = (
        ("wrong_account", ours.account != theirs.account),
        ("wrong_mode", ours.is_live != theirs.is_live),
        ("wrong_checkout", ours.checkout_id != theirs.checkout_id),
        ("wrong_currency", ours.currency != theirs.currency),
        ("wrong_amount", ours.amount_minor != theirs.amount_minor),
    )
    return next((code for code, differs in differences if differs), "")


def price_changes(
    quote: PriceQuote, shown: Mapping[str, Money | None], titles: Mapping[str, str]
) -> tuple[PriceChange, ...]:
    """List the lines whose unit price differs from the one shown before; one never shown is not listed.

    Up, down, or in another currency: then the two cannot be compared.
    """
    return tuple(
        PriceChange(sku_id=line.sku_id, title=titles.get(line.sku_id, line.sku_id), was=was, now=line.unit_price)
        for line in quote.lines
        if (was := shown.get(line.sku_id)) is not None and was != line.unit_price
    )


def must_be_agreed(
    quote: PriceQuote,
    changes: Iterable[PriceChange],
    accepted_total: int | None,
    *,
    shown_total: int | None = None,
    is_other_currency: bool = False,
) -> bool:
    """Tell whether the shopper still has to agree before anything is reserved.

    Whoever names a total has agreed to that much and no more: a lower quote is to their advantage and only told.
    Whoever names none is asked when any line rose, when a code takes nothing off, or when all of it costs more than
    `shown_total`, which was the last that they saw. With `is_other_currency` all that they saw or agreed to was in
    another currency, so they are asked.
    """
    if is_other_currency:
        return True
    if accepted_total is not None:
        return quote.total.minor > accepted_total
    if quote.codes_off or (shown_total is not None and quote.total.minor > shown_total):
        return True
    return any(change.was.currency == change.now.currency and change.now > change.was for change in changes)


def remaining(bought: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    """Cut the lines of a checkout to what the cart still holds of them; nothing is ever added.

    Both map `sku_id` to a quantity ≥ 1; so does the result, without the lines that the cart no longer has.
    """
    return {sku: min(quantity, wanted[sku]) for sku, quantity in bought.items() if wanted.get(sku, 0) > 0}


def requirements(*, email: str, has_address: bool, is_reserved: bool) -> tuple[str, ...]:
    """List what is missing before paying, in the order in which a shopper meets it."""
    missing = (("email", not email), ("shipping_address", not has_address), ("reservation", not is_reserved))
    return tuple(name for name, is_missing in missing if is_missing)
