"""Putting lines in, changing and removing them."""

from __future__ import annotations

import pytest

from cart import selectors, services
from cart.errors import (
    CartChangedError,
    CartFullError,
    OperationReusedError,
    QuantityInvalidError,
    QuantityTooLargeError,
    SkuNotSellableError,
)
from cart.types import CartWarning, LineChange
from inventory import services as inventory
from inventory.errors import InsufficientStockError
from inventory.types import StockReason
from pricing import services as pricing
from shop.catalog.errors import SkuUnknownError
from shop.core.errors import ErrorDetail, RejectedError
from shop.core.money import Money
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.django_db


def test_adding_adds_and_setting_sets() -> None:
    make_sku()
    ref = customer()

    first = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW)
    second = services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    third = services.set_quantity(ref=ref, sku_id="MUG", quantity=4, now=NOW)

    assert [quantities(c.cart) for c in (first, second, third)] == [{"MUG": 2}, {"MUG": 5}, {"MUG": 4}]
    assert [c.added_new for c in (first, second, third)] == [True, False, False]
    assert [bool(c.undo) for c in (first, second, third)] == [False, False, True]
    assert first.cart.version < second.cart.version < third.cart.version
    assert third.cart.lines[0].price_at_add == Money(1_200, "GBP")
    assert selectors.get_cart(ref=ref) == third.cart


def test_zero_removes_and_removing_what_is_not_there_is_success() -> None:
    make_sku()
    ref = new_guest()
    services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW)

    gone = services.set_quantity(ref=ref, sku_id="MUG", quantity=0, now=NOW)
    again = services.remove_line(ref=ref, sku_id="MUG", now=NOW)

    assert gone.cart.lines == ()
    assert gone.undo
    assert (again.cart, again.undo) == (gone.cart, "")


def test_the_price_at_add_is_that_of_the_first_time_and_leaves_with_the_line() -> None:
    make_sku(price=1_000)
    ref = new_guest()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    pricing.set_prices(prices={"MUG": Money(1_500, "GBP")}, valid_from=NOW)

    kept = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    services.remove_line(ref=ref, sku_id="MUG", now=NOW)
    anew = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)

    assert kept.cart.lines[0].price_at_add == Money(1_000, "GBP")
    assert anew.cart.lines[0].price_at_add == Money(1_500, "GBP")


@pytest.mark.parametrize(
    ("sku_id", "error"),
    [("NONE", SkuUnknownError), ("GONE", SkuNotSellableError), ("@version", RejectedError), ("a\nb", RejectedError)],
)
def test_what_is_not_sold_does_not_enter(sku_id: str, error: type[Exception]) -> None:
    make_sku("GONE", is_sellable=False)
    ref = customer()

    with pytest.raises(error):
        services.add_line(ref=ref, sku_id=sku_id, quantity=1, now=NOW)

    assert selectors.get_cart(ref=ref).version == 0


@pytest.mark.parametrize("quantity", [True, 1.0, "1", None, -1])
def test_a_quantity_is_a_whole_number(quantity: object) -> None:
    make_sku()
    with pytest.raises(QuantityInvalidError):
        services.set_quantity(ref=customer(), sku_id="MUG", quantity=quantity, now=NOW)  # type: ignore[arg-type]  # the point


def test_adding_nothing_is_refused() -> None:
    make_sku()
    with pytest.raises(QuantityInvalidError) as refusal:
        services.add_line(ref=customer(), sku_id="MUG", quantity=0, now=NOW)
    assert refusal.value.errors == (ErrorDetail("/quantity", "min_value", {"limit": 1}),)


def test_small_adds_do_not_creep_past_the_cap() -> None:
    make_sku(on_hand=500)
    ref = customer()
    services.set_quantity(ref=ref, sku_id="MUG", quantity=98, now=NOW)

    with pytest.raises(QuantityTooLargeError) as refusal:
        services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW)

    assert refusal.value.errors == (ErrorDetail("/quantity", "max_value", {"requested": 100, "limit": 99}),)
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 98}


def test_one_sku_on_two_lines_of_a_request_is_added_up() -> None:
    make_sku(on_hand=500)
    changes = [LineChange("set", "MUG", 60, "/items/0/quantity"), LineChange("set", "MUG", 60, "/items/1/quantity")]
    with pytest.raises(QuantityTooLargeError) as refusal:
        services.change_lines(ref=customer(), changes=changes, now=NOW)
    assert refusal.value.errors[0].pointer == "/items/1/quantity"


def test_a_cart_takes_a_hundred_lines_and_not_one_more() -> None:
    skus = [make_sku(f"S{n:03}", on_hand=5) for n in range(101)]
    ref = customer()
    full = services.change_lines(ref=ref, changes=[LineChange("set", sku, 1) for sku in skus[:100]], now=NOW)

    with pytest.raises(CartFullError) as refusal:
        services.add_line(ref=ref, sku_id=skus[100], quantity=1, now=NOW)

    assert refusal.value.limit == 100
    assert selectors.get_cart(ref=ref) == full.cart


