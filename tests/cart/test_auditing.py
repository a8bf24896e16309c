"""Carts and their records are compared, and brought together where they differ."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.utils import timezone

from cart import auditing, keys, recorder, selectors, services
from cart.models import CartRecord
from cart.types import CartRef
from shop.core.ids import new_id
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.django_db


def found(*, is_whole: bool = True) -> list[tuple[str, str]]:
    """Tell what differs a minute from now, when the recorder's time is over."""
    later = timezone.now() + timedelta(minutes=1)
    return [(one.owner, one.detail) for one in auditing.list_disagreements(is_whole=is_whole, now=later)]


def repaired(ref: CartRef) -> str:
    """Repair a cart."""
    return services.repair_record(name=ref.owner[:8], now=timezone.now() + timedelta(minutes=1))


def put(ref: CartRef, quantity: int = 1) -> CartRef:
    """Set the one line of a cart."""
    services.set_quantity(ref=ref, sku_id="MUG", quantity=quantity, now=NOW)
    return ref


def _not_recorded(ref: CartRef, server: redis.Redis) -> None:
    put(ref, 5)
    server.delete(keys.events(keys.partition(ref.owner)))


def _never_recorded(ref: CartRef, server: redis.Redis) -> None:
    CartRecord.objects.filter(owner=ref.owner).delete()
    put(ref, 5)
    server.delete(keys.events(keys.partition(ref.owner)))


def _older_in_redis(ref: CartRef, server: redis.Redis) -> None:
    old: dict[Any, Any] = {str(k): str(v) for k, v in server.hgetall(keys.cart(ref.owner)).items()}
    put(ref, 5)
    recorder.drain()
    server.hset(keys.cart(ref.owner), mapping=old)


def _other_lines(ref: CartRef, server: redis.Redis) -> None:
    put(ref, 5)
    recorder.drain()
    CartRecord.objects.filter(owner=ref.owner).update(lines=[])


@pytest.mark.parametrize(
    ("spoil", "detail", "done"),
    [
        (_not_recorded, "not recorded since", "live cart recorded"),
        (_never_recorded, "not recorded since never", "live cart recorded"),
        (_older_in_redis, "the live cart is older than its record", "live cart restored from its record"),
        (_other_lines, "the cart differs at the same version", "live cart recorded"),
    ],
)
@pytest.mark.parametrize("make", [lambda: customer(5), new_guest], ids=["customer", "guest"])
def test_what_differs_is_found_and_repaired_with_the_newer_one(
    cart_redis: redis.Redis,
    spoil: Callable[[CartRef, redis.Redis], None],
    detail: str,
    done: str,
    make: Callable[[], CartRef],
) -> None:
    make_sku()
    healthy, ref = put(customer(9)), put(make(), 2)
    recorder.drain()
    assert found() == []

    spoil(ref, cart_redis)

    for is_whole in (True, False):
        ((owner, said),) = found(is_whole=is_whole)
        assert owner == ref.owner
        assert said.startswith(detail)
    assert repaired(ref) == done
    assert found() == []
    assert repaired(ref) == repaired(healthy) == "nothing differs any more"
    record = CartRecord.objects.get(owner=ref.owner)
    assert (quantities(selectors.get_cart(ref=ref)), record.units) == ({"MUG": 5}, 5)


def test_bought_lines_that_stand_in_the_live_cart_are_found_and_taken_out(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = put(customer(5), 3)
    recorder.drain()
    cart = selectors.get_cart(ref=ref)
    services.convert_record(
        ref=ref,
        content_version=cart.content_version,
        lines=cart.lines,
        currency="GBP",
        order_number=new_id("ord"),
    )
    ((_, said),) = found()
    assert "is not taken out of the live cart" in said
    assert repaired(ref) == "ordered lines taken out of the live cart"
    recorder.drain()
    assert found() == []
    assert quantities(selectors.get_cart(ref=ref)) == {}


def test_a_change_that_is_on_its_way_and_a_cart_that_redis_lost_are_no_findings(cart_redis: redis.Redis) -> None:
    make_sku()
    put(customer(5))
    assert auditing.list_disagreements(is_whole=True, now=timezone.now()) == ()
    recorder.drain()
    cart_redis.flushdb()
    assert found() == []


def test_merged_carts_agree() -> None:
    make_sku()
    guest = put(new_guest())
    services.merge_guest_cart(guest_ref=guest, user_id=5, now=NOW)
    recorder.drain()
    assert found() == []


def test_check_shop_names_a_guest_by_six_digits_and_repairs(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = put(new_guest(), 2)
    recorder.drain()
    CartRecord.objects.update(lines=[])
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 wrong"):
        call_command("check_shop", "carts", stdout=out)
    assert f"WRONG  carts  {ref.owner[:8]}: the cart differs" in out.getvalue()
    assert ref.owner[:9] not in out.getvalue()
    call_command("check_shop", "carts", "--fix", stdout=out)
    assert f"fixed  carts  {ref.owner[:8]}" in out.getvalue()
    assert len(CartRecord.objects.get().lines) == 1


def test_check_shop_looks_at_a_sample_or_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku(on_hand=500)
    for number in range(5):
        put(customer(number), 2)
    recorder.drain()
    CartRecord.objects.update(lines=[])
    monkeypatch.setattr(auditing, "SAMPLE", 1)
    counts = []
    for more in ([], ["--sample"]):
        out = io.StringIO()
        with pytest.raises(CommandError):
            call_command("check_shop", "carts", *more, stdout=out)
        counts.append(out.getvalue().count("WRONG"))
    assert counts[0] == 5
    assert counts[1] in (1, 2)  # the one recorded last, and one of the live ones
