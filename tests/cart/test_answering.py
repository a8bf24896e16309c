"""A merge that asks: what does not conflict is joined, the rest is the customer's to decide, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from cart import recorder, selectors, services
from cart.errors import MergeQuestionGoneError
from cart.types import Cart, CartRef, MergeOutcome, MergePolicy, MergeResult, PendingLine, ReceiptLine
from shop.core.errors import RejectedError
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.django_db

ADA = 7


@pytest.fixture(autouse=True)
def _asking(settings: Settings) -> None:
    settings.CART = replace(settings.CART, merge_policy="prompt")


def fill(ref: CartRef, **lines: int) -> CartRef:
    """Put lines into a cart."""
    for sku_id, quantity in lines.items():
        services.set_quantity(ref=ref, sku_id=sku_id, quantity=quantity, now=NOW)
    return ref


def merged() -> MergeResult:
    """Join a guest's cart to Ada's: one SKU in both with two quantities, one with the same, one in each alone."""
    for sku_id in ("BOTH", "SAME", "MINE", "THEIRS"):
        make_sku(sku_id, on_hand=10)
    fill(customer(ADA), BOTH=2, SAME=3, MINE=1)
    return services.merge_guest_cart(guest_ref=fill(new_guest(), BOTH=5, SAME=3, THEIRS=4), user_id=ADA, now=NOW)


def present() -> Cart:
    """Read Ada's cart."""
    return selectors.get_cart(ref=customer(ADA))


def question_id() -> str:
    """Name what is asked."""
    question = present().question
    assert question
    return question.question_id


def answer(policy: MergePolicy = MergePolicy.MAX, **choices: MergePolicy) -> MergeResult:
    """Answer what is asked."""
    return services.answer_merge(ref=customer(ADA), question_id=question_id(), policy=policy, choices=choices, now=NOW)


def test_what_does_not_conflict_is_joined_and_the_rest_is_asked() -> None:
    result = merged()
    assert quantities(result.cart) == {"BOTH": 2, "SAME": 3, "MINE": 1, "THEIRS": 4}
    assert result.receipt == (
        ReceiptLine("BOTH", MergeOutcome.ASKED, 2, 5, 2),
        ReceiptLine("SAME", MergeOutcome.KEPT_LARGER, 3, 3, 3),
        ReceiptLine("THEIRS", MergeOutcome.ADDED, 0, 4, 4),
    )
    with CaptureQueriesContext(connection) as queries:
        pending = selectors.pending_merge(cart=present(), now=NOW)
    assert len(queries) == 1
    assert pending
    assert pending.lines == (PendingLine("BOTH", "Enamel mug, BOTH", 2, 5, 10),)


@pytest.mark.parametrize(
    ("policy", "quantity", "outcome"),
    [
        (MergePolicy.MAX, 5, MergeOutcome.KEPT_LARGER),
        (MergePolicy.SUM, 7, MergeOutcome.SUMMED),
        (MergePolicy.KEEP_SAVED, 2, MergeOutcome.KEPT_SAVED),
    ],
)
def test_an_answer_is_a_merge_by_the_policy_chosen(policy: MergePolicy, quantity: int, outcome: MergeOutcome) -> None:
    merged()
    result = answer(policy)
    assert quantities(result.cart) == {"BOTH": quantity, "SAME": 3, "MINE": 1, "THEIRS": 4}
    assert result.receipt[-1] == ReceiptLine("BOTH", outcome, 2, 5, quantity)
    assert len(result.receipt) == 3
    assert present().question is None
    assert selectors.pending_merge(cart=present(), now=NOW) is None


def test_each_line_may_be_answered_in_its_own_way() -> None:
    for sku_id in ("A", "B"):
        make_sku(sku_id)
    fill(customer(ADA), A=1, B=1)
    services.merge_guest_cart(guest_ref=fill(new_guest(), A=3, B=3), user_id=ADA, now=NOW)
    assert quantities(answer(MergePolicy.MAX, B=MergePolicy.SUM).cart) == {"A": 3, "B": 4}


