"""Carts that several change at once: true threads at a barrier."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
import redis
from django.db import connection, connections

from cart import keys, recorder, restoring, selectors, services, store
from cart.codec import encode_line
from cart.types import CartRef, MergePolicy
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities
from tests.waiting import PATIENCE_SECONDS

T = TypeVar("T")
RIVALS = 20

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def meet(rivals: int, act: Callable[[int], T]) -> list[T | Exception]:
    """Let `rivals` threads act at the same moment; what each returned or raised."""
    barrier = threading.Barrier(rivals)

    def run(number: int) -> T | Exception:
        try:
            barrier.wait(PATIENCE_SECONDS)
            return act(number)
        except Exception as error:  # noqa: BLE001 - judged by the test
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(rivals) as pool:
        return list(pool.map(run, range(rivals)))


@pytest.fixture(autouse=True)
def _goods(transactional_db: None) -> Iterator[None]:
    make_sku("A", on_hand=500)
    make_sku("B", on_hand=500)
    yield
    connection.close()


def test_additions_of_many_all_count() -> None:
    ref = customer()
    results = meet(RIVALS, lambda _: services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW))
    assert not [r for r in results if isinstance(r, Exception)]
    assert quantities(selectors.get_cart(ref=ref)) == {"A": 2 * RIVALS}
    versions = [r.cart.version for r in results if not isinstance(r, Exception)]
    assert len(set(versions)) == RIVALS


def test_read_decide_write_would_lose_additions(cart_redis: redis.Redis) -> None:
    """The twin: the same additions decided in Python lose some, so that the harness is seen to see it."""
    ref = customer()
    services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW)
    name = keys.cart(ref.owner)
    together = threading.Barrier(RIVALS)

    def unguarded(_: int) -> None:
        line = selectors.get_cart(ref=ref).lines[0]
        together.wait(PATIENCE_SECONDS)
        text = encode_line(line)
        cart_redis.hset(name, "A", f"{line.quantity + 2} {text.partition(' ')[2]}")

    meet(RIVALS, unguarded)
    assert quantities(selectors.get_cart(ref=ref))["A"] < 1 + 2 * RIVALS


@pytest.mark.parametrize("policy", [MergePolicy.SUM, MergePolicy.MAX])
def test_many_sign_ins_at_once_join_a_guests_cart_once(policy: MergePolicy) -> None:
    for _ in range(5):
        guest, account = new_guest(), CartRef("u", str(next(_numbers)))
        services.add_line(ref=account, sku_id="A", quantity=1, now=NOW)
        services.add_line(ref=guest, sku_id="A", quantity=2, now=NOW)
        services.add_line(ref=guest, sku_id="B", quantity=1, now=NOW)

        results = meet(
            RIVALS,
            lambda _, guest=guest, account=account: services.merge_guest_cart(  # type: ignore[misc]
                guest_ref=guest, user_id=int(account.key), policy=policy, now=NOW
            ),
        )

        assert not [r for r in results if isinstance(r, Exception)]
        assert len({r.receipt for r in results if not isinstance(r, Exception)}) == 1
        expected = 3 if policy is MergePolicy.SUM else 2
        assert quantities(selectors.get_cart(ref=account)) == {"A": expected, "B": 1}


def test_without_the_merges_id_a_sum_would_count_more_than_once() -> None:
    """The twin: the join alone, without freezing and without an id, repeated by two sign-ins."""
    guest, account = new_guest(), customer()
    services.add_line(ref=account, sku_id="A", quantity=1, now=NOW)
    services.add_line(ref=guest, sku_id="A", quantity=2, now=NOW)
    for number in range(2):
        services.merge_items(
            ref=account, items=[("A", 2)], merge_id=f"another-{number}", policy=MergePolicy.SUM, now=NOW
        )
    assert quantities(selectors.get_cart(ref=account)) == {"A": 5}


def test_two_customers_at_once_get_a_guests_cart_one_of_them() -> None:
    guest = new_guest()
    services.add_line(ref=guest, sku_id="A", quantity=2, now=NOW)
    results = meet(RIVALS, lambda n: services.merge_guest_cart(guest_ref=guest, user_id=100 + n % 2, now=NOW))
    assert len([r for r in results if not isinstance(r, Exception)]) == RIVALS // 2
    held = [quantities(selectors.get_cart(ref=customer(100 + n))) for n in range(2)]
    assert sorted(held, key=len) == [{}, {"A": 2}]


def test_writes_to_the_account_during_a_merge_are_kept() -> None:
    guest, account = new_guest(), customer()
    services.add_line(ref=guest, sku_id="A", quantity=3, now=NOW)

    def act(number: int) -> object:
        if number == 0:
            return services.merge_guest_cart(guest_ref=guest, user_id=7, policy=MergePolicy.SUM, now=NOW)
        return services.add_line(ref=account, sku_id="B", quantity=1, now=NOW)

    results = meet(6, act)

    assert not [r for r in results if isinstance(r, Exception)]
    assert quantities(selectors.get_cart(ref=account)) == {"A": 3, "B": 5}


def test_many_readers_of_an_empty_redis_ask_postgresql_once(
    cart_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = customer()
    services.add_line(ref=ref, sku_id="A", quantity=3, now=NOW)
    recorder.drain()
    cart_redis.flushdb()
    asked: list[str] = []
    real = restoring.find_record

    def count(ref: CartRef) -> restoring.Stored | None:
        asked.append(ref.owner)
        return real(ref)

    monkeypatch.setattr(restoring, "find_record", count)
    # A slow machine is not the fault that is looked for.
    monkeypatch.setattr(restoring, "WAIT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(store, "ASKING_MS", PATIENCE_SECONDS * 1_000)
    results = meet(RIVALS, lambda _: selectors.get_cart(ref=ref))

    assert [quantities(r) for r in results if not isinstance(r, Exception)] == [{"A": 3}] * RIVALS
    assert len(asked) == 1


def test_without_the_claim_every_reader_would_ask(cart_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: everybody believes that it is the one to ask."""
    ref = customer()
    services.add_line(ref=ref, sku_id="A", quantity=3, now=NOW)
    recorder.drain()
    cart_redis.flushdb()
    together = threading.Barrier(RIVALS)
    asked: list[str] = []
    real = restoring.find_record

    def count(ref: CartRef) -> restoring.Stored | None:
        together.wait(PATIENCE_SECONDS)  # nobody has restored it before everybody has asked
        asked.append(ref.owner)
        return real(ref)

    monkeypatch.setattr(store, "claim_restore", lambda _: "mine")
    monkeypatch.setattr(restoring, "find_record", count)
    meet(RIVALS, lambda _: selectors.get_cart(ref=ref))
    assert len(asked) == RIVALS


def test_recorders_side_by_side_record_everything_once() -> None:
    refs = [customer(n) for n in range(1, 31)]
    for ref in refs:
        for _ in range(3):
            services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW)

    counts = meet(4, lambda _: recorder.drain())

    assert sum(c for c in counts if isinstance(c, int)) == 90
    for ref in refs:
        stored = restoring.find_record(ref)
        assert stored is not None
        assert stored.version == selectors.get_cart(ref=ref).version


_numbers = iter(range(1_000, 2_000))
