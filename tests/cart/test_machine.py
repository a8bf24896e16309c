"""The store against a plain Python model, by whatever operations Hypothesis thinks of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import redis
from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cart import keys, store
from cart.codec import decode_lines
from cart.conf import conf
from shop.core.ids import hash_token, new_token

SKUS = ["A", "B", "C", "é:1", "long " * 10]
STOCK = dict(zip(SKUS, (3, 50, 200, 7, 99), strict=True))


@dataclass
class Model:
    """What a cart is, without Redis."""

    cart: dict[str, int] = field(default_factory=dict)
    saved: dict[str, int] = field(default_factory=dict)
    version: int = 0


class CartMachine(RuleBasedStateMachine):
    """Every operation on both, then both are compared."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.owner = f"g:{hash_token(new_token())}"
        self.model = Model()
        self.taken: dict[str, tuple[Model, Model]] = {}
        self.number = 0

    def _apply(self, operations: Sequence[Mapping[str, object]], **more: object) -> store.Answer:
        self.number += 1
        return store.change(
            owner=self.owner,
            operation_id=f"op{self.number}",
            operations=operations,
            reason="test",
            may_create=True,
            **more,  # type: ignore[arg-type]  # each is one of its own
        )

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(0, 120), is_add=st.booleans(), clamp=st.booleans())
    def put(self, sku: str, quantity: int, is_add: bool, clamp: bool) -> None:  # noqa: FBT001
        if is_add and quantity == 0:
            return
        answer = self._apply(
            [
                {"op": "add" if is_add else "set", "sku": sku, "quantity": quantity, "price": "5", "currency": "GBP"}
                | {"buyable": STOCK[sku], "clamp": clamp}
            ]
        )
        held = self.model.cart.get(sku, 0)
        wanted = held + quantity if is_add else quantity
        least = held if is_add else 0
        if wanted > STOCK[sku] and (wanted > held or clamp):
            if not clamp:
                assert {r["code"] for r in answer.refusals} == {"short"}
                return
            wanted = max(STOCK[sku], least)
        if wanted > conf().max_quantity and wanted > held:
            assert {r["code"] for r in answer.refusals} == {"quantity_too_large"}
            return
        assert answer.status == "ok"
        if wanted:
            self.model.cart[sku] = wanted
        else:
            self.model.cart.pop(sku, None)

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(0, 60))
    def save(self, sku: str, quantity: int) -> None:
        held = self.model.cart.get(sku, 0)
        answer = self._apply([{"op": "save", "sku": sku, "quantity": quantity}])
        if not held:
            assert {r["code"] for r in answer.refusals} == {"not_in_list"}
            return
        moved = min(quantity, held) if quantity else held
        self.model.saved[sku] = min(99, self.model.saved.get(sku, 0) + moved)
        self.model.cart[sku] -= moved
        if not self.model.cart[sku]:
            del self.model.cart[sku]

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(0, 60))
    def unsave(self, sku: str, quantity: int) -> None:
        there, held = self.model.saved.get(sku, 0), self.model.cart.get(sku, 0)
        answer = self._apply([{"op": "unsave", "sku": sku, "quantity": quantity, "buyable": STOCK[sku]}])
        if not there:
            assert {r["code"] for r in answer.refusals} == {"not_in_list"}
            return
        moved = min(quantity, there) if quantity else there
        if held + moved > min(STOCK[sku], 99):
            assert answer.status == "refused"
            return
        self.model.cart[sku] = held + moved
        self.model.saved[sku] = there - moved
        if not self.model.saved[sku]:
            del self.model.saved[sku]

    @rule(target=tokens)
    def empty(self) -> str:
        token = f"undo{self.number}"
        before = dict(self.model.cart)
        answer = self._apply([{"op": "empty"}], undo=token)
        assert answer.undo == (token if before else "")
        self.model.cart = {}
        self.taken[token] = (Model(cart=before), Model())
        return token

    @rule(token=tokens)
    def undo(self, token: str) -> None:
        answer = self._apply([{"op": "undo", "token": token}])
        if answer.status == "refused":
            return
        assert answer.status == "ok"
        before, _ = self.taken[token]
        # Only what is still as that change left it is brought back.
        for sku, quantity in before.cart.items():
            assert sku not in self.model.cart
            self.model.cart[sku] = quantity

    @rule(number=st.integers(1, 3), quantity=st.integers(1, 4))
    def order(self, number: int, quantity: int) -> None:
        is_known = f"ord_{number}" in self._cleared()
        lines = dict.fromkeys(self.model.cart, quantity)
        answer = self._apply([{"op": "order", "number": f"ord_{number}", "lines": lines}], is_forced=True)
        assert answer.status == "ok"
        if not is_known:
            self.model.cart = {sku: held - quantity for sku, held in self.model.cart.items() if held > quantity}

    @rule()
    def repeat(self) -> None:
        answer = store.change(
            owner=self.owner,
            operation_id=f"op{self.number}",
            operations=[{"op": "add", "sku": "B", "quantity": 1}],
            reason="test",
        )
        # The last one may have changed nothing; then there was nothing to remember, and this is its first time.
        if "r" not in answer.flags and answer.status == "ok":
            self.model.cart["B"] = self.model.cart.get("B", 0) + 1

    def _cleared(self) -> list[str]:
        cleared: list[str] = json.loads(store.read(self.owner).get("@cleared", "[]"))
        return cleared

    @invariant()
    def agree(self) -> None:
        cart, saved = store.read_both(self.owner)
        assert {line.sku_id: line.quantity for line in decode_lines(cart)} == self.model.cart
        assert {line.sku_id: line.quantity for line in decode_lines(saved)} == self.model.saved
        version = int(cart.get("@version", "0"))
        assert version >= self.model.version
        self.model.version = version
        assert int(cart.get("@saved_count", "0")) == len(self.model.saved)
        if version:
            with redis.Redis.from_url(django_settings.CART.redis_url, decode_responses=True) as client:
                last = client.xrevrange(keys.events(keys.partition(self.owner)), count=1)
            # The newest event is the cart as it is.
            fields = last[0][1]
            assert fields["version"] == str(version)
            told = decode_lines(json.loads(fields["snapshot"])["lines"])
            assert {line.sku_id: line.quantity for line in told} == self.model.cart


@pytest.mark.usefixtures("cart_redis")
def test_the_store_does_what_the_model_does() -> None:
    run_state_machine_as_test(
        CartMachine,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
