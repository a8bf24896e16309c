"""Promotions and codes from checkout to order: frozen, claimed once, final with the order, given back without one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cart import services as carts
from cart.types import CartRef
from pricing import services as pricing
from pricing.errors import CodeUsedUpError
from pricing.models import DiscountCode, Promotion, PromotionUse, Redemption
from pricing.types import ReductionKind
from shop.checkout import models, selectors, services
from shop.checkout.errors import PaymentDeclinedError, PriceChangedError
from shop.checkout.services import apply_outcome
from shop.checkout.types import CheckoutView, PaymentState
from shop.core import clock
from shop.core.money import Money
from tests.checkout.helpers import (
    cart_of,
    fill,
    make_sku,
    new_guest,
    outcome_of,
    pay,
    principal_of,
    put,
    reservation_state,
    start,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def promotion(**fields: Any) -> int:
    given = {"name": "Sale", "kind": ReductionKind.PERCENT, "value": 10, "valid_from": clock.now() - DAY, **fields}
    return pricing.add_promotion(promotion=pricing.NewPromotion(**given))


def code(text: str = "ONCE20", *, value: int = 20, minimum: int = 0, **fields: Any) -> int:
    brought = promotion(needs_code=True, value=value, minimum_minor=minimum, currency="GBP")
    given = {"valid_from": clock.now() - DAY, "max_uses": 1, **fields}
    return pricing.publish_code(promotion_id=brought, code=text, **given)


def shopper(text: str = "", quantity: int = 1) -> CartRef:
    ref = new_guest()
    put(ref, "MUG", quantity)
    if text:
        carts.apply_code(ref=ref, code=text, now=clock.now())
    return ref


def used(code_id: int) -> int:
    return DiscountCode.objects.get(pk=code_id).used


def end_lock(view: CheckoutView) -> None:
    models.Checkout.objects.filter(pk=view.checkout_id).update(lock_expires_at=clock.now() - timedelta(seconds=1))


@pytest.fixture(autouse=True)
def _mug() -> None:
    make_sku("MUG", price=1_000)
    make_sku("CUP", price=335)


def test_an_order_is_charged_what_promotions_and_codes_leave_and_says_so() -> None:
    promotion()
    entered = code()
    ref = shopper("ONCE20", quantity=2)
    put(ref, "CUP", 1)
    view = fill(start(ref), ref)

    assert (view.subtotal.minor, view.total.minor) == (2_335, 1_681)
    assert [(d.kind, d.label, d.amount.minor) for d in view.discounts] == [
        ("promotion", "", 234),
        ("code", "ONCE20", 420),
    ]
    assert sum(line.discount.minor for line in view.lines) == 654

    paid = pay(view, ref)
    order = selectors.get_order(number=paid.order_number, principal=principal_of(ref))

    assert (paid.amount, order.total) == (Money(1_681, "GBP"), Money(1_681, "GBP"))
    assert order.discounts == view.discounts
    assert sum(line.discount.minor for line in order.lines) == 654
    assert (used(entered), Redemption.objects.get().order_number) == (1, paid.order_number)


def test_a_total_of_nothing_completes_without_the_provider() -> None:
    code(value=100)
    ref = shopper("ONCE20")

    paid = pay(fill(start(ref), ref), ref, "declined")

    assert (paid.state, paid.amount.minor) == (PaymentState.SUCCEEDED, 0)


def test_nothing_is_claimed_before_a_payment_starts() -> None:
    entered = code()
    ref = shopper("ONCE20")

    fill(start(ref), ref)

    assert used(entered) == 0


def test_a_declined_payment_gives_the_use_back_and_the_next_try_takes_it_again() -> None:
    entered = code()
    ref = shopper("ONCE20")
    view = fill(start(ref), ref)

    with pytest.raises(PaymentDeclinedError):
        pay(view, ref, "declined")
    assert used(entered) == 0

    assert pay(view, ref).order_number
    assert used(entered) == 1


def test_whoever_comes_second_is_told_which_code_and_keeps_the_rest() -> None:
    code()
    first, second = shopper("ONCE20"), shopper("ONCE20")
    views = [fill(start(ref), ref) for ref in (first, second)]
    pay(views[0], first)

    with pytest.raises(CodeUsedUpError) as refused:
        pay(views[1], second)

    assert refused.value.label == "ONCE20"
    assert (cart_of(second), reservation_state(views[1])) == ({"MUG": 1}, "soft")
    with pytest.raises(PriceChangedError) as changed:
        pay(views[1], second)
    assert changed.value.quote.total == Money(1_000, "GBP")
    assert [off.reason for off in changed.value.quote.codes_off] == ["code_used_up"]
    with pytest.raises(PriceChangedError):
        start(second)
    again = start(second, accepted_total=1_000)
    assert pay(again, second).amount == Money(1_000, "GBP")


def test_whoever_finds_a_promotion_used_up_is_asked_about_the_total_without_it() -> None:
    limited = promotion(name="First one", max_uses=1)
    first, second = shopper(), shopper()
    views = [fill(start(first), first), fill(start(second), second, email="bob@example.com")]
    pay(views[0], first)
    assert Promotion.objects.get(pk=limited).used == 1

    for _ in range(2):  # the answer stays the same until it is agreed to
        with pytest.raises(PriceChangedError) as refused:
            pay(views[1], second)
        assert (refused.value.quote.total, refused.value.quote.discounts) == (Money(1_000, "GBP"), ())
    assert (cart_of(second), reservation_state(views[1])) == ({"MUG": 1}, "soft")

    again = start(second, accepted_total=1_000)
    assert pay(again, second).amount == Money(1_000, "GBP")
    assert PromotionUse.objects.get().order_number


def test_a_guest_who_had_their_share_of_a_promotion_is_known_by_mail_address_and_asked_once() -> None:
    promotion(max_uses_each=1)
    first, ref = shopper(), shopper()
    pay(fill(start(first), first, email="ada@example.com"), first)
    view = fill(start(ref), ref, email="Ada@example.com")
    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref)

    assert refused.value.quote.total.minor == 1_000
    assert pay(start(ref, accepted_total=1_000), ref).amount.minor == 1_000


def test_a_declined_payment_and_an_ended_checkout_give_a_limited_promotion_back() -> None:
    limited = promotion(max_uses=1)
    ref = shopper()
    view = fill(start(ref), ref)

    with pytest.raises(PaymentDeclinedError):
        pay(view, ref, "declined")
    assert Promotion.objects.get(pk=limited).used == 0
    pay(view, ref, "requires_action")
    assert Promotion.objects.get(pk=limited).used == 1


def test_an_ended_checkout_gives_the_use_back() -> None:
    entered = code()
    ref = shopper("ONCE20")
    view = fill(start(ref), ref)
    paying = pay(view, ref, "slow")
    assert used(entered) == 1

    apply_outcome(outcome=outcome_of(paying.payment_id, PaymentState.FAILED), now=clock.now())

    assert used(entered) == 0
    services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert used(entered) == 0


def test_money_that_comes_after_the_use_went_to_another_is_given_back() -> None:
    entered = code()
    ref, other = shopper("ONCE20"), shopper("ONCE20")
    late = pay(fill(start(ref), ref), ref, "slow")
    apply_outcome(outcome=outcome_of(late.payment_id, PaymentState.FAILED), now=clock.now())
    pay(fill(start(other), other), other)

    applied = apply_outcome(outcome=outcome_of(late.payment_id), now=clock.now())

    assert (applied.payment.state, used(entered)) == (PaymentState.REFUND_DUE, 1)
    assert models.Order.objects.count() == 1


def test_money_that_comes_late_claims_a_use_that_is_still_there() -> None:
    entered = code()
    ref = shopper("ONCE20")
    late = pay(fill(start(ref), ref), ref, "slow")
    apply_outcome(outcome=outcome_of(late.payment_id, PaymentState.FAILED), now=clock.now())

    applied = apply_outcome(outcome=outcome_of(late.payment_id), now=clock.now())

    assert (applied.order_number != "", used(entered)) == (True, 1)


def test_one_customer_uses_a_code_once_whatever_the_session() -> None:
    code("EACH", max_uses=None, max_uses_each=1)
    first, second = shopper("EACH"), shopper("EACH")
    pay(fill(start(first), first, email="Ada@example.com"), first)

    with pytest.raises(CodeUsedUpError):
        pay(fill(start(second), second, email="ada@EXAMPLE.com"), second)


def test_within_the_lock_what_has_ended_still_counts_and_after_it_does_not() -> None:
    promotion_id = promotion()
    ref = shopper()
    view = fill(start(ref), ref)
    Promotion.objects.filter(pk=promotion_id).update(valid_until=clock.now())

    assert start(ref).total == Money(900, "GBP")
    end_lock(view)
    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref)
    assert refused.value.quote.total == Money(1_000, "GBP")
    with pytest.raises(PriceChangedError):
        start(ref)
    assert start(ref, accepted_total=1_000).total == Money(1_000, "GBP")


def test_a_flash_sale_that_ends_within_the_lock_is_honored() -> None:
    promotion_id = promotion(name="Flash", value=50)
    ref = shopper()
    view = fill(start(ref), ref)
    Promotion.objects.filter(pk=promotion_id).update(valid_until=clock.now())

    assert pay(view, ref).amount == Money(500, "GBP")


def test_a_total_that_rose_since_the_page_was_shown_is_asked_for() -> None:
    ref = shopper()

    with pytest.raises(PriceChangedError):
        services.start_checkout(
            ref=ref,
            principal=principal_of(ref),
            accepted_total=None,
            expected_cart_version=None,
            shown_total=900,
            now=clock.now(),
        )

    assert not models.Checkout.objects.exists()


def test_lines_that_are_cut_are_priced_by_the_frozen_rules_minimum_included() -> None:
    promotion(value=50, minimum_minor=3_000, currency="GBP")
    ref = shopper(quantity=3)
    view = fill(start(ref), ref)
    assert view.total == Money(1_500, "GBP")
    Promotion.objects.update(value=90, minimum_minor=0)
    put(ref, "MUG", 2)

    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref)

    assert refused.value.quote.total == Money(2_000, "GBP")


def test_a_code_that_is_entered_during_checkout_counts_when_the_shopper_comes_back() -> None:
    code()
    ref = shopper()
    view = start(ref)
    carts.apply_code(ref=ref, code="ONCE20", now=clock.now())

    back = start(ref)

    assert (back.checkout_id, back.total) == (view.checkout_id, Money(800, "GBP"))
    carts.remove_code(ref=ref, code="ONCE20")
    with pytest.raises(PriceChangedError):
        start(ref)
    assert start(ref, accepted_total=1_000).total == Money(1_000, "GBP")


def statements(queries: CaptureQueriesContext) -> int:
    """Count statements, without the savepoints that stand for transactions in a test."""
    return sum("SAVEPOINT" not in (query["sql"] or "") for query in queries)


@pytest.mark.parametrize("lines", [1, 40])
def test_three_promotions_and_a_code_cost_a_start_nothing_more_and_a_payment_four_statements(lines: int) -> None:
    refs = [new_guest(), new_guest()]
    paying: list[int] = []
    for number in range(lines):
        sku_id = make_sku(f"SKU-{number}")
        for ref in refs:
            put(ref, sku_id)
    for ref in refs:
        if paying:
            for _ in range(3):
                promotion(value=5)
            code(value=5)
            carts.apply_code(ref=ref, code="ONCE20", now=clock.now())
        with CaptureQueriesContext(connection) as starting:
            view = start(ref)
        assert statements(starting) <= 14
        view = fill(view, ref)
        with CaptureQueriesContext(connection) as queries:
            pay(view, ref)
        paying.append(statements(queries))

    # Claim and count, make final, note that the charge differs from the prices at add.
    assert paying[1] - paying[0] == 4