def test_more_than_there_is_is_refused_with_what_there_is() -> None:
    make_sku(on_hand=2)
    ref = customer()
    with pytest.raises(InsufficientStockError) as refusal:
        services.add_line(ref=ref, sku_id="MUG", quantity=4, now=NOW)
    assert refusal.value.errors == (ErrorDetail("/items/MUG", "short", {"requested": 4, "buyable": 2}),)
    assert selectors.get_cart(ref=ref).version == 0


def test_a_page_gets_what_there_is_and_is_told() -> None:
    make_sku(on_hand=2)
    change = services.set_quantity(ref=customer(), sku_id="MUG", quantity=4, now=NOW, is_clamping=True)
    assert quantities(change.cart) == {"MUG": 2}
    assert change.warnings == (CartWarning("clamped", "MUG", (("buyable", 2), ("quantity", 2), ("requested", 4))),)


def test_adding_on_a_page_never_lowers_what_is_in_the_cart() -> None:
    make_sku(on_hand=9)
    ref = customer()
    services.set_quantity(ref=ref, sku_id="MUG", quantity=6, now=NOW)
    inventory.adjust(sku_id="MUG", delta=-7, reason=StockReason.LOST, by=None)

    added = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW, is_clamping=True)
    typed = services.set_quantity(ref=ref, sku_id="MUG", quantity=8, now=NOW, is_clamping=True)

    assert quantities(added.cart) == {"MUG": 6}
    assert [w.code for w in added.warnings] == ["clamped"]
    assert quantities(typed.cart) == {"MUG": 2}


def test_clamping_to_nothing_is_a_refusal() -> None:
    make_sku(on_hand=0)
    with pytest.raises(InsufficientStockError):
        services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW, is_clamping=True)


def test_lowering_is_never_refused_for_lack_of_stock() -> None:
    make_sku(on_hand=9)
    ref = customer()
    services.set_quantity(ref=ref, sku_id="MUG", quantity=9, now=NOW)
    inventory.adjust(sku_id="MUG", delta=-8, reason=StockReason.LOST, by=None)

    lower = services.set_quantity(ref=ref, sku_id="MUG", quantity=5, now=NOW)

    assert quantities(lower.cart) == {"MUG": 5}


def test_many_lines_change_together_or_not_at_all() -> None:
    make_sku("A")
    make_sku("B", on_hand=1)
    ref = customer()
    before = services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW)

    with pytest.raises(InsufficientStockError):
        services.change_lines(ref=ref, changes=[LineChange("set", "A", 3), LineChange("set", "B", 2)], now=NOW)

    assert selectors.get_cart(ref=ref) == before.cart


def test_replacing_removes_what_is_not_named_and_keeps_the_price_of_what_is() -> None:
    for sku in ("A", "B", "C"):
        make_sku(sku)
    ref = customer()
    services.change_lines(ref=ref, changes=[LineChange("set", s, 1) for s in ("A", "B")], now=NOW)

    change = services.change_lines(
        ref=ref, changes=[LineChange("set", "B", 4), LineChange("set", "C", 1)], mode="replace", now=NOW
    )

    assert quantities(change.cart) == {"B": 4, "C": 1}


def test_a_stale_version_changes_nothing() -> None:
    make_sku()
    ref = customer()
    first = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart
    second = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart

    with pytest.raises(CartChangedError) as refusal:
        services.empty_cart(ref=ref, expected_version=first.version)

    assert refusal.value.version == second.version
    assert selectors.get_cart(ref=ref) == second


def test_a_clients_key_applies_once_and_gives_the_first_answer_again() -> None:
    make_sku()
    ref = customer()
    first = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW, operation_id="key")
    services.add_line(ref=ref, sku_id="MUG", quantity=5, now=NOW)

    again = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW, operation_id="key")

    assert again.was_replayed
    assert again.cart == first.cart
    assert again.added_new
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 6}


def test_a_clients_key_is_not_used_for_another_change() -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW, operation_id="key")
    with pytest.raises(OperationReusedError):
        services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW, operation_id="key")


def test_the_same_key_of_another_shopper_is_another_key() -> None:
    make_sku()
    services.add_line(ref=customer(1), sku_id="MUG", quantity=1, now=NOW, operation_id="key")
    other = services.add_line(ref=customer(2), sku_id="MUG", quantity=2, now=NOW, operation_id="key")
    assert not other.was_replayed
    assert quantities(other.cart) == {"MUG": 2}


def test_a_page_drawn_before_another_tabs_change_gets_a_notice_and_is_obeyed() -> None:
    make_sku("A")
    make_sku("B")
    ref = customer()
    page = services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW).cart
    services.add_line(ref=ref, sku_id="B", quantity=1, now=NOW)

    change = services.set_quantity(ref=ref, sku_id="A", quantity=3, now=NOW, seen_version=page.version)

    assert quantities(change.cart) == {"A": 3, "B": 1}
    assert change.cart.notice == "changed_elsewhere"


def test_reading_a_cart_never_written_creates_nothing(cart_redis: object) -> None:
    cart = selectors.get_cart(ref=None)
    assert (cart.version, cart.lines) == (0, ())
