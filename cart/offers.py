"""What the rest of the shop knows of SKUs: cards, prices and availability, in one query, whatever the number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from inventory import selectors as inventory
from inventory.types import Availability
from pricing import regions
from pricing import selectors as pricing
from shop.catalog import selectors as catalog
from shop.catalog.types import SkuCard
from shop.core.money import Money


@dataclass(frozen=True, slots=True)
class Offers:
    """Cards, prices and availability of some SKUs; what is unknown is absent."""

    cards: Mapping[str, SkuCard]
    prices: Mapping[str, Money]
    stock: Mapping[str, Availability]

    def is_sold(self, sku_id: str) -> bool:
        """Tell whether the SKU is known, sold, and has a price."""
        card = self.cards.get(sku_id)
        return card is not None and card.is_sellable and sku_id in self.prices

    def is_elsewhere(self, sku_id: str) -> bool:
        """Tell whether the SKU is sold, but has no price in this currency, in a shop with several regions."""
        card = self.cards.get(sku_id)
        return card is not None and card.is_sellable and sku_id not in self.prices and regions.are_many()

    def available(self, sku_id: str) -> int:
        """Tell how many units the asker could reserve now."""
        stock = self.stock.get(sku_id)
        return stock.available if stock else 0


def currency() -> str:
    """Tell the currency of a cart that has no region yet: that of whoever asks."""
    return regions.current().currency


def list_offers(
    *, sku_ids: Collection[str], now: datetime, owner: str | None = None, customer: str = "", code: str = ""
) -> Offers:
    """Look up SKUs: one query, none if there are no SKUs.

    `owner` is the asker's checkout: units that it has reserved count as available. `customer` is the owner of the cart:
    the prices are those of their segment. `code` is the cart's currency; empty: that of whoever asks.
    """
    if not sku_ids:
        return Offers({}, {}, {})
    code = code or currency()
    known = catalog.list_cards_with(
        sku_ids=sku_ids,
        columns=f"{pricing.CURRENT_PRICE}, {inventory.STOCK_COLUMNS}",
        join=inventory.STOCK_JOIN,
        params={
            **pricing.price_params(currency=code, now=now, owner=customer),
            **inventory.stock_params(owner=owner),
        },
    )
    low_stock = settings.INVENTORY.low_stock
    return Offers(
        cards={sku_id: row[0] for sku_id, row in known.items()},
        prices={sku_id: Money(row[1], code) for sku_id, row in known.items() if row[1] is not None},
        stock={sku_id: inventory.read_stock(sku_id, row[2:], low_stock=low_stock) for sku_id, row in known.items()},
    )
