"""Product pages as values: everything a template prints, nothing that it would have to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.types import Availability, AvailabilityState
from shop.catalog.types import ProductCard, SkuCard
from shop.catalog.web.words import stock_words
from shop.core.money import Money

_GONE = (AvailabilityState.OUT, AvailabilityState.DISCONTINUED)


@dataclass(frozen=True, slots=True)
class ListCard:
    """A product in the list."""

    title: str
    url: str
    image_url: str
    price: Money | None
    """The lowest price of its SKUs."""
    has_range: bool
    stock: str
    """Empty while there is enough of something: a list need not say the ordinary."""


@dataclass(frozen=True, slots=True)
class SkuChoice:
    """One SKU on its product's page."""

    sku_id: str
    title: str
    options: str
    image_url: str
    price: Money | None
    stock: str
    can_add: bool


def list_card(product: ProductCard, prices: Mapping[str, Money], stock: Mapping[str, Availability]) -> ListCard:
    """Sum a product up for the list."""
    skus = [sku for sku in product.skus if sku.is_sellable and sku.sku_id in prices]
    amounts = [prices[sku.sku_id] for sku in skus]
    states = [stock[sku.sku_id] for sku in skus if sku.sku_id in stock]
    # The best of them speaks for the product: it is out of stock only if every SKU is.
    best = max(states, key=lambda one: one.available, default=None)
    is_ordinary = best is not None and best.state is AvailabilityState.IN_STOCK
    return ListCard(
        title=product.title,
        url=product.url,
        image_url=product.image_url,
        price=min(amounts, default=None),
        has_range=len(set(amounts)) > 1,
        stock="" if is_ordinary or best is None else stock_words(best),
    )


def sku_choice(sku: SkuCard, prices: Mapping[str, Money], stock: Mapping[str, Availability]) -> SkuChoice:
    """Put a SKU into the words of its product's page."""
    availability = stock.get(sku.sku_id)
    price = prices.get(sku.sku_id)
    return SkuChoice(
        sku_id=sku.sku_id,
        title=sku.title,
        options=" · ".join(value for _, value in sku.options),
        image_url=sku.image_url,
        price=price,
        stock=stock_words(availability) if availability else "",
        can_add=price is not None and availability is not None and availability.state not in _GONE,
    )


def choose(choices: Sequence[SkuChoice], wanted: str) -> SkuChoice:
    """Pick the SKU that the address asks for, else the first that can be added, else the first."""
    asked = next((choice for choice in choices if choice.sku_id == wanted), None)
    return asked or next((choice for choice in choices if choice.can_add), choices[0])
