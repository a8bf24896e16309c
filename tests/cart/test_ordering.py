"""What checkout does to carts."""

from __future__ import annotations

import pytest
import redis
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from cart import comparing, keys, recorder, selectors, services
from cart.errors import CartLockedError
from cart.models import CartRecord
from cart.types import Cart, CartRef
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.django_db


def _order(ref: CartRef, cart: Cart, number: str = "ord_1") -> None:
    with transaction.atomic():
        services.convert_record(
            ref=ref, content_version=cart.content_version, lines=cart.lines, order_number=number, currency="GBP"
        )


def test_clearing_takes_what_was_ordered_and_leaves_what_was_added_since() -> None:
    for sku in ("A", "B", "C"):
        make_sku(sku)
    ref = customer()
    services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW)
    ordered = services.add_line(ref=ref, sku_id="B", quantity=1, now=NOW).cart
    services.add_line(ref=ref, sku_id="A", quantity=3, now=NOW)
    services.add_line(ref=ref, sku_id="C", quantity=1, now=NOW)
    _order(ref, ordered)

    change = services.clear_ordered(ref=ref, content_version=ordered.content_version, order_number="ord_1")

    assert quantities(change.cart) == {"A": 3, "C": 1}


def test_clearing_twice_clears_once() -> None:
    make_sku()
    ref = customer()
    ordered = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart
    arguments = {"content_version": ordered.content_version, "order_number": "ord_1", "lines": ordered.lines}
    services.clear_ordered(ref=ref, **arguments)  # type: ignore[arg-type]  # their types differ
    again = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart

    repeat = services.clear_ordered(ref=ref, **arguments)  # type: ignore[arg-type]

    assert repeat.was_replayed
    assert selectors.get_cart(ref=ref) == again


def test_converting_keeps_a_final_row_and_empties_the_live_one() -> None:
    make_sku(price=900)
    ref = customer()
    ordered = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart
    recorder.drain()

    _order(ref, ordered)
    _order(ref, ordered)

    final = CartRecord.objects.get(state="converted")
    assert (final.order_number, final.units, final.value_minor, final.user_id) == ("ord_1", 2, 1_800, 7)
    live = CartRecord.objects.get(state="active")
    assert (live.units, live.lines) == (0, [])


def test_converting_works_before_the_recorder_ever_saw_the_cart() -> None:
    make_sku()
    ref = new_guest()
    ordered = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart
    _order(ref, ordered)
    recorder.drain()
    assert CartRecord.objects.get(state="active").units == 0


@pytest.mark.django_db(transaction=True)
def test_converting_outside_a_transaction_is_a_mistake() -> None:
    with pytest.raises(TransactionManagementError):
        services.convert_record(ref=customer(), content_version=1, lines=(), order_number="ord_1", currency="GBP")


def test_bought_lines_never_come_back_when_redis_loses_the_cart(cart_redis: redis.Redis) -> None:
    make_sku("A")
    make_sku("B")
    ref = customer()
    recorder.drain()  # compares carts, as at its start; not again below
    ordered = services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW).cart
    services.acknowledge(ref=ref, notice_ids=["changed_elsewhere:0:"])
    _order(ref, ordered)
    services.add_line(ref=ref, sku_id="B", quantity=1, now=NOW)
    # The recorder wakes late: its newest snapshot still has the ordered line.
    recorder.drain()
    cart_redis.flushdb()

    assert quantities(selectors.get_cart(ref=ref)) == {"B": 1}
    services.clear_ordered(ref=ref, content_version=ordered.content_version, order_number="ord_1")
    assert quantities(selectors.get_cart(ref=ref)) == {"B": 1}


def test_bought_lines_do_not_come_back_with_an_older_file_of_redis(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    ordered = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart
    recorder.drain()
    old = cart_redis.hgetall(keys.cart(ref.owner))
    _order(ref, ordered)
    services.clear_ordered(ref=ref, content_version=ordered.content_version, order_number="ord_1")
    cart_redis.flushdb()
    cart_redis.hset(keys.cart(ref.owner), mapping=dict(old))  # type: ignore[arg-type]  # texts, both

    comparing.compare()

    assert selectors.get_cart(ref=ref).lines == ()


def test_many_orders_later_none_of_them_is_taken_for_new(cart_redis: redis.Redis) -> None:
    make_sku(on_hand=500)
    ref = customer()
    for number in range(25):
        ordered = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart
        _order(ref, ordered, f"ord_{number}")
        services.clear_ordered(ref=ref, content_version=ordered.content_version, order_number=f"ord_{number}")
    services.add_line(ref=ref, sku_id="MUG", quantity=30, now=NOW)
    recorder.drain()
    comparing.compare()
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 30}
    cart_redis.flushdb()
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 30}


def test_a_cart_being_paid_for_is_read_and_not_written() -> None:
    make_sku()
    ref = customer()
    cart = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart
    services.lock_for_payment(ref=ref, checkout_id="chk_1", seconds=60)
    services.lock_for_payment(ref=ref, checkout_id="chk_1", seconds=60)

    with pytest.raises(CartLockedError) as refusal:
        services.remove_line(ref=ref, sku_id="MUG", now=NOW)
    with pytest.raises(CartLockedError):
        services.lock_for_payment(ref=ref, checkout_id="chk_2", seconds=60)

    assert refusal.value.retry_after_seconds
    locked = selectors.get_cart(ref=ref)
    assert (locked.lines, locked.version, locked.locked_by) == (cart.lines, cart.version, "chk_1")
    assert not services.unlock(ref=ref, checkout_id="chk_2")
    assert services.unlock(ref=ref, checkout_id="chk_1")
    assert services.remove_line(ref=ref, sku_id="MUG", now=NOW).cart.lines == ()


def test_a_lock_ends_by_itself_and_clearing_takes_it_off() -> None:
    make_sku()
    ref = customer()
    cart = services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW).cart
    services.lock_for_payment(ref=ref, checkout_id="chk_1", seconds=0)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    services.lock_for_payment(ref=ref, checkout_id="chk_1", seconds=60)

    services.clear_ordered(ref=ref, content_version=cart.content_version, order_number="o", lines=cart.lines)

    left = selectors.get_cart(ref=ref)
    assert (quantities(left), left.locked_by) == ({"MUG": 1}, "")


def test_a_guests_old_record_is_pruned_a_customers_and_an_ordered_one_stay() -> None:
    make_sku()
    old, fresh, bought = new_guest(), new_guest(), new_guest()
    for ref in (old, fresh, bought, customer()):
        cart = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart
        if ref is bought:
            _order(ref, cart)
    recorder.drain()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE cart_cartrecord SET last_activity_at = %s - interval '91 days' WHERE owner <> %s",
            [NOW, fresh.owner],
        )

    assert services.prune_records(now=NOW) == 2

    left = set(CartRecord.objects.values_list("owner", "state"))
    assert left == {(fresh.owner, "active"), (bought.owner, "converted"), ("u:7", "active")}
