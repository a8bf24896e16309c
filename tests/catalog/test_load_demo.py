"""`manage.py load_demo`."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from inventory import selectors as inventory
from inventory import services as stock
from inventory.models import StockEntry, StockItem
from inventory.types import AvailabilityState
from pricing import selectors as pricing
from pricing.models import DiscountCode, Price, Promotion
from pricing.types import Demand
from shop.catalog import selectors as catalog
from shop.catalog import services
from shop.catalog.models import Product, Sku
from shop.core import clock
from tests.inventory.helpers import assert_balanced

pytestmark = pytest.mark.django_db


def load() -> str:
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue()


def everything() -> dict[str, list[Any]]:
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in (
            Product,
            Sku,
            Price,
            Promotion,
            DiscountCode,
            StockItem,
            StockEntry,
            get_user_model(),
            EmailAddress,
        )
    }


def test_the_shop_is_filled() -> None:
    assert load() == "Loaded 213 products, stock of 552 SKUs and 5 people.\n"

    sku_ids = list(Sku.objects.values_list("sku_id", flat=True))
    assert len(catalog.list_categories()) == 8
    assert len(pricing.current_prices(sku_ids=sku_ids, currency="GBP", now=clock.now())) == len(sku_ids)
    states = Counter(one.state for one in inventory.availability(sku_ids=sku_ids).values())
    assert min(states[s] for s in (AvailabilityState.IN_STOCK, AvailabilityState.LOW, AvailabilityState.OUT)) >= 20
    assert Sku.objects.filter(is_sellable=False).count() >= 10
    assert_balanced()


def test_promotions_run_and_two_codes_can_be_entered() -> None:
    load()

    welcome, once = (pricing.find_code(text=text, owner="g:1") for text in ("WELCOME10", "ONCE20"))
    assert welcome
    assert once
    assert DiscountCode.objects.get(pk=once).max_uses == 1
    assert DiscountCode.objects.get(pk=welcome).max_uses is None
    candle = Sku.objects.filter(product__slug="fig-candle").first()
    assert candle is not None
    demands = [Demand(candle.sku_id, 3)]
    quote = pricing.quote(demands=demands, currency="GBP", now=clock.now(), owner="g:1", code_ids=[welcome])
    assert [discount.name for discount in quote.discounts] == ["Candles: 3 for 2", "Welcome"]
    bath = Sku.objects.filter(product__category="Bathroom", is_sellable=True).first()
    assert bath is not None
    quote = pricing.quote(demands=[Demand(bath.sku_id, 1)], currency="GBP", now=clock.now())
    assert [discount.name for discount in quote.discounts] == ["Bathroom week"]


def test_everybody_can_sign_in_and_one_is_staff() -> None:
    load()

    for mail in ("staff@example.com", "ada@example.com", "grace@example.com", "alan@example.com", "mary@example.com"):
        user: Any = authenticate(username=mail, password="trolley-demo")
        assert user is not None, mail
        assert user.is_staff is user.is_superuser is (mail == "staff@example.com")
        assert EmailAddress.objects.get(user=user).verified


def test_a_second_run_changes_nothing(django_assert_max_num_queries: Any) -> None:
    load()
    before = everything()

    with django_assert_max_num_queries(12):
        assert load() == "All 213 products of the demo are there already.\n"

    assert everything() == before


def test_what_staff_changed_stays() -> None:
    load()
    sku_id = Sku.objects.filter(is_sellable=True).order_by("sku_id").first().sku_id  # type: ignore[union-attr]
    services.stop_selling(sku_ids=[sku_id])
    stock.adjust(sku_id=sku_id, delta=3, reason="found", by=None)
    before = everything()

    load()

    assert everything() == before


def test_what_is_missing_is_added() -> None:
    load()
    get_user_model().objects.filter(email="mary@example.com").delete()
    Price.objects.all().delete()

    assert load() == "Loaded 0 products, stock of 0 SKUs and 1 people.\n"
    assert Price.objects.count() == 2 * Sku.objects.count()  # in two currencies


def test_it_refuses_to_run_in_production(settings: Any) -> None:
    settings.SETTINGS_MODULE = "shop.settings.prod"

    with pytest.raises(CommandError, match="production"):
        load()

    assert not Product.objects.exists()
