"""Joining lines with what the shop knows of their SKUs: what a merge does, or an answer to it would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cart.conf import conf
from cart.offers import Offers, list_offers
from cart.rules import ANSWERS, Joined, MergeLimits, join_carts
from cart.types import Cart, CartLine, MergeAnswer, MergeOutcome, MergePolicy, ReceiptLine
from pricing import selectors as pricing
from pricing.types import Demand


def joined_by(
    mine: Sequence[CartLine],
    guest: Sequence[CartLine],
    policy: MergePolicy,
    most: int,
    offers: Offers,
    *,
    is_bounded: bool,
) -> Joined:
    """Join by a policy, up to `most` lines, leaving out what is not sold; `is_bounded`: no more than there is."""
    left_out: dict[str, MergeOutcome] = {}
    for line in guest:
        if line.sku_id not in offers.cards:
            left_out[line.sku_id] = MergeOutcome.UNKNOWN_SKU
        elif not offers.is_sold(line.sku_id):
            left_out[line.sku_id] = MergeOutcome.DISCONTINUED
    available = {line.sku_id: offers.available(line.sku_id) for line in guest} if is_bounded else {}
    limits = MergeLimits(most, conf().max_quantity, available)
    return join_carts(account=mine, guest=guest, policy=policy, limits=limits, left_out=left_out)


def answered_by(
    lines: Sequence[CartLine],
    guest: Sequence[CartLine],
    policy: MergePolicy,
    offers: Offers,
    *,
    choices: Mapping[str, MergePolicy] | None = None,
) -> Joined:
    """Join what a merge asked about to a cart's lines by `policy`, or by SKU as `choices` say."""
    receipt = list[ReceiptLine]()
    for line in guest:
        chosen = (choices or {}).get(line.sku_id, policy)
        joined = joined_by(lines, [line], chosen, conf().max_lines, offers, is_bounded=True)
        lines = joined.lines
        receipt += joined.receipt
    return Joined(tuple(lines), tuple(receipt))


def list_merge_answers(*, cart: Cart, now: datetime, owner: str | None = None) -> tuple[MergeAnswer, ...]:
    """Tell what each answer to a merge's question would make of the cart; none if nothing is asked.

    `owner` is the shopper's own checkout, whose reserved units count as available. Two queries and those of a quote
    for each answer, whatever the number of lines.
    """
    if cart.question is None or cart.is_copy:
        return ()
    guest = cart.question.guest
    customer = cart.ref.owner if cart.ref else ""
    sku_ids = {line.sku_id for line in (*cart.lines, *guest)}
    offers = list_offers(sku_ids=sku_ids, now=now, owner=owner, customer=customer, code=cart.currency)
    answers = []
    for policy in ANSWERS:
        lines = answered_by(cart.lines, guest, policy, offers).lines
        quote = pricing.quote(
            demands=[Demand(line.sku_id, line.quantity) for line in lines if offers.is_sold(line.sku_id)],
            currency=cart.currency,
            now=now,
            owner=customer,
            code_ids=cart.codes,
            prices=offers.prices,
        )
        answers.append(MergeAnswer(policy, sum(line.quantity for line in lines), quote.total))
    return tuple(answers)
