"""What the page tests sell, and shortcuts along the way to an order."""

from __future__ import annotations

from datetime import timedelta

from django.utils.text import slugify

from inventory import selectors as stock
from inventory import services as inventory
from inventory.types import StockReason
from pricing import services as pricing
from shop.catalog.models import Product, Sku
from shop.core import clock
from shop.core.money import Money
from tests.web.shopper import Shopper

ADDRESS = {
    "email": "ada@example.org",
    "name": "Ada Byron",
    "line1": "1 Analytical Row",
    "city": "London",
    "postcode": "SW1A 1AA",
}


def sell(
    sku_id: str, title: str, *, price: int = 1_000, on_hand: int = 10, options: tuple[tuple[str, str], ...] = ()
) -> str:
    """Put a product with one SKU on sale; prices in pence. Give the SKU's id."""
    product, _ = Product.objects.get_or_create(
        slug=slugify(title),
        defaults={"title": title, "category": "Kitchen", "description": "Made to be repaired."},
    )
    Sku.objects.create(sku_id=sku_id, product=product, options=[list(pair) for pair in options])
    set_price(sku_id, price)
    set_stock(sku_id, on_hand)
    return sku_id


def set_price(sku_id: str, price: int) -> None:
    """Let a price be in force from now on."""
    pricing.set_prices(prices={sku_id: Money(price, "GBP")}, valid_from=clock.now() - timedelta(milliseconds=1))


def set_stock(sku_id: str, on_hand: int) -> None:
    """Let there be so many units."""
    present = stock.availability(sku_ids=[sku_id])[sku_id].on_hand
    if present != on_hand:
        inventory.adjust(sku_id=sku_id, delta=on_hand - present, reason=StockReason.RECOUNT, by=None)


def stop_selling(sku_id: str) -> None:
    """Take a SKU off sale."""
    Sku.objects.filter(sku_id=sku_id).update(is_sellable=False)


def shopper_with(*sku_ids: str) -> Shopper:
    """Let somebody put one unit of each SKU into a cart, from the product pages."""
    shopper = Shopper()
    for sku_id in sku_ids:
        slug = Sku.objects.select_related("product").get(sku_id=sku_id).product.slug
        shopper.open(f"/p/{slug}/?sku={sku_id}").press("Add to cart")
    return shopper


def to_review(shopper: Shopper, *, pays: str = "ok") -> Shopper:
    """Go from the cart to the page with the button that pays."""
    shopper.open("/cart/").press("Check out")
    shopper.press("Continue to payment", **ADDRESS)
    return shopper.press("Continue to review", provider_token=pays)
