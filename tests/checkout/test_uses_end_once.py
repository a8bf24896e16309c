"""Uses of codes where checkouts end twice, or break off: given back once, and no order is refused its own."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from cart import services as carts
from cart.types import CartRef
from inventory import services as inventory
from inventory.errors import StockBusyError
from pricing import services as pricing
from pricing.models import DiscountCode, Redemption
from pricing.services import uses
from pricing.types import ReductionKind
from shop.checkout import services
from shop.checkout.errors import PaymentInProgressError
from shop.checkout.models import Order, Payment
from shop.checkout.services import sweeping
from shop.checkout.types import CheckoutView, PaymentState
from shop.core import clock
from shop.core.errors import Refusal
from tests.checkout.helpers import (
    counters,
    fill,
    later,
    make_sku,
    new_guest,
    outcome_of,
    pay,
    principal_of,
    put,
    start,
)
from tests.races.rivals import meet

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def make_code(max_uses: int) -> None:
    since = clock.now() - timedelta(days=1)
    sale = pricing.NewPromotion(name="Few", kind=ReductionKind.PERCENT, value=20, needs_code=True, valid_from=since)
    pricing.publish_code(
        promotion_id=pricing.add_promotion(promotion=sale), code="FEW", valid_from=since, max_uses=max_uses
    )


def claimed() -> tuple[CartRef, CheckoutView, str]:
    """Begin a payment that is undecided and has a use of the code; give cart, checkout and payment."""
    ref = new_guest()
    put(ref, "MUG")
    carts.apply_code(ref=ref, code="FEW", now=clock.now())
    view = fill(start(ref), ref)
    return ref, view, pay(view, ref, "slow").payment_id


def used() -> int:
    return DiscountCode.objects.get().used


def cancel_when_open(ref: CartRef, view: CheckoutView) -> None:
    """Press cancel until the payment has failed."""
    for _ in range(1_000):
        with suppress(PaymentInProgressError):
            services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
            return


def test_failure_cancel_and_sweep_at_once_give_a_use_back_once() -> None:
    make_sku()
    make_code(max_uses=2)
    claimed()
    ref, view, payment_id = claimed()
    news = outcome_of(payment_id, PaymentState.FAILED)

    def end(number: int) -> str:
        match number % 3:
            case 0:
                services.apply_outcome(outcome=news, now=clock.now())
            case 1:
                cancel_when_open(ref, view)
            case _:
                sweeping._end(view.checkout_id, timezone.now() + timedelta(days=2))
        return "done"

    answers = meet(12, end)

    assert not [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, Refusal)]
    assert Payment.objects.get(pk=payment_id).state == "failed"
    assert used() == Redemption.objects.filter(released_at=None).count() == 1
    assert counters() == (50, 1)


def test_twin_that_does_not_look_whether_a_use_was_given_back_gives_it_back_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_sku()
    make_code(max_uses=2)
    claimed()
    ref, view, payment_id = claimed()
    careless = uses._RELEASE.replace("AND r.released_at IS NULL ", "").replace("AND released_at IS NULL ", "")
    monkeypatch.setattr(uses, "_RELEASE", careless)

    services.apply_outcome(outcome=outcome_of(payment_id, PaymentState.FAILED), now=clock.now())
    services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())

    assert (used(), Redemption.objects.filter(released_at=None).count()) == (0, 1)


def break_off_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next order find the stock locked, after its uses were made final."""
    true_commit = inventory.commit

    def commit(**asked: str) -> object:
        monkeypatch.setattr(inventory, "commit", true_commit)
        raise StockBusyError(retry_after_seconds=1)

    monkeypatch.setattr(inventory, "commit", commit)


@pytest.mark.parametrize("was_released", [False, True])
def test_an_order_that_broke_off_after_its_claim_is_not_refused_its_own_use(
    monkeypatch: pytest.MonkeyPatch,
    was_released: bool,  # noqa: FBT001
) -> None:
    make_sku()
    make_code(max_uses=1)
    _, _, payment_id = claimed()
    if was_released:
        services.apply_outcome(outcome=outcome_of(payment_id, PaymentState.FAILED), now=clock.now())
    assert used() == (not was_released)
    break_off_once(monkeypatch)
    with pytest.raises(StockBusyError):
        services.apply_outcome(outcome=outcome_of(payment_id), now=clock.now())
    assert not Order.objects.exists()

    for _ in range(2):
        services.apply_outcome(outcome=outcome_of(payment_id), now=later(1))

    assert Redemption.objects.get(released_at=None).order_number == Order.objects.get().number
    assert (used(), Payment.objects.get().state) == (1, "succeeded")


def test_twin_that_does_not_know_its_own_claim_refuses_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    make_code(max_uses=1)
    _, _, payment_id = claimed()
    monkeypatch.setattr(uses, "_FINISH", uses._FINISH.replace("RETURNING", "AND false RETURNING"))
    monkeypatch.setattr(uses, "_CLAIM", uses._CLAIM.replace("DO NOTHING", "DO UPDATE SET released_at = NULL"))

    services.apply_outcome(outcome=outcome_of(payment_id), now=clock.now())

    assert not Order.objects.exists()
    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("refund_due", "code_used_up")
