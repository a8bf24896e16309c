"""Whoever writes several rows locks them in their order: nobody waits for the first one with a later one locked.

Two who lock the same rows in different orders wait for each other until PostgreSQL ends one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, transaction
from django.db.models import F, QuerySet
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory.models import StockItem
from pricing import services as pricing
from pricing.models import DiscountCode, Price
from pricing.services import codes, prices
from pricing.types import NewPrice, ReductionKind
from shop.checkout import services as checkout
from shop.checkout.services import forgetting
from shop.core import clock
from tests.checkout.helpers import make_sku, principal_of, ready
from tests.inventory.helpers import stock
from tests.races.rivals import held_open, running, wait_until_blocked

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows in the order in which they are to be locked, and who is about to write both."""

    first: QuerySet[Any]
    last: QuerySet[Any]
    act: Callable[[], object]


def waits_with_the_last_one_locked(pair: Pair) -> bool:
    """Let somebody keep the first row locked while both are written; tell whether the last one is locked meanwhile."""

    def lock(row: QuerySet[Any]) -> None:
        row.select_for_update(nowait=True).get()

    with ExitStack() as later, held_open(lambda: lock(pair.first)):
        writer = later.enter_context(running(pair.act))
        wait_until_blocked(unless=writer)
        assert not writer.done(), writer.result()
        try:
            with transaction.atomic():
                lock(pair.last)
        except OperationalError:
            return True
    return False


def two_codes() -> list[int]:
    """Make two codes of one customer; the older one lies behind the other in its table."""
    yesterday = clock.now() - timedelta(days=1)
    promotion = pricing.NewPromotion(
        name="Thanks", kind=ReductionKind.PERCENT, value=20, needs_code=True, valid_from=yesterday
    )
    promotion_id = pricing.add_promotion(promotion=promotion)
    issued = pricing.issue_codes(promotion_id=promotion_id, count=2, valid_from=yesterday, user_id=7)
    older, newer = sorted(code.code_id for code in issued)
    DiscountCode.objects.filter(pk=older).update(max_uses=F("max_uses") + 1)
    return [older, newer]


def of_codes(act: Callable[[list[int]], object]) -> Pair:
    ids = two_codes()
    first, last = (DiscountCode.objects.filter(pk=pk) for pk in ids)
    return Pair(first, last, lambda: act(ids[::-1]))


def revoke(ids: list[int]) -> int:
    return pricing.revoke_codes(code_ids=ids, now=clock.now())


def forget(_: list[int]) -> None:
    pricing.forget_customer(user_id=7, checkout_ids=(), now=clock.now())


@pytest.mark.parametrize("act", [revoke, forget])
def test_codes_end_in_their_order(act: Callable[[list[int]], object]) -> None:
    assert not waits_with_the_last_one_locked(of_codes(act))
    assert not DiscountCode.objects.filter(revoked_at=None).exists()


def test_twin_codes_that_end_as_they_lie_in_the_table() -> None:
    assert waits_with_the_last_one_locked(of_codes(lambda _: DiscountCode.objects.update(revoked_at=clock.now())))


def test_twin_codes_that_are_revoked_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ORDER BY id" in codes.REVOKE
    monkeypatch.setattr(codes, "REVOKE", codes.REVOKE.replace("ORDER BY id", "ORDER BY id DESC"))
    assert waits_with_the_last_one_locked(of_codes(revoke))


def of_prices() -> Pair:
    """Let two prices be set anew, from the end."""
    since = clock.now()
    new = [NewPrice(sku_id, minor, "GBP", "", since) for sku_id, minor in (("MUG", 900), ("LAMP", 4_900))]
    assert [Price.objects.get(pk=pk).sku_id for pk in pricing.add_prices(prices=new)] == ["MUG", "LAMP"]
    first, last = (Price.objects.filter(sku_id=sku_id) for sku_id in ("LAMP", "MUG"))
    return Pair(first, last, lambda: pricing.add_prices(prices=new))


def test_prices_are_set_in_the_order_of_skus() -> None:
    assert not waits_with_the_last_one_locked(of_prices())


def test_twin_prices_that_are_set_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "_key", lambda price: price.unit_price_minor)
    assert waits_with_the_last_one_locked(of_prices())


def of_stock(act: Callable[[], object]) -> Pair:
    stock(LAMP=1, MUG=1)
    first, last = (StockItem.objects.filter(pk=sku_id) for sku_id in ("LAMP", "MUG"))
    return Pair(first, last, act)


def test_staff_mark_skus_hot_in_their_order_however_the_list_is_sorted(client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    url = f"{reverse('admin:inventory_stockitem_changelist')}?o=-1"

    def mark() -> None:
        client.post(url, {"action": "mark_hot", "_selected_action": ["MUG", "LAMP"]})

    assert not waits_with_the_last_one_locked(of_stock(mark))
    assert StockItem.objects.filter(is_hot=True).count() == 2


def test_twin_skus_that_are_marked_hot_from_the_end() -> None:
    def mark() -> None:
        with transaction.atomic():
            for sku_id in ("MUG", "LAMP"):
                inventory.mark_hot(sku_id=sku_id, is_hot=True)

    assert waits_with_the_last_one_locked(of_stock(mark))


def of_a_buyer_with_two_checkouts() -> Pair:
    """Let a guest be forgotten whose first checkout has reserved the SKU that is locked last."""
    make_sku("LAMP", on_hand=50)
    make_sku("MUG", on_hand=50)
    while True:
        (lamp_ref, lamp), (mug_ref, mug) = ready(sku_id="LAMP"), ready(sku_id="MUG")
        if mug.checkout_id < lamp.checkout_id:
            break
        for ref, view in ((lamp_ref, lamp), (mug_ref, mug)):  # ids are random
            checkout.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    first, last = (StockItem.objects.filter(pk=sku_id) for sku_id in ("LAMP", "MUG"))
    return Pair(
        first, last, lambda: checkout.forget_buyer(user_id=None, guest_email="ada@example.com", now=clock.now())
    )


def test_a_buyer_is_forgotten_one_checkout_after_the_other() -> None:
    assert not waits_with_the_last_one_locked(of_a_buyer_with_two_checkouts())
    assert not StockItem.objects.exclude(reserved=0)


def test_twin_all_checkouts_of_a_buyer_cancelled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "_cancel", lambda *_: None)
    assert waits_with_the_last_one_locked(of_a_buyer_with_two_checkouts())
