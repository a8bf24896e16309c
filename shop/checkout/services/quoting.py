"""Price a cart as it is now, and freeze what was agreed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cart.types import CartLine
from pricing import regions
from pricing import selectors as pricing
from pricing import services as pricing_services
from pricing.types import Demand, PriceQuote, QuoteLine, read_discounts, read_reductions
from shop.catalog import selectors as catalog
from shop.catalog.types import SkuCard
from shop.checkout import models, rules
from shop.checkout.errors import LineUnavailableError, PriceChangedError
from shop.checkout.selectors import pointer
from shop.checkout.selectors.checkouts import QuotedLine
from shop.checkout.services import rows
from shop.checkout.types import PriceChange
from shop.core.errors import ErrorDetail
from shop.core.money import Money

Quoted = models.CheckoutLine | QuotedLine
"""A line of a frozen quote."""
Wanted = CartLine | Quoted


@dataclass(frozen=True, slots=True)
class Offer:
    """Lines priced at this moment, and which of them differ from what the shopper saw before."""

    quote: PriceQuote
    lines: tuple[QuotedLine, ...]
    changes: tuple[PriceChange, ...]
    code_ids: tuple[int, ...] = ()
    """The codes that were looked at."""

    elsewhere: frozenset[str] = frozenset()
    """SKUs that were added in another currency."""

    def require_agreed(
        self, accepted_total: int | None, *, shown_total: int | None = None, is_other_currency: bool = False
    ) -> None:
        """Refuse a rise that the shopper has not agreed to; `shown_total` is what they saw last for the same lines.

        With `is_other_currency` both were in another currency, and nothing was agreed to.

        :raises PriceChangedError: if it has to be agreed to; carries this quote.
        """
        if rules.must_be_agreed(
            self.quote, self.changes, accepted_total, shown_total=shown_total, is_other_currency=is_other_currency
        ):
            raise PriceChangedError(self.quote, self.changes)


def offer(
    *,
    wanted: Sequence[Wanted],
    currency: str,
    shown: Mapping[str, Money | None],
    owner: str,
    code_ids: Sequence[int],
    now: datetime,
    customer_key: str = "",
) -> Offer:
    """Quote lines of a cart or a checkout anew: cards with prices, then promotions and codes (two queries).

    `shown` holds the unit price that the shopper saw last, by SKU. `owner` is whose cart it is, with these codes;
    `customer_key` is whose uses of codes and promotions are counted together, if it is not the owner's own.

    :raises LineUnavailableError: if a line is not sold any more or has no price; a detail each.
    """
    known = catalog.list_cards_with(
        sku_ids=[line.sku_id for line in wanted],
        columns=pricing.CURRENT_PRICE,
        params=pricing.price_params(currency=currency, now=now, owner=owner),
    )
    cards = {sku_id: card for sku_id, (card, _) in known.items()}
    quote = pricing.quote(
        demands=[Demand(line.sku_id, line.quantity) for line in wanted],
        currency=currency,
        now=now,
        owner=owner,
        code_ids=code_ids,
        prices={sku_id: Money(minor, currency) for sku_id, (_, minor) in known.items() if minor is not None},
        customer_key=customer_key,
    )
    titles = {sku_id: card.title for sku_id, card in cards.items()}
    gone = [
        ErrorDetail(
            pointer(line.sku_id),
            "not_in_region" if _is_elsewhere(cards.get(line.sku_id)) else "no_longer_sold",
            {"sku_id": line.sku_id, "title": titles.get(line.sku_id, line.sku_id)},
        )
        for line in wanted
        if line.sku_id in quote.unpriced or line.sku_id not in cards or not cards[line.sku_id].is_sellable
    ]
    if gone:
        raise LineUnavailableError(errors=tuple(gone))
    priced = {line.sku_id: line for line in quote.lines}
    return Offer(
        quote=quote,
        lines=tuple(
            QuotedLine(
                sku_id=line.sku_id,
                title=titles[line.sku_id],
                quantity=line.quantity,
                unit_price_minor=priced[line.sku_id].unit_price.minor,
                discount_minor=priced[line.sku_id].discount_minor,
                price_at_add_minor=_price_at_add(line, currency),
                card=cards[line.sku_id],
            )
            for line in wanted
        ),
        changes=rules.price_changes(quote, shown, titles),
        code_ids=tuple(code_ids),
        elsewhere=frozenset(line.sku_id for line in wanted if _was_added_elsewhere(line, currency)),
    )


def note_shown(
    fresh: Offer, *, owner: str, cart_content_version: int, checkout_id: str = "", is_lock_over: bool = False
) -> None:
    """Write down what a quote says that the shopper is asked to agree to, where it differs from the prices at add."""
    pricing_services.log_deltas(
        quote=fresh.quote,
        added={line.sku_id: line.price_at_add_minor for line in fresh.lines},
        elsewhere=fresh.elsewhere,
        stages=["shown"],
        owner=owner,
        cart_content_version=cart_content_version,
        checkout_id=checkout_id,
        is_lock_over=is_lock_over,
    )


def note_charged(row: models.Checkout, lines: Sequence[Quoted], *, order_number: str) -> None:
    """Write down what an order charges, where it differs from the prices at add; in the order's transaction."""
    pricing_services.log_deltas(
        quote=frozen_quote(row, lines),
        added={line.sku_id: line.price_at_add_minor for line in lines},
        stages=["charged"],
        owner=row.owner,
        cart_content_version=row.cart_content_version,
        checkout_id=row.checkout_id,
        order_number=order_number,
        # Without a price at add a line may have been noted for its currency alone.
        is_first=row.quote_number == 1 and all(line.price_at_add_minor is not None for line in lines),
    )