def test_an_answer_counts_with_what_the_cart_holds_now_and_with_the_stock() -> None:
    merged()
    fill(customer(ADA), BOTH=8)
    result = answer(MergePolicy.SUM)
    assert result.receipt[-1] == ReceiptLine("BOTH", MergeOutcome.CAPPED, 8, 5, 10)
    assert quantities(result.cart)["BOTH"] == 10


def test_an_answer_given_twice_counts_once() -> None:
    merged()
    asked = question_id()
    first = answer(MergePolicy.SUM)
    again = services.answer_merge(ref=customer(ADA), question_id=asked, policy=MergePolicy.SUM, now=NOW)
    assert (first.was_replayed, again.was_replayed) == (False, True)
    assert again.receipt == first.receipt
    assert quantities(present())["BOTH"] == 7


def test_an_answer_of_a_client_is_known_by_its_id() -> None:
    merged()
    asked, ref = question_id(), customer(ADA)
    results = [
        services.answer_merge(ref=ref, question_id=asked, policy=MergePolicy.SUM, now=NOW, merge_id="m1")
        for _ in range(2)
    ]
    assert [result.was_replayed for result in results] == [False, True]
    with pytest.raises(MergeQuestionGoneError):
        services.answer_merge(ref=ref, question_id=asked, policy=MergePolicy.SUM, now=NOW, merge_id="m2")
    assert quantities(present())["BOTH"] == 7


def test_nobody_answers_what_was_not_asked() -> None:
    merged()
    for ref, asked in ((customer(ADA), "made-up"), (customer(8), question_id()), (new_guest(), question_id())):
        with pytest.raises(MergeQuestionGoneError):
            services.answer_merge(ref=ref, question_id=asked, policy=MergePolicy.SUM, now=NOW)
    with pytest.raises(RejectedError):
        answer(MergePolicy.PROMPT)
    assert quantities(present())["BOTH"] == 2


def test_undoing_an_answer_asks_again_and_it_can_be_answered_anew() -> None:
    merged()
    asked = question_id()
    services.undo(ref=customer(ADA), undo=answer(MergePolicy.SUM).undo)
    assert quantities(present())["BOTH"] == 2
    assert question_id() == asked
    assert quantities(answer(MergePolicy.MAX).cart)["BOTH"] == 5


def test_undoing_the_merge_takes_its_question_back_and_saves_the_guests_lines() -> None:
    result = merged()
    services.undo(ref=customer(ADA), undo=result.undo)
    cart, saved = selectors.get_cart_and_saved(ref=customer(ADA))
    assert cart.question is None
    assert quantities(cart) == {"BOTH": 2, "SAME": 3, "MINE": 1}
    assert {line.sku_id: line.quantity for line in saved} == {"BOTH": 5, "SAME": 3, "THEIRS": 4}


def test_a_second_merge_adds_to_what_is_asked() -> None:
    merged()
    fill(customer(ADA), MINE=1)
    services.merge_guest_cart(guest_ref=fill(new_guest(), MINE=6), user_id=ADA, now=NOW)
    assert quantities(answer(MergePolicy.MAX).cart) == {"BOTH": 5, "SAME": 3, "MINE": 6, "THEIRS": 4}


def test_a_merge_that_asks_nothing_leaves_an_earlier_question() -> None:
    merged()
    services.merge_guest_cart(guest_ref=fill(new_guest(), SAME=3), user_id=ADA, now=NOW)
    assert quantities(answer(MergePolicy.MAX).cart)["BOTH"] == 5


def test_the_question_outlives_a_lost_redis(cart_redis: redis.Redis) -> None:
    merged()
    asked = question_id()
    recorder.drain()
    cart_redis.flushdb()
    assert question_id() == asked
    assert quantities(answer(MergePolicy.SUM).cart)["BOTH"] == 7


def test_saved_lists_are_joined_without_asking() -> None:
    make_sku("BOTH")
    guest = new_guest()
    for ref, quantity in ((customer(ADA), 1), (guest, 3)):
        services.set_saved_quantity(ref=ref, sku_id="BOTH", quantity=quantity, now=NOW)
    services.merge_guest_cart(guest_ref=guest, user_id=ADA, now=NOW)
    assert [line.quantity for line in selectors.get_saved(ref=customer(ADA))] == [3]
    assert present().question is None
