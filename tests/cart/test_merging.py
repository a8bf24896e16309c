"""Two carts at sign-in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis
from pytest_django import Settings

from cart import keys, recorder, selectors, services, store
from cart.codec import encode_receipt
from cart.errors import CartFrozenError, CartMergedError, CartsUnavailableError, MergeSourceGoneError
from cart.models import CartRecord
from cart.types import CartState, LineChange, MergeOutcome, MergePolicy, ReceiptLine
from shop.catalog import services as catalog
from shop.core.errors import RejectedError
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("policy", "quantity", "outcome"),
    [
        (MergePolicy.MAX, 4, MergeOutcome.KEPT_LARGER),
        (MergePolicy.SUM, 6, MergeOutcome.SUMMED),
        (MergePolicy.KEEP_SAVED, 2, MergeOutcome.KEPT_SAVED),
    ],
)
def test_a_policy_decides_what_stands_in_both(policy: MergePolicy, quantity: int, outcome: MergeOutcome) -> None:
    make_sku("BOTH")
    make_sku("GUEST")
    guest, account = new_guest(), customer()
    services.add_line(ref=account, sku_id="BOTH", quantity=2, now=NOW)
    services.add_line(ref=guest, sku_id="BOTH", quantity=4, now=NOW)
    services.add_line(ref=guest, sku_id="GUEST", quantity=1, now=NOW)

    result = services.merge_guest_cart(guest_ref=guest, user_id=7, policy=policy, merge_id="m", now=NOW)

    assert quantities(result.cart) == {"BOTH": quantity, "GUEST": 1}
    assert result.receipt == (
        ReceiptLine("BOTH", outcome, 2, 4, quantity),
        ReceiptLine("GUEST", MergeOutcome.ADDED, 0, 1, 1),
    )
    assert result.cart.receipt == result.receipt
    assert selectors.get_cart(ref=account) == result.cart


def test_repeating_a_merge_gives_the_same_receipt_and_joins_nothing_twice() -> None:
    make_sku()
    guest = new_guest()
    services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)
    first = services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, now=NOW)

    again = services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, merge_id="x", now=NOW)

    assert (again.receipt, again.was_replayed, again.undo) == (first.receipt, True, first.undo)
    assert quantities(again.cart) == {"MUG": 3}


def test_another_customer_gets_nothing() -> None:
    make_sku()
    guest = new_guest()
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)
    services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)
    with pytest.raises(MergeSourceGoneError):
        services.merge_guest_cart(guest_ref=guest, user_id=8, now=NOW)
    assert selectors.get_cart(ref=customer(8)).lines == ()


def test_a_guest_who_was_never_here_has_nothing_to_join() -> None:
    with pytest.raises(MergeSourceGoneError):
        services.merge_guest_cart(guest_ref=new_guest(), user_id=7, now=NOW)


def test_after_it_the_guests_cart_is_dead_and_shows_nothing() -> None:
    make_sku()
    guest = new_guest()
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)
    services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    cart, saved = selectors.get_cart_and_saved(ref=guest)

    assert (cart.version, cart.lines, cart.receipt, saved) == (0, (), (), ())
    with pytest.raises(CartMergedError):
        services.add_line(ref=guest, sku_id="MUG", quantity=1, now=NOW)


def test_the_tombstone_survives_the_loss_of_redis(cart_redis: redis.Redis) -> None:
    make_sku()
    guest = new_guest()
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)
    services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)
    recorder.drain()
    cart_redis.flushdb()

    assert CartRecord.objects.get(owner=guest.owner).state == "merged"
    assert selectors.get_cart(ref=guest).state is CartState.MERGED
    again = services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, now=NOW)
    assert again.was_replayed
    assert quantities(selectors.get_cart(ref=customer())) == {"MUG": 2}
    with pytest.raises(MergeSourceGoneError):
        services.merge_guest_cart(guest_ref=guest, user_id=8, now=NOW)


def test_what_is_no_longer_sold_is_left_out_and_said() -> None:
    make_sku("OLD")
    guest = new_guest()
    services.add_line(ref=guest, sku_id="OLD", quantity=2, now=NOW)
    catalog.stop_selling(sku_ids=["OLD"])

    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    assert result.cart.lines == ()
    assert result.receipt == (ReceiptLine("OLD", MergeOutcome.DISCONTINUED, 0, 2, 0),)
    assert result.cart.notice == "merged"


def test_quantities_are_cut_to_caps_and_stock_but_the_accounts_own_is_never_lowered() -> None:
    make_sku("CAP", on_hand=500)
    make_sku("FEW", on_hand=5)
    guest, account = new_guest(), customer()
    services.change_lines(ref=account, changes=_set(CAP=60, FEW=4), now=NOW)
    services.change_lines(ref=guest, changes=_set(CAP=60, FEW=5), now=NOW)

    result = services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, now=NOW)

    assert quantities(result.cart) == {"CAP": 99, "FEW": 5}
    assert {line.outcome for line in result.receipt} == {MergeOutcome.CAPPED}


def test_lines_beyond_a_hundred_are_left_out_and_said() -> None:
    for n in range(101):
        make_sku(f"S{n:03}", on_hand=9)
    guest, account = new_guest(), customer()
    services.change_lines(ref=account, changes=_set(**{f"S{n:03}": 1 for n in range(100)}), now=NOW)
    services.change_lines(ref=guest, changes=_set(S000=3, S100=2), now=NOW)

    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    assert len(result.cart.lines) == 100
    assert set(result.receipt) == {
        ReceiptLine("S000", MergeOutcome.KEPT_LARGER, 1, 3, 3),
        ReceiptLine("S100", MergeOutcome.LIST_FULL, 0, 2, 0),
    }


@pytest.mark.parametrize(("guest_quantity", "kept"), [(38, 98), (39, 99), (40, 99)])
def test_a_sum_below_at_and_above_the_cap_is_kept_whole_or_cut_and_said(guest_quantity: int, kept: int) -> None:
    make_sku("MUG", on_hand=500)
    guest = new_guest()
    services.set_quantity(ref=customer(), sku_id="MUG", quantity=60, now=NOW)
    services.set_quantity(ref=guest, sku_id="MUG", quantity=guest_quantity, now=NOW)

    result = services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, now=NOW)

    outcome = MergeOutcome.CAPPED if guest_quantity > 39 else MergeOutcome.SUMMED
    assert result.receipt == (ReceiptLine("MUG", outcome, 60, guest_quantity, kept),)
    assert quantities(result.cart) == {"MUG": kept}


@pytest.mark.parametrize(("more", "left_out"), [(1, 0), (2, 0), (3, 1)])
def test_lines_below_at_and_above_what_a_cart_takes_are_kept_or_left_out_and_said(
    settings: Settings, more: int, left_out: int
) -> None:
    settings.CART = replace(settings.CART, max_lines=5)
    for n in range(6):
        make_sku(f"S{n}")
    guest = new_guest()
    services.change_lines(ref=customer(), changes=_set(S0=1, S1=1, S2=1), now=NOW)
    services.change_lines(ref=guest, changes=_set(**{f"S{3 + n}": 1 for n in range(more)}), now=NOW)

    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    assert len(result.cart.lines) == 3 + more - left_out
    assert len(result.receipt) == more
    assert [line.outcome for line in result.receipt].count(MergeOutcome.LIST_FULL) == left_out


def test_the_saved_lists_are_joined_too() -> None:
    for sku in ("A", "B"):
        make_sku(sku)
    guest, account = new_guest(), customer()
    services.set_saved_quantity(ref=account, sku_id="A", quantity=1, now=NOW)
    services.set_saved_quantity(ref=guest, sku_id="A", quantity=2, now=NOW)
    services.set_saved_quantity(ref=guest, sku_id="B", quantity=3, now=NOW)

    services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    assert {line.sku_id: line.quantity for line in selectors.get_saved(ref=account)} == {"A": 2, "B": 3}


def test_a_guests_cart_alone_is_taken_over_without_a_notice() -> None:
    make_sku()
    guest = new_guest()
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)
    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)
    assert (result.cart.notice, result.cart.receipt) == ("", ())


def test_undoing_a_merge_brings_the_account_back_and_saves_the_guests_lines() -> None:
    for sku in ("A", "B", "C"):
        make_sku(sku)
    guest, account = new_guest(), customer()
    before = services.add_line(ref=account, sku_id="A", quantity=1, now=NOW).cart
    services.set_saved_quantity(ref=guest, sku_id="C", quantity=4, now=NOW)
    services.change_lines(ref=guest, changes=_set(A=5, B=2), now=NOW)
    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    change = services.undo(ref=account, undo=result.undo)

    assert change.cart.lines == before.lines
    assert (change.cart.notice, change.cart.receipt) == ("", ())
    assert {line.sku_id: line.quantity for line in selectors.get_saved(ref=account)} == {"A": 5, "B": 2, "C": 4}


@pytest.mark.parametrize("step", ["change", "tombstone"])
def test_a_merge_that_died_half_way_is_finished_and_joins_once(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    make_sku()
    guest, account = new_guest(), customer()
    services.add_line(ref=account, sku_id="MUG", quantity=1, now=NOW)
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)

    def die(**_: object) -> None:
        raise CartsUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(store, step, die)
        with pytest.raises(CartsUnavailableError):
            services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, now=NOW)
    with pytest.raises(CartFrozenError):
        services.add_line(ref=guest, sku_id="MUG", quantity=1, now=NOW)

    assert services.finish_merge(guest_ref=guest, now=NOW)

    assert quantities(selectors.get_cart(ref=account)) == {"MUG": 3}
    assert not services.finish_merge(guest_ref=guest, now=NOW)


def test_a_browsers_own_cart_is_adopted_once_at_the_shops_prices() -> None:
    make_sku("A", price=1_000)
    ref = new_guest()
    first = services.merge_items(ref=ref, items=[("A", 2), ("NONE", 1)], merge_id="uuid", now=NOW)
    again = services.merge_items(ref=ref, items=[("A", 2), ("NONE", 1)], merge_id="uuid", now=NOW)

    assert quantities(first.cart) == {"A": 2}
    assert first.receipt == (
        ReceiptLine("A", MergeOutcome.ADDED, 0, 2, 2),
        ReceiptLine("NONE", MergeOutcome.UNKNOWN_SKU, 0, 1, 0),
    )
    assert (again.was_replayed, again.receipt, again.cart) == (True, first.receipt, first.cart)
    with pytest.raises(RejectedError):
        services.merge_items(ref=ref, items=[("A", 1)] * 101, merge_id="many", now=NOW)


def test_a_target_that_changes_meanwhile_keeps_both(monkeypatch: pytest.MonkeyPatch) -> None:
    for sku in ("A", "B"):
        make_sku(sku)
    guest, account = new_guest(), customer()
    services.add_line(ref=guest, sku_id="A", quantity=1, now=NOW)
    real = store.change

    def rival(**arguments: object) -> store.Answer:
        monkeypatch.setattr(store, "change", real)
        services.add_line(ref=account, sku_id="B", quantity=2, now=NOW)
        return real(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "change", rival)
    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    assert quantities(result.cart) == {"A": 1, "B": 2}


def test_keys_of_a_cart_lie_in_one_slot(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = new_guest()
    services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW, operation_id="key")
    services.save_line(ref=ref, sku_id="MUG", now=NOW)
    tag = f"{{{keys.partition(ref.owner)}}}"
    assert all(tag in name for name in cart_redis.scan_iter())
    assert encode_receipt(()) == "[]"


def _set(**quantity: int) -> list[LineChange]:
    return [LineChange("set", sku, n) for sku, n in quantity.items()]
