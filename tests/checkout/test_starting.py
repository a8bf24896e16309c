"""From cart to checkout: quote, compare, reserve."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import services as inventory
from inventory.errors import InsufficientStockError
from shop.catalog import services as catalog
from shop.checkout import models, services
from shop.checkout.errors import (
    CartEmptyError,
    CheckoutUnknownError,
    LineUnavailableError,
    PriceChangedError,
    ReservationLimitError,
)
from shop.checkout.types import CheckoutState
from shop.core import clock
from tests.checkout.helpers import cart_of, counters, make_sku, new_guest, principal_of, put, set_price, start

pytestmark = pytest.mark.django_db


def test_starting_reserves_every_line_and_freezes_the_prices() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref = new_guest()
    put(ref, "MUG", 2)
    put(ref, "BOWL", 1)

    view = start(ref)

    assert view.state is CheckoutState.OPEN
    assert [(line.sku_id, line.quantity, line.unit_price.minor) for line in view.lines] == [
        ("MUG", 2, 1_200),
        ("BOWL", 1, 900),
    ]
    assert view.total.minor == 3_300
    assert counters("MUG") == (50, 2)
    assert counters("BOWL") == (50, 1)
    assert view.requirements == ("email", "shipping_address")
    assert cart_of(ref) == {"MUG": 2, "BOWL": 1}


def test_an_empty_cart_starts_nothing() -> None:
    with pytest.raises(CartEmptyError):
        start(new_guest())
    assert not models.Checkout.objects.exists()


def test_starting_again_returns_the_same_checkout_and_reserves_nothing_more() -> None:
    make_sku()
    ref = new_guest()
    put(ref, "MUG", 2)

    first = start(ref)
    second = start(ref)

    assert second.checkout_id == first.checkout_id
    assert second.reservation_id == first.reservation_id
    assert second.reservation_expires_at == first.reservation_expires_at
    assert counters() == (50, 2)


def test_the_open_checkout_takes_over_a_changed_cart_and_adjusts_its_reservation() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref = new_guest()
    put(ref, "MUG", 3)
    first = start(ref)
    put(ref, "MUG", 1)
    put(ref, "BOWL", 2)

    second = start(ref)

    assert second.checkout_id == first.checkout_id
    assert second.version > first.version
    assert second.total.minor == 3_000
    assert counters("MUG") == (50, 1)
    assert counters("BOWL") == (50, 2)
    assert second.reservation_expires_at == first.reservation_expires_at


def test_short_stock_names_the_line_and_reserves_nothing() -> None:
    make_sku("MUG", on_hand=5)
    make_sku("BOWL", on_hand=5)
    ref = new_guest()
    put(ref, "MUG", 4)
    put(ref, "BOWL", 1)
    inventory.adjust(sku_id="MUG", delta=-3, reason="damaged", by=None)

    with pytest.raises(InsufficientStockError) as refused:
        start(ref)

    (detail,) = refused.value.errors
    assert (detail.pointer, detail.code) == ("/items/MUG", "short")
    assert (detail.params["requested"], detail.params["buyable"]) == (4, 2)
    assert counters("MUG") == (2, 0)
    assert counters("BOWL") == (5, 0)
    assert not models.Checkout.objects.exists()


def test_a_line_no_longer_sold_is_named_and_reserves_nothing() -> None:
    make_sku("MUG")
    make_sku("BOWL")
    ref = new_guest()
    put(ref, "MUG")
    put(ref, "BOWL")
    catalog.stop_selling(sku_ids=["BOWL"])

    with pytest.raises(LineUnavailableError) as refused:
        start(ref)

    assert [(detail.pointer, detail.code) for detail in refused.value.errors] == [("/items/BOWL", "no_longer_sold")]
    assert counters("MUG") == (50, 0)


def test_a_rise_since_adding_has_to_be_agreed_to_before_anything_is_reserved() -> None:
    make_sku("MUG", price=1_200)
    ref = new_guest()
    put(ref, "MUG", 2)
    set_price("MUG", 1_400)

    with pytest.raises(PriceChangedError) as refused:
        start(ref)

    (change,) = refused.value.changes
    assert (change.was.minor, change.now.minor) == (1_200, 1_400)
    assert refused.value.quote.total.minor == 2_800
    assert counters() == (50, 0)
    assert start(ref, accepted_total=2_800).total.minor == 2_800
    assert counters() == (50, 2)


def test_agreeing_to_less_than_the_total_is_not_enough() -> None:
    make_sku("MUG", price=1_200)
    ref = new_guest()
    put(ref, "MUG")

    with pytest.raises(PriceChangedError):
        start(ref, accepted_total=1_199)
    assert counters() == (50, 0)


def test_a_fall_since_adding_is_applied_without_asking() -> None:
    make_sku("MUG", price=1_200)
    ref = new_guest()
    put(ref, "MUG")
    set_price("MUG", 1_000)

    assert start(ref).total.minor == 1_000


def test_the_frozen_quote_stands_while_the_price_lock_holds() -> None:
    make_sku("MUG", price=1_200)
    ref = new_guest()
    put(ref, "MUG")
    first = start(ref)
    set_price("MUG", 1_500)

    assert start(ref).total == first.total


def test_a_reservation_never_blocks_its_own_owner() -> None:
    make_sku("MUG", on_hand=3)
    ref = new_guest()
    put(ref, "MUG", 3)
    start(ref)

    assert start(ref).lines[0].quantity == 3
    assert counters() == (3, 3)


def test_another_shopper_cannot_see_or_change_a_checkout() -> None:
    make_sku()
    ref = new_guest()
    put(ref, "MUG")
    view = start(ref)
    stranger = principal_of(new_guest())

    with pytest.raises(CheckoutUnknownError):
        services.cancel(checkout_id=view.checkout_id, principal=stranger, now=clock.now())
    with pytest.raises(CheckoutUnknownError):
        services.update_details(
            checkout_id=view.checkout_id,
            principal=stranger,
            details={"email": "eve@example.com"},
            expected_version=None,
            now=clock.now(),
        )
    assert counters() == (50, 1)


@pytest.mark.parametrize("text", ["", "x", "chk_1", "chk_" + "0" * 24, "chk_\x00" + "0" * 23, "../" * 9, "\ud800"])
def test_ids_that_are_none_are_simply_unknown(text: str) -> None:
    with pytest.raises(CheckoutUnknownError):
        services.cancel(checkout_id=text, principal=principal_of(new_guest()), now=clock.now())


@pytest.mark.parametrize("lines", [1, 40])
def test_starting_takes_at_most_14_statements_for_one_line_and_for_many(lines: int) -> None:
    ref = new_guest()
    for number in range(lines):
        put(ref, make_sku(f"SKU-{number}"))

    with CaptureQueriesContext(connection) as first:
        start(ref)
    with CaptureQueriesContext(connection) as again:
        start(ref)

    assert _statements(first) <= 14
    assert _statements(again) <= 14


def _statements(queries: CaptureQueriesContext) -> int:
    """Count statements, without the savepoints that stand for transactions in a test."""
    return sum("SAVEPOINT" not in (query["sql"] or "") for query in queries)


def test_too_many_live_checkouts_are_refused_and_reserve_nothing() -> None:
    make_sku()
    ref = new_guest()
    for number in range(3):
        put(ref, "MUG", number + 1)
        view = start(ref)
        # As if their payments had been running for longer than the cart's lock lasts.
        models.Checkout.objects.filter(pk=view.checkout_id).update(state="paying")
    reserved = counters()
    put(ref, "MUG", 9)

    with pytest.raises(ReservationLimitError) as refused:
        start(ref)

    assert refused.value.limit == 3
    assert counters() == reserved
    assert models.Checkout.objects.count() == 3
