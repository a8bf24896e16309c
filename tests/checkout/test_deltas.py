"""What is written down of prices between cart and charge: added → shown → acknowledged → charged, with the reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cart import services as carts
from pricing import services as pricing
from pricing.models import PriceDelta, Promotion
from pricing.types import ReductionKind
from shop.checkout import models, services
from shop.checkout.errors import PriceChangedError
from shop.core import clock
from shop.core.money import Money
from tests.cart.helpers import customer
from tests.checkout.helpers import fill, make_sku, new_guest, pay, principal_of, put, set_price, start
from tests.checkout.test_discounts import code, end_lock, promotion

pytestmark = pytest.mark.django_db


def deltas() -> dict[str, tuple[Any, ...]]:
    return {
        row.sku_id: (row.added_minor, row.shown_minor, row.acknowledged_minor, row.charged_minor, *row.reasons)
        for row in PriceDelta.objects.all()
    }


@pytest.fixture(autouse=True)
def _goods() -> None:
    make_sku("MUG", price=1_000)
    make_sku("CUP", price=300)


def test_what_costs_the_same_all_the_way_leaves_no_trace() -> None:
    ref = new_guest()
    put(ref, "MUG")

    pay(fill(start(ref), ref), ref)

    assert deltas() == {}


def test_a_rise_is_followed_from_the_cart_to_the_charge() -> None:
    ref = new_guest()
    put(ref, "MUG", 2)
    put(ref, "CUP", 1)
    set_price("MUG", 1_200)

    with pytest.raises(PriceChangedError):
        start(ref)
    assert deltas() == {"MUG": (2_000, 2_400, None, None, "price")}

    view = fill(start(ref, accepted_total=2_700), ref)
    assert deltas() == {"MUG": (2_000, 2_400, 2_400, None, "price")}

    paid = pay(view, ref)
    assert deltas() == {"MUG": (2_000, 2_400, 2_400, 2_400, "price")}
    row = PriceDelta.objects.get()
    assert (row.order_number, row.checkout_id, row.owner) == (paid.order_number, view.checkout_id, ref.owner)


def test_a_rise_that_nobody_agreed_to_shows_how_far_it_came() -> None:
    ref = new_guest()
    put(ref, "MUG")
    set_price("MUG", 1_500)

    for _ in range(2):
        with pytest.raises(PriceChangedError):
            start(ref)

    assert deltas() == {"MUG": (1_000, 1_500, None, None, "price")}


def test_promotions_and_codes_are_told_apart() -> None:
    promotion(sku_ids=("CUP",))
    code(value=50)
    Promotion.objects.filter(needs_code=True).update(sku_ids=["MUG"])
    ref = new_guest()
    put(ref, "MUG")
    put(ref, "CUP")
    carts.apply_code(ref=ref, code="ONCE20", now=clock.now())

    pay(fill(start(ref), ref), ref)

    assert deltas() == {"MUG": (1_000, 500, 500, 500, "code"), "CUP": (300, 270, 270, 270, "promotion")}


def test_a_price_of_the_customers_segment_is_no_change_of_the_list_price() -> None:
    ref = customer(42)
    put(ref, "MUG")
    pricing.set_segment(user_id=42, segment="trade")
    pricing.set_prices(
        prices={"MUG": Money(700, "GBP")}, valid_from=clock.now() - timedelta(seconds=1), segment="trade"
    )

    start(ref)

    assert deltas() == {"MUG": (1_000, 700, 700, None, "segment")}


def test_a_quote_that_ran_out_is_named_as_the_reason() -> None:
    ref = new_guest()
    put(ref, "MUG")
    view = fill(start(ref), ref)
    set_price("MUG", 1_100)
    end_lock(view)

    with pytest.raises(PriceChangedError):
        pay(view, ref)

    assert deltas() == {"MUG": (1_000, 1_100, None, None, "price", "lock_expired")}
    services.reserve_again(
        checkout_id=view.checkout_id, principal=principal_of(ref), accepted_total=1_100, now=clock.now()
    )
    pay(view, ref, total=1_100)
    assert deltas()["MUG"][:4] == (1_000, 1_100, 1_100, 1_100)


def test_a_start_with_deltas_keeps_to_14_statements() -> None:
    promotion(name="Sale", kind=ReductionKind.PERCENT)
    ref = new_guest()
    put(ref, "MUG")

    with CaptureQueriesContext(connection) as queries:
        start(ref)

    assert sum("SAVEPOINT" not in (query["sql"] or "") for query in queries) <= 14
    assert models.Checkout.objects.count() == PriceDelta.objects.count() == 1
