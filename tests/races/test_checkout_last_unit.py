"""The last unit through the whole checkout: many shoppers press the buttons together, one buys it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from inventory.services import reserving
from shop.checkout.models import FakeCharge, Order
from shop.core.errors import Refusal
from tests.checkout.helpers import cart_of, counters, fill, make_sku, new_guest, pay, put, start
from tests.races.rivals import meet

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

RIVALS = 24


@contextmanager
def without_checks() -> Iterator[None]:
    """Take away what the database itself refuses, while the block runs."""
    checks = (
        ("inventory_stockitem", "reserved_is_within_on_hand", "reserved >= 0 AND reserved <= on_hand"),
        ("inventory_stockentry", "stock_entry_leaves_units", "on_hand_after >= 0"),
    )
    with connection.cursor() as cursor:
        for table, name, _ in checks:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table, name, condition in checks:
                cursor.execute(f"TRUNCATE {table} CASCADE")
                cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition})")


def all_buy() -> Counter[str]:
    """Let everybody with the last unit in the cart check out and pay at once; count what they were told."""
    refs = [new_guest() for _ in range(RIVALS)]
    for ref in refs:
        put(ref, "MUG")

    def buy(number: int) -> str:
        ref = refs[number]
        try:
            return pay(fill(start(ref), ref), ref).state.value
        except Refusal as refusal:
            return refusal.code

    answers = meet(RIVALS, buy)
    kept = sum(cart_of(ref) == {"MUG": 1} for ref in refs)
    return Counter([*map(str, answers), *["cart kept"] * kept])


def test_one_of_many_shoppers_buys_the_last_unit_and_the_others_keep_their_carts() -> None:
    make_sku(on_hand=1)

    assert all_buy() == {"succeeded": 1, "insufficient_stock": RIVALS - 1, "cart kept": RIVALS - 1}

    assert counters() == (0, 0)
    assert Order.objects.count() == FakeCharge.objects.count() == 1


def test_twin_without_the_stock_condition_sells_it_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku(on_hand=1)
    guard = "WHERE n.delta > coalesce(l.available, 0)"
    assert guard in reserving.RESERVE
    monkeypatch.setattr(reserving, "RESERVE", reserving.RESERVE.replace(guard, "WHERE false"))
    with without_checks():
        told = all_buy()
        assert told["succeeded"] > 1, told
        assert Order.objects.count() > 1
