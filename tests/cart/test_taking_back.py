"""Undo, the saved list, notices."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cart import selectors, services
from cart.errors import LineUnknownError, SavedListFullError, UndoExpiredError, UndoSupersededError
from cart.rules import view_digest
from cart.types import CartRef, LineChange
from inventory import services as inventory
from inventory.errors import InsufficientStockError
from inventory.types import AvailabilityState, StockReason
from pricing import services as pricing
from shop.catalog import services as catalog
from shop.core.money import Money
from tests.cart.helpers import NOW, customer, make_sku, quantities

pytestmark = pytest.mark.django_db


def _saved(ref: CartRef) -> dict[str, int]:
    return {line.sku_id: line.quantity for line in selectors.get_saved(ref=ref)}


def _kinds(ref: CartRef) -> list[str]:
    return [n.kind for n in selectors.view_cart(ref=ref, locale="en_GB", now=NOW).notices]


def test_undo_brings_back_quantity_price_and_place() -> None:
    for sku in ("A", "B"):
        make_sku(sku)
    ref = customer()
    services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW)
    before = services.add_line(ref=ref, sku_id="B", quantity=1, now=NOW).cart
    removed = services.remove_line(ref=ref, sku_id="A", now=NOW)
    services.add_line(ref=ref, sku_id="B", quantity=4, now=NOW)

    change = services.undo(ref=ref, undo=removed.undo)

    assert change.cart.lines[0] == before.lines[0]
    assert quantities(change.cart) == {"A": 2, "B": 5}
    with pytest.raises(UndoExpiredError):
        services.undo(ref=ref, undo=removed.undo)


def test_undo_is_refused_if_the_same_line_changed_since() -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    lowered = services.set_quantity(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    services.set_quantity(ref=ref, sku_id="MUG", quantity=2, now=NOW)
    with pytest.raises(UndoSupersededError):
        services.undo(ref=ref, undo=lowered.undo)
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 2}


def test_the_last_five_changes_can_be_undone_and_nobody_elses() -> None:
    for n in range(6):
        make_sku(f"S{n}")
    ref = customer()
    services.change_lines(ref=ref, changes=[LineChange("set", f"S{n}", 1) for n in range(6)], now=NOW)
    tokens = [services.remove_line(ref=ref, sku_id=f"S{n}", now=NOW).undo for n in range(6)]

    with pytest.raises(UndoExpiredError):
        services.undo(ref=customer(8), undo=tokens[5])
    with pytest.raises(UndoExpiredError):
        services.undo(ref=ref, undo=tokens[0])
    for token in tokens[1:]:
        services.undo(ref=ref, undo=token)
    assert set(quantities(selectors.get_cart(ref=ref))) == {"S1", "S2", "S3", "S4", "S5"}


def test_emptying_is_undone_too_and_leaves_the_saved_list() -> None:
    for sku in ("A", "B"):
        make_sku(sku)
    ref = customer()
    services.set_saved_quantity(ref=ref, sku_id="B", quantity=1, now=NOW)
    before = services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW).cart

    emptied = services.empty_cart(ref=ref)
    assert (emptied.cart.lines, emptied.cart.saved_count) == ((), 1)

    assert services.undo(ref=ref, undo=emptied.undo).cart.lines == before.lines


def test_a_line_moves_to_the_saved_list_and_back_with_its_price_and_time() -> None:
    make_sku()
    ref = customer()
    line = services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW).cart.lines[0]

    saved = services.save_line(ref=ref, sku_id="MUG", now=NOW)
    assert (saved.cart.lines, saved.cart.saved_count) == ((), 1)
    assert selectors.get_saved(ref=ref) == (line,)
    moved = services.move_to_cart(ref=ref, sku_id="MUG", now=NOW)

    assert (moved.cart.lines, moved.cart.saved_count, moved.added_new) == ((line,), 0, True)
    assert selectors.get_saved(ref=ref) == ()


def test_moving_back_joins_what_is_there_and_what_does_not_fit_stays() -> None:
    make_sku(on_hand=5)
    ref = customer()
    services.set_saved_quantity(ref=ref, sku_id="MUG", quantity=4, now=NOW)
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)

    with pytest.raises(InsufficientStockError):
        services.move_to_cart(ref=ref, sku_id="MUG", now=NOW)
    change = services.move_to_cart(ref=ref, sku_id="MUG", now=NOW, is_clamping=True)

    assert quantities(change.cart) == {"MUG": 5}
    assert _saved(ref) == {"MUG": 2}
    with pytest.raises(InsufficientStockError):
        services.move_to_cart(ref=ref, sku_id="MUG", now=NOW, is_clamping=True)
    assert (quantities(selectors.get_cart(ref=ref)), _saved(ref)) == ({"MUG": 5}, {"MUG": 2})


def test_moving_what_is_not_there_is_refused() -> None:
    make_sku()
    with pytest.raises(LineUnknownError):
        services.save_line(ref=customer(), sku_id="MUG", now=NOW)
    with pytest.raises(LineUnknownError):
        services.move_to_cart(ref=customer(), sku_id="MUG", now=NOW)


def test_a_saved_list_has_its_own_cap(settings: object) -> None:
    for n in range(201):
        make_sku(f"S{n:03}", on_hand=0)
    ref = customer()
    services.change_lines(ref=ref, changes=[LineChange("set_saved", f"S{n:03}", 1) for n in range(200)], now=NOW)
    with pytest.raises(SavedListFullError) as refusal:
        services.set_saved_quantity(ref=ref, sku_id="S200", quantity=1, now=NOW)
    assert refusal.value.limit == 200
    assert selectors.get_cart(ref=ref).saved_count == 200


def test_a_price_change_is_told_until_acknowledged_and_a_further_one_again() -> None:
    make_sku(price=1_200)
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW)
    pricing.set_prices(prices={"MUG": Money(1_400, "GBP")}, valid_from=NOW)

    view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW)
    assert [(n.notice_id, n.was, n.now) for n in view.notices] == [
        ("price_up:1400:MUG", Money(1_200, "GBP"), Money(1_400, "GBP"))
    ]
    assert view.lines[0].price_delta == Money(200, "GBP")
    assert (view.total, view.can_check_out) == (Money(2_800, "GBP"), True)
    acknowledged = services.acknowledge(ref=ref, notice_ids=["price_up:1400:MUG"])
    assert acknowledged.cart.content_version == view.cart.content_version
    assert _kinds(ref) == []
    assert selectors.view_cart(ref=ref, locale="en_GB", now=NOW).lines[0].price_delta == Money(200, "GBP")

    pricing.set_prices(prices={"MUG": Money(1_300, "GBP")}, valid_from=NOW + timedelta(minutes=1))
    later = selectors.view_cart(ref=ref, locale="en_GB", now=NOW + timedelta(minutes=2))
    assert [(n.kind, n.was, n.now) for n in later.notices] == [("price_down", Money(1_400, "GBP"), Money(1_300, "GBP"))]


def test_an_acknowledged_price_leaves_with_its_line() -> None:
    make_sku(price=1_200)
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    services.acknowledge(ref=ref, notice_ids=["price_up:1400:MUG"])
    services.remove_line(ref=ref, sku_id="MUG", now=NOW)
    again = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    assert again.cart.acknowledged == ()
    assert _kinds(ref) == []


def test_a_line_no_longer_sold_stays_named_without_price_until_acknowledged() -> None:
    make_sku("A", price=1_000)
    make_sku("B")
    ref = customer()
    services.change_lines(ref=ref, changes=[LineChange("set", s, 1) for s in ("A", "B")], now=NOW)
    catalog.stop_selling(sku_ids=["B"])

    view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW)

    assert [line.sku_id for line in view.lines] == ["A", "B"]
    assert (view.lines[1].is_sold, view.lines[1].line_total, view.lines[1].state) == (
        False,
        None,
        AvailabilityState.DISCONTINUED,
    )
    assert (view.total, view.can_check_out) == (Money(1_000, "GBP"), False)
    change = services.acknowledge(ref=ref, notice_ids=[n.notice_id for n in view.notices])
    assert quantities(change.cart) == {"A": 1}
    assert change.undo


def test_acknowledging_a_line_that_is_sold_again_keeps_it() -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    change = services.acknowledge(ref=ref, notice_ids=["discontinued:0:MUG", "nonsense", "price_up:1:OTHER"])
    assert quantities(change.cart) == {"MUG": 1}


def test_short_stock_is_told_until_acknowledged_and_blocks_checkout_until_the_quantity_fits() -> None:
    make_sku(on_hand=9)
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=4, now=NOW)
    inventory.adjust(sku_id="MUG", delta=-7, reason=StockReason.LOST, by=None)

    view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW)
    assert [(n.kind, n.was, n.now) for n in view.notices] == [("short", 4, 2)]
    assert (view.lines[0].state, view.lines[0].buyable) == (AvailabilityState.SHORT, 2)
    assert not view.can_check_out
    services.acknowledge(ref=ref, notice_ids=[view.notices[0].notice_id])
    assert _kinds(ref) == []
    view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW)
    assert (view.lines[0].state, view.can_check_out) == (AvailabilityState.SHORT, False)

    inventory.adjust(sku_id="MUG", delta=-1, reason=StockReason.LOST, by=None)
    assert _kinds(ref) == ["short"]  # fewer still: something new
    services.acknowledge(ref=ref, notice_ids=["short:1:MUG"])
    assert selectors.get_cart(ref=ref).acknowledged == ("short:1:MUG",)
    fitting = services.set_quantity(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    assert (_kinds(ref), fitting.cart.acknowledged) == ([], ())


def test_a_price_and_a_shortage_of_one_line_are_acknowledged_apart() -> None:
    make_sku(on_hand=9)
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=4, now=NOW)
    inventory.adjust(sku_id="MUG", delta=-7, reason=StockReason.LOST, by=None)
    services.acknowledge(ref=ref, notice_ids=["short:2:MUG"])
    change = services.acknowledge(ref=ref, notice_ids=["price_up:9:MUG"])
    assert set(change.cart.acknowledged) == {"short:2:MUG", "price_up:9:MUG"}


def test_a_notice_of_another_tab_goes_when_acknowledged() -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW, seen_version=1)
    view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW)
    assert [n.kind for n in view.notices] == ["changed_elsewhere"]
    services.acknowledge(ref=ref, notice_ids=[view.notices[0].notice_id])
    assert _kinds(ref) == []


def test_the_digest_moves_with_price_stock_and_locale_and_not_by_itself() -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)

    def digest(locale: str = "en_GB") -> str:
        return view_digest(selectors.view_cart(ref=ref, locale=locale, now=NOW))

    first = digest()
    assert digest() == first
    assert digest("de_DE") != first
    pricing.set_prices(prices={"MUG": Money(1_400, "GBP")}, valid_from=NOW)
    assert digest() != first