def freeze(row: models.Checkout, fresh: Offer, *, now: datetime) -> None:
    """Write a new quote, to which the shopper agrees, into a locked checkout; the caller saves the row."""
    agree(row, fresh, now=now)
    rows.replace_lines(row, fresh.lines)


def agree(row: models.Checkout, fresh: Offer, *, now: datetime) -> None:
    """Set a new quote, to which the shopper agrees, in a checkout; the caller writes row and lines."""
    pricing_services.log_deltas(
        quote=fresh.quote,
        added={line.sku_id: line.price_at_add_minor for line in fresh.lines},
        elsewhere=fresh.elsewhere,
        stages=["shown", "acknowledged"],
        owner=row.owner,
        cart_content_version=row.cart_content_version,
        checkout_id=row.checkout_id,
        is_lock_over=row.quote_number > 0 and row.lock_expires_at <= now,
        is_first=row.quote_number == 0,
    )
    row.code_ids = list(fresh.code_ids)
    rows.freeze(row, fresh.quote, now=now)


def requote(row: models.Checkout, known: Sequence[Quoted] | None = None, *, now: datetime) -> Offer:
    """Quote the lines of a checkout anew and compare them with its frozen quote; `known` spares reading them.

    :raises LineUnavailableError: if a line is not sold any more.
    """
    lines = list(row.lines.all()) if known is None else known
    return offer(
        wanted=lines,
        currency=row.currency,
        shown=shown_in_checkout(row, lines),
        owner=row.owner,
        code_ids=row.code_ids,
        now=now,
        customer_key=rows.customer_key(row.owner, row.email),
    )


def shown_in_checkout(row: models.Checkout, known: Sequence[Quoted] | None = None) -> dict[str, Money | None]:
    """Give the unit prices of a checkout's frozen quote, by SKU; `known` spares reading its lines."""
    lines = row.lines.all() if known is None else known
    return {line.sku_id: Money(line.unit_price_minor, row.currency) for line in lines}


def frozen_quote(row: models.Checkout, known: Sequence[Quoted] | None = None) -> PriceQuote:
    """Give the quote of a checkout as it stands; `known` spares reading its lines."""
    lines = tuple(
        QuoteLine(
            sku_id=line.sku_id,
            quantity=line.quantity,
            unit_price=Money(line.unit_price_minor, row.currency),
            line_total=Money(line.line_total_minor, row.currency),
            discount_minor=line.discount_minor,
        )
        for line in (row.lines.all() if known is None else known)
    )
    return PriceQuote(
        currency=row.currency,
        lines=lines,
        unpriced=(),
        subtotal=Money(row.subtotal_minor, row.currency),
        total=Money(row.total_minor, row.currency),
        discounts=read_discounts(row.discounts, row.currency),
        reductions=read_reductions(row.reductions),
    )


def _is_elsewhere(card: SkuCard | None) -> bool:
    """Tell of a SKU without a price whether it is sold all the same: in another region."""
    return card is not None and card.is_sellable and regions.are_many()


def _was_added_elsewhere(line: Wanted, currency: str) -> bool:
    price = line.price_at_add if isinstance(line, CartLine) else None
    return price is not None and price.currency != currency


def _price_at_add(line: Wanted, currency: str) -> int | None:
    if isinstance(line, CartLine):
        price = line.price_at_add
        return price.minor if price is not None and price.currency == currency else None
    return line.price_at_add_minor
