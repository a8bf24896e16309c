"""Services, recorder and recovery against a plain Python model, by whatever a shopper and bad luck think of."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable

import pytest
import redis
from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cart import auditing, keys, recorder, selectors, services
from cart.models import CartRecord
from cart.types import CartChange, CartRef, LineChange, MergePolicy
from shop.core import clock
from tests.cart.helpers import NOW, make_sku, new_guest, quantities

SKUS = ["A", "B", "C"]
MOST = 99
_customers = itertools.count(1)


class ShopperMachine(RuleBasedStateMachine):
    """A customer changes a cart, signs in with guests' carts, undoes; Redis forgets, the recorder is late."""

    def __init__(self) -> None:
        super().__init__()
        self.ref = CartRef("u", f"{next(_customers)}{secrets.randbelow(10**9)}")
        self.cart: dict[str, int] = {}
        self.saved: dict[str, int] = {}
        self.undo_token = ""
        self.undone: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self.last: tuple[list[LineChange], str] | None = None

    def _apply(self, changes: list[LineChange], cart: dict[str, int], saved: dict[str, int]) -> CartChange:
        key = secrets.token_hex(8)
        change = services.change_lines(ref=self.ref, changes=changes, now=NOW, operation_id=key)
        self._undoable(change.undo, (self.cart, self.saved))
        self.cart, self.saved, self.last = cart, saved, (changes, key)
        return change

    def _undoable(self, token: str, before: tuple[dict[str, int], dict[str, int]]) -> None:
        self.undo_token, self.undone = token, (dict(before[0]), dict(before[1]))

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(0, MOST))
    def put(self, sku: str, quantity: int) -> None:
        cart = {k: n for k, n in {**self.cart, sku: quantity}.items() if n}
        self._apply([LineChange("set", sku, quantity)], cart, self.saved)

    @rule(wanted=st.dictionaries(st.sampled_from(SKUS), st.integers(0, 9), min_size=1))
    def put_many(self, wanted: dict[str, int]) -> None:
        cart = {k: n for k, n in {**self.cart, **wanted}.items() if n}
        self._apply([LineChange("set", sku, n) for sku, n in wanted.items()], cart, self.saved)

    @precondition(lambda self: self.cart)
    @rule(data=st.data(), quantity=st.integers(0, 9))
    def save(self, data: st.DataObject, quantity: int) -> None:
        sku = data.draw(st.sampled_from(sorted(self.cart)))
        held = self.cart[sku]
        moved = min(quantity, held) if quantity else held
        cart = {k: n for k, n in {**self.cart, sku: held - moved}.items() if n}
        saved = {**self.saved, sku: min(MOST, self.saved.get(sku, 0) + moved)}
        self._apply([LineChange("save", sku, quantity)], cart, saved)

    @precondition(lambda self: any(self.cart.get(sku, 0) + n <= MOST for sku, n in self.saved.items()))
    @rule(data=st.data())
    def move_back(self, data: st.DataObject) -> None:
        fits = sorted(sku for sku, n in self.saved.items() if self.cart.get(sku, 0) + n <= MOST)
        sku = data.draw(st.sampled_from(fits))
        saved = dict(self.saved)
        cart = {**self.cart, sku: self.cart.get(sku, 0) + saved.pop(sku)}
        self._apply([LineChange("unsave", sku, 0)], cart, saved)

    @rule(
        lines=st.dictionaries(st.sampled_from(SKUS), st.integers(1, 60), min_size=1),
        saved=st.dictionaries(st.sampled_from(SKUS), st.integers(1, 9)),
        policy=st.sampled_from([MergePolicy.MAX, MergePolicy.SUM, MergePolicy.KEEP_SAVED]),
        times=st.integers(1, 2),
    )
    def sign_in(self, lines: dict[str, int], saved: dict[str, int], policy: MergePolicy, times: int) -> None:
        guest = new_guest()
        changes = [LineChange("set", sku, n) for sku, n in lines.items()]
        services.change_lines(
            ref=guest, changes=[*changes, *(LineChange("set_saved", k, n) for k, n in saved.items())], now=NOW
        )
        results = [
            services.merge_guest_cart(guest_ref=guest, user_id=int(self.ref.key), policy=policy, now=NOW)
            for _ in range(times)
        ]
        assert len({result.receipt for result in results}) == 1

        def joined(mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
            ways: dict[str, Callable[[int, int], int]] = {
                "max": max,
                "sum": int.__add__,
                "keep_saved": lambda a, b: a or b,
            }
            both = ways[policy.value]
            return {k: min(MOST, both(mine.get(k, 0), theirs.get(k, 0))) for k in {*mine, *theirs}}

        before = self.cart
        self.cart, self.saved = joined(self.cart, lines), joined(self.saved, saved)
        # Undoing brings the account's cart back; what the guests had goes to the saved list, unless it is there.
        self._undoable(results[0].undo, (before, {**lines, **self.saved}))
        self.last = None

    @precondition(lambda self: self.undo_token)
    @rule()
    def undo(self) -> None:
        services.undo(ref=self.ref, undo=self.undo_token)
        self.cart, self.saved = self.undone
        self.undo_token, self.last = "", None

    @precondition(lambda self: self.last)
    @rule()
    def replay(self) -> None:
        assert self.last
        changes, key = self.last
        again = services.change_lines(ref=self.ref, changes=changes, now=NOW, operation_id=key)
        assert again.was_replayed
        assert quantities(again.cart) == self.cart

    @rule()
    def record(self) -> None:
        recorder.drain()

    @rule(all_of_it=st.booleans())
    def lose(self, all_of_it: bool) -> None:  # noqa: FBT001 - drawn
        """Let the cart expire, or Redis lose everything, once it is recorded."""
        recorder.drain()
        with redis.Redis.from_url(django_settings.CART.redis_url) as client:
            if all_of_it:
                client.flushdb()
            else:
                client.delete(*(name(self.ref.owner) for name in (keys.cart, keys.saved, keys.asked)))
        if all_of_it:
            # What could be undone or repeated was in Redis alone.
            self.undo_token, self.last = "", None

    @invariant()
    def agree(self) -> None:
        cart, saved = selectors.get_cart_and_saved(ref=self.ref)
        assert quantities(cart) == self.cart
        assert {line.sku_id: line.quantity for line in saved} == self.saved
        assert cart.saved_count == len(self.saved)

    def teardown(self) -> None:
        recorder.drain()
        record = CartRecord.objects.filter(owner=self.ref.owner).first()
        if record:
            assert {row["sku_id"]: row["quantity"] for row in record.lines} == self.cart
            assert {row["sku_id"]: row["quantity"] for row in record.saved} == self.saved
        found = auditing.list_disagreements(is_whole=True, now=clock.now())
        assert self.ref.owner not in {one.owner for one in found}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("cart_redis")
def test_a_cart_is_what_its_shopper_did_whatever_redis_forgets() -> None:
    for sku in SKUS:
        make_sku(sku, on_hand=100_000)
    run_state_machine_as_test(
        ShopperMachine,
        settings=settings(
            max_examples=10, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
