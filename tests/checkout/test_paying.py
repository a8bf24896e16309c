"""Pay by each of the offline gateway's tokens, twice, with a wrong total, with a changed cart."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from cart import selectors as reads
from cart import services as carts
from cart.errors import CartLockedError
from cart.models import CartRecord
from cart.types import Cart, CartRef
from inventory import services as inventory
from inventory.errors import InsufficientStockError
from inventory.models import Reservation
from shop.checkout import models, selectors, services
from shop.checkout.errors import (
    CheckoutCancelledError,
    CheckoutIncompleteError,
    GatewayUnavailableError,
    PaymentDeclinedError,
    PaymentInProgressError,
    PaymentUnknownError,
    PriceChangedError,
)
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import Charge, GatewayDownError, Outcome
from shop.checkout.models import FakeCharge, Order, Payment
from shop.checkout.types import CheckoutState, PaymentState
from shop.core import clock
from shop.core.errors import RejectedError, UnavailableError
from tests.checkout.helpers import (
    ADDRESS,
    cart_of,
    counters,
    fill,
    later,
    make_sku,
    new_guest,
    pay,
    principal_of,
    put,
    ready,
    reservation_state,
    set_price,
    start,
)

pytestmark = pytest.mark.django_db


def test_ok_makes_the_order_and_everything_that_belongs_to_it() -> None:
    make_sku("MUG", price=1_200)
    ref, view = ready(quantity=2)

    payment = pay(view, ref)

    order = selectors.get_order(number=payment.order_number, principal=principal_of(ref))
    assert payment.state is PaymentState.SUCCEEDED
    assert order.total.minor == 2_400
    assert [(line.sku_id, line.quantity, line.unit_price.minor) for line in order.lines] == [("MUG", 2, 1_200)]
    assert order.address.postcode == "SW1Y 4JH"
    assert order.payment_state is PaymentState.SUCCEEDED
    assert counters() == (48, 0)
    assert reservation_state(view) == "hard"
    assert cart_of(ref) == {}
    assert CartRecord.objects.get(state="converted").order_number == order.number
    shown = selectors.get_checkout(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert (shown.state, shown.order_number) == (CheckoutState.COMPLETED, order.number)


def test_declined_keeps_what_was_typed_and_the_cart_and_gives_the_units_back() -> None:
    make_sku()
    ref, view = ready()

    with pytest.raises(PaymentDeclinedError) as refused:
        pay(view, ref, "declined")

    shown = selectors.get_checkout(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert refused.value.reason == "card_declined"
    assert shown.state is CheckoutState.OPEN
    assert (shown.email, shown.decline_reason) == ("ada@example.com", "card_declined")
    assert shown.lock_expires_at == view.lock_expires_at
    assert counters() == (50, 0)
    assert cart_of(ref) == {"MUG": 1}
    assert not Order.objects.exists()


def test_declined_and_then_paid_makes_one_order() -> None:
    make_sku()
    ref, view = ready()
    with pytest.raises(PaymentDeclinedError):
        pay(view, ref, "declined")

    payment = pay(view, ref, "ok")

    assert payment.state is PaymentState.SUCCEEDED
    assert Order.objects.count() == 1
    assert counters() == (49, 0)
    assert cart_of(ref) == {}


def test_after_a_decline_the_sold_out_line_is_named() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    with pytest.raises(PaymentDeclinedError):
        pay(view, ref, "declined")
    rival, rivals = ready(new_guest())
    pay(rivals, rival)

    with pytest.raises(InsufficientStockError):
        pay(view, ref)
    assert models.Checkout.objects.get(pk=view.checkout_id).state == "open"
    assert FakeCharge.objects.filter(state="succeeded").count() == 1


def test_the_same_key_pays_once() -> None:
    make_sku()
    ref, view = ready()

    first = pay(view, ref, key="k")
    second = pay(view, ref, key="k")

    assert second == first
    assert Payment.objects.count() == 1
    assert FakeCharge.objects.count() == 1


def test_a_second_tab_lands_on_the_same_order() -> None:
    make_sku()
    ref, view = ready()

    first = pay(view, ref, key="tab 1")
    second = pay(view, ref, key="tab 2")

    assert second.order_number == first.order_number
    assert FakeCharge.objects.count() == 1


def test_the_declined_keys_answer_is_declined_again() -> None:
    make_sku()
    ref, view = ready()
    for _ in range(2):
        with pytest.raises(PaymentDeclinedError):
            pay(view, ref, "declined", key="k")
    assert FakeCharge.objects.count() == 1


def test_slow_waits_with_pinned_units_and_a_locked_cart_and_then_succeeds() -> None:
    make_sku()
    ref, view = ready()

    waiting = pay(view, ref, "slow")

    assert waiting.state is PaymentState.PROCESSING
    assert Reservation.objects.get().pinned_until is not None
    with pytest.raises(CartLockedError):
        put(ref, "MUG", 2)
    with pytest.raises(PaymentInProgressError):
        pay(view, ref, "ok", key="another")
    with time_machine.travel(later(6), tick=True):
        done = services.check_payment(
            checkout_id=view.checkout_id,
            payment_id=waiting.payment_id,
            principal=principal_of(ref),
            now=clock.now(),
        )
    assert done.state is PaymentState.SUCCEEDED
    assert done.order_number
    assert cart_of(ref) == {}


def test_a_slow_payment_also_arrives_by_webhook() -> None:
    make_sku()
    ref, view = ready()
    waiting = pay(view, ref, "slow")
    services.process_webhooks()
    assert not Order.objects.exists()

    with time_machine.travel(later(6), tick=True):
        services.process_webhooks()

    assert Order.objects.get().payment_id == waiting.payment_id


def test_a_time_out_after_success_charges_and_reconciliation_completes_the_order() -> None:
    make_sku()
    ref, view = ready()

    waiting = pay(view, ref, "timeout_after_success")

    assert waiting.state is PaymentState.PROCESSING
    assert FakeCharge.objects.get().state == "succeeded"
    assert not Order.objects.exists()
    services.reconcile_payments(now=later(11))
    assert Order.objects.get().payment_id == waiting.payment_id
    assert FakeCharge.objects.count() == 1
    assert cart_of(ref) == {}


@pytest.mark.parametrize("approve", [True, False])
def test_the_banks_page_decides(approve: bool) -> None:  # noqa: FBT001
    make_sku()
    ref, view = ready()
    waiting = pay(view, ref, "requires_action")
    assert waiting.state is PaymentState.REQUIRES_ACTION

    def decide() -> PaymentState:
        return services.finish_action(
            checkout_id=view.checkout_id,
            payment_id=waiting.payment_id,
            principal=principal_of(ref),
            approve=approve,
            now=clock.now(),
        ).state

    if approve:
        assert decide() is PaymentState.SUCCEEDED
        assert decide() is PaymentState.SUCCEEDED
        assert Order.objects.count() == 1
    else:
        with pytest.raises(PaymentDeclinedError):
            decide()
        assert counters() == (50, 0)
        put(ref, "MUG", 2)  # the cart is free again


def test_the_banks_page_is_the_payers_only() -> None:
    make_sku()
    ref, view = ready()
    waiting = pay(view, ref, "requires_action")

    with pytest.raises(PaymentUnknownError):
        services.finish_action(
            checkout_id=view.checkout_id,
            payment_id=waiting.payment_id,
            principal=principal_of(new_guest()),
            approve=True,
            now=clock.now(),
        )
    assert FakeCharge.objects.get().state == "requires_action"


def test_an_action_that_never_comes_is_cancelled_at_the_provider_when_the_pin_ends() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref, "requires_action")

    services.reconcile_payments(now=later(1_900))

    assert FakeCharge.objects.get().state == "failed"
    assert Payment.objects.get().state == "failed"
    assert models.Checkout.objects.get().state == "open"
    assert counters() == (50, 0)


@pytest.mark.parametrize("total", [0, 1_199, 1_201, -1])
def test_another_total_than_the_quotes_is_refused_and_nothing_is_charged(total: int) -> None:
    make_sku(price=1_200)
    ref, view = ready()

    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref, total=total)

    assert refused.value.quote.total.minor == 1_200
    assert not Payment.objects.exists()
    assert not FakeCharge.objects.exists()


def test_paying_needs_address_and_mail_address() -> None:
    make_sku()
    ref = new_guest()
    put(ref, "MUG")
    view = start(ref)

    with pytest.raises(CheckoutIncompleteError) as refused:
        pay(view, ref)
    assert [detail.pointer for detail in refused.value.errors] == ["/email", "/shipping_address"]


def test_within_the_lock_a_price_change_does_not_matter() -> None:
    make_sku(price=1_200)
    ref, view = ready()
    set_price("MUG", 2_000)

    assert pay(view, ref).amount.minor == 1_200


def test_after_the_lock_a_rise_must_be_agreed_to() -> None:
    make_sku(price=1_200)
    ref, view = ready()
    set_price("MUG", 2_000)

    with time_machine.travel(later(901), tick=True):
        with pytest.raises(PriceChangedError) as refused:
            pay(view, ref)
        assert refused.value.quote.total.minor == 2_000
        assert not FakeCharge.objects.exists()
        assert pay(view, ref, total=2_000).amount.minor == 2_000
    assert Order.objects.get().total_minor == 2_000


def test_after_the_lock_a_fall_is_charged() -> None:
    make_sku(price=1_200)
    ref, view = ready()
    set_price("MUG", 1_000)

    with time_machine.travel(later(901), tick=True):
        assert pay(view, ref).amount.minor == 1_000


def test_a_reservation_that_is_over_is_made_again_while_paying() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    Reservation.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    inventory.sweep()
    assert counters() == (1, 0)

    assert pay(view, ref).state is PaymentState.SUCCEEDED
    assert counters() == (0, 0)


def test_what_was_taken_out_in_another_tab_is_not_charged() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref = new_guest()
    put(ref, "MUG", 2)
    put(ref, "BOWL", 1)
    view = fill(start(ref), ref)
    carts.remove_line(ref=ref, sku_id="BOWL", now=clock.now())

    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref)

    assert refused.value.quote.total.minor == 2_400
    assert counters("BOWL") == (50, 0)
    assert not FakeCharge.objects.exists()
    assert pay(view, ref, total=2_400).state is PaymentState.SUCCEEDED


def test_what_was_added_in_another_tab_is_shown_before_it_is_charged() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref, view = ready()
    put(ref, "BOWL", 1)

    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref)
    assert refused.value.quote.total.minor == 2_100
    assert counters("BOWL") == (50, 0)

    refreshed = start(ref)
    assert pay(refreshed, ref).amount.minor == 2_100


def test_a_line_added_while_the_provider_is_asked_stays_in_the_cart(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref, view = ready()
    charge = FakeGateway.charge

    def slowly(self: FakeGateway, asked: Charge) -> Outcome:
        carts.unlock(ref=ref, checkout_id=view.checkout_id)  # as if the lock had run out
        put(ref, "BOWL", 3)
        return charge(self, asked)

    monkeypatch.setattr(FakeGateway, "charge", slowly)
    assert pay(view, ref).amount.minor == 1_200
    assert cart_of(ref) == {"BOWL": 3}


def test_a_provider_that_is_not_reached_leaves_the_checkout_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()

    def unreachable(self: FakeGateway, charge: Charge) -> Outcome:
        raise GatewayDownError

    with monkeypatch.context() as patch:
        patch.setattr(FakeGateway, "charge", unreachable)
        with pytest.raises(GatewayUnavailableError):
            pay(view, ref)

    assert models.Checkout.objects.get().state == "open"
    assert counters() == (50, 1)
    put(ref, "MUG", 1)
    assert pay(view, ref).state is PaymentState.SUCCEEDED


def test_the_same_key_pays_once_the_provider_is_back_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()

    def unreachable(self: FakeGateway, charge: Charge) -> Outcome:
        raise GatewayDownError

    with monkeypatch.context() as patch:
        patch.setattr(FakeGateway, "charge", unreachable)
        for _ in range(2):
            with pytest.raises(GatewayUnavailableError):
                pay(view, ref, key="retry")
    paid = pay(view, ref, key="retry")

    assert paid.state is PaymentState.SUCCEEDED
    assert pay(view, ref, key="retry").payment_id == paid.payment_id
    assert FakeCharge.objects.count() == Order.objects.count() == 1


def test_a_total_of_zero_completes_without_the_provider() -> None:
    make_sku()
    ref, view = ready()
    models.CheckoutLine.objects.update(unit_price_minor=0)
    models.Checkout.objects.update(subtotal_minor=0, total_minor=0)

    payment = pay(view, ref, "no such token", total=0)

    assert payment.state is PaymentState.SUCCEEDED
    assert Order.objects.get().total_minor == 0
    assert not FakeCharge.objects.exists()


@pytest.mark.parametrize(("method", "token"), [("card", "ok"), ("fake", "4242"), ("fake", "")])
def test_unknown_methods_and_tokens_are_refused_before_anything_is_written(method: str, token: str) -> None:
    make_sku()
    ref, view = ready()
    with pytest.raises(RejectedError):
        services.pay(
            checkout_id=view.checkout_id,
            principal=principal_of(ref),
            method=method,
            provider_token=token,
            expected_total=view.total.minor,
            key="k",
            now=clock.now(),
        )
    assert not Payment.objects.exists()


def test_a_cancelled_checkout_cannot_be_paid() -> None:
    make_sku()
    ref, view = ready()
    services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())

    with pytest.raises(CheckoutCancelledError):
        pay(view, ref)
    assert counters() == (50, 0)


def test_a_checkout_that_is_being_paid_cannot_be_changed_or_cancelled() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref, "slow")

    with pytest.raises(PaymentInProgressError):
        services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    with pytest.raises(PaymentInProgressError):
        services.update_details(
            checkout_id=view.checkout_id,
            principal=principal_of(ref),
            details=dict(ADDRESS),
            expected_version=None,
            now=clock.now(),
        )


def test_starting_while_the_cart_is_being_paid_shows_that_checkout() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref, "slow")

    assert start(ref).checkout_id == view.checkout_id
    assert start(ref).state is CheckoutState.PAYING


def test_the_paid_cart_cannot_be_checked_out_again_when_its_clearing_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()
    with monkeypatch.context() as patch:
        patch.setattr("shop.checkout.services.outcomes.finish_order", lambda **_: False)
        pay(view, ref)
    assert cart_of(ref) == {"MUG": 1}

    with pytest.raises(Exception, match="cart_empty"):
        start(ref)
    assert cart_of(ref) == {}


@pytest.mark.parametrize("by", ["asking", "reconciling"])
def test_a_free_order_whose_process_died_is_completed(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    make_sku()
    ref, view = ready()
    models.CheckoutLine.objects.update(unit_price_minor=0)
    models.Checkout.objects.update(subtotal_minor=0, total_minor=0)

    def unheard(**_: object) -> None:
        raise UnavailableError(retry_after_seconds=1)

    with monkeypatch.context() as patch:
        patch.setattr("shop.checkout.services.settling.apply_outcome", unheard)
        payment = pay(view, ref, total=0)
    assert not Order.objects.exists()

    if by == "asking":
        services.check_payment(
            checkout_id=view.checkout_id,
            payment_id=payment.payment_id,
            principal=principal_of(ref),
            now=clock.now(),
        )
    else:
        services.reconcile_payments(now=later(11))
    assert Order.objects.get().total_minor == 0


def test_who_reads_the_cart_after_another_request_has_paid_gets_that_payment(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()
    read = reads.get_current_cart
    others = []

    def read_late(*, ref: CartRef) -> Cart:
        monkeypatch.setattr(reads, "get_current_cart", read)
        others.append(pay(view, ref))
        return reads.get_current_cart(ref=ref)

    monkeypatch.setattr(reads, "get_current_cart", read_late)

    assert pay(view, ref).payment_id == others[0].payment_id
    assert Order.objects.count() == FakeCharge.objects.count() == 1
