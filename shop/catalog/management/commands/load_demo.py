"""`manage.py load_demo`: fill the shop with made-up goods, promotions and people; what is there already stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from inventory import selectors as stock
from inventory import services as inventory
from inventory.types import StockReason
from pricing import selectors as prices
from pricing import services as pricing
from pricing.types import Combining, ReductionKind
from shop.catalog import services as catalog
from shop.catalog.demo.assortment import DemoProduct, DemoSku, assortment
from shop.core import clock
from shop.core.money import Money

STAFF = "staff@example.com"
CUSTOMERS = (
    ("ada@example.com", "Ada", "Lovelace"),
    ("grace@example.com", "Grace", "Hopper"),
    ("alan@example.com", "Alan", "Turing"),
    ("mary@example.com", "Mary", "Somerville"),
)
PASSWORD = "trolley-demo"  # noqa: S105 - for made-up people; the command refuses to run in production
CURRENCIES = ("GBP", "EUR")
"""Those of the demo's regions; a shop with one region never looks at the second."""
OPENED_AT = datetime(2025, 1, 1, tzinfo=UTC)
CANDLES = ("beeswax-candle", "fig-candle", "rosemary-candle", "unscented-candle", "cedar-candle")
SPOILED = 6
"""Units of a sold-out SKU that came in and were lost, so that its ledger tells a story."""


class Command(BaseCommand):
    """Load the demo's data; running it again changes nothing."""

    help = "Fill the shop with made-up goods, promotions and people. What is there already stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Load what is missing, in one transaction.

        :raises CommandError: if this is a production server, or tqdm is not installed.
        """
        if settings.SETTINGS_MODULE.endswith(".prod"):
            raise CommandError("These people have a password that everybody knows: not on a production server.")
        try:
            from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415 - for development only, ships no types
        except ImportError as error:
            raise CommandError("load_demo needs what is in requirements-dev.txt.") from error

        def shown(things: Iterable[DemoSku], what: str) -> Iterable[DemoSku]:
            bar: Iterable[DemoSku] = tqdm(things, desc=what, unit=" SKUs", leave=False, disable=None)
            return bar

        products = assortment()
        with transaction.atomic():
            new_products = _add_products(products)
            new_stock = _add_prices_and_stock([sku for product in products for sku in product.skus], shown)
            new_people = _add_people()
            _add_promotions()
        if new_products or new_stock or new_people:
            self.stdout.write(f"Loaded {new_products} products, stock of {new_stock} SKUs and {new_people} people.")
        else:
            self.stdout.write(f"All {len(products)} products of the demo are there already.")


def _add_products(products: Iterable[DemoProduct]) -> int:
    return catalog.add_products(
        products=[
            catalog.NewProduct(
                slug=product.slug,
                title=product.title,
                category=product.category,
                description=product.description,
                position=position,
                skus=tuple(catalog.NewSku(sku.sku_id, sku.options, sku.is_sellable) for sku in product.skus),
            )
            for position, product in enumerate(products)
        ]
    )


def _add_prices_and_stock(skus: list[DemoSku], shown: Callable[[Iterable[DemoSku], str], Iterable[DemoSku]]) -> int:
    sku_ids = [sku.sku_id for sku in skus]
    for currency in CURRENCIES:
        priced = prices.current_prices(sku_ids=sku_ids, currency=currency, now=clock.now())
        missing_prices = {
            sku.sku_id: Money(_price_in(currency, sku.unit_price_minor), currency)
            for sku in skus
            if sku.sku_id not in priced
        }
        if missing_prices:
            pricing.set_prices(prices=missing_prices, valid_from=OPENED_AT)
    stocked = stock.list_stocked(sku_ids=sku_ids)
    missing = [sku for sku in skus if sku.sku_id not in stocked]
    for sku in shown(missing, "Stock"):
        received = sku.on_hand or SPOILED
        inventory.adjust(sku_id=sku.sku_id, delta=received, reason=StockReason.RECEIVED, by=None, note="Opening stock")
        if not sku.on_hand:
            inventory.adjust(
                sku_id=sku.sku_id, delta=-received, reason=StockReason.DAMAGED, by=None, note="Water in the store room"
            )
    return len(missing)


def _price_in(currency: str, pence: int) -> int:
    """Give a price that a shop would ask: in euros about a sixth more, to the next 50 cents below a whole one."""
    return pence if currency == settings.PRICING.currency else (pence * 117 + 2_500) // 5_000 * 50


def _add_promotions() -> None:
    """Start three promotions, and publish two codes: one that anybody may use, and one that goes to the first order."""
    if prices.has_promotions():
        return

    def add(name: str, kind: ReductionKind, value: int, **more: Any) -> int:  # noqa: ANN401 - fields of a promotion
        promotion = pricing.NewPromotion(name=name, kind=kind, value=value, valid_from=OPENED_AT, **more)
        return pricing.add_promotion(promotion=promotion)

    add("Bathroom week", ReductionKind.PERCENT, 15, categories=("Bathroom",), priority=10)
    add("Candles: 3 for 2", ReductionKind.BUY_X_GET_Y, 2, free=1, products=CANDLES)
    for currency in CURRENCIES:
        add("Large cart", ReductionKind.AMOUNT, 1_000, currency=currency, minimum_minor=15_000, priority=-10)
    welcome = add("Welcome", ReductionKind.PERCENT, 10, combines=Combining.PROMOTIONS, needs_code=True)
    pricing.publish_code(promotion_id=welcome, code="WELCOME10", valid_from=OPENED_AT)
    once = add("First come", ReductionKind.PERCENT, 20, combines=Combining.PROMOTIONS, needs_code=True)
    pricing.publish_code(promotion_id=once, code="ONCE20", valid_from=OPENED_AT, max_uses=1)


def _add_people() -> int:
    users = get_user_model()
    wanted = {STAFF: ("Sam", "Staff"), **{mail: (first, last) for mail, first, last in CUSTOMERS}}
    known = set(users.objects.filter(email__in=wanted).values_list("email", flat=True))
    missing = [mail for mail in wanted if mail not in known]
    if not missing:
        return 0
    # One hash for all: making it slow is a hasher's purpose, and everybody knows this password.
    password = make_password(PASSWORD)
    made = users.objects.bulk_create(
        users(
            email=mail,
            first_name=wanted[mail][0],
            last_name=wanted[mail][1],
            password=password,
            is_staff=mail == STAFF,
            is_superuser=mail == STAFF,
        )
        for mail in missing
    )
    EmailAddress.objects.bulk_create(
        [EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in made], ignore_conflicts=True
    )
    return len(made)
