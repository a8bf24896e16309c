"""Payments through Stripe, against a stand-in that speaks its documented shapes on a local port."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from pytest_django import Settings

from inventory import services as inventory
from inventory.models import StockItem
from shop.checkout import models, selectors, services
from shop.checkout.conf import StripeConf
from shop.checkout.errors import GatewayUnavailableError, PaymentDeclinedError, WebhookRefusedError
from shop.checkout.gateways import gateway, stripe_api
from shop.checkout.gateways import stripe as stripe_gateway
from shop.checkout.gateways.breaker import FAILURES
from shop.checkout.gateways.port import GatewayDownError, GatewayTimeoutError
from shop.checkout.types import PaymentView
from shop.core import clock
from shop.core.errors import RejectedError
from shop.core.ids import new_id
from tests.checkout.helpers import counters, make_sku, principal_of, ready
from tests.checkout.stripe_stand_in import PAGE, StripeStandIn, stripe_stand_in
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
SECRET = "whsec_new"


@pytest.fixture
def stripe(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeStandIn]:
    """Let the shop be paid through a fresh account."""
    monkeypatch.setattr(stripe_api, "CONNECT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(stripe_api, "READ_SECONDS", PATIENCE_SECONDS)
    with stripe_stand_in() as account:
        settings.STRIPE = StripeConf(secret_key="sk_test_0123456789", api_base=account.url)
        settings.CHECKOUT = replace(settings.CHECKOUT, gateway="stripe", webhook_secret=f"{SECRET}, whsec_old")
        yield account


def buy(token: str = "hosted", *, quantity: int = 1) -> PaymentView:
    """Press the pay button with something in the cart."""
    if not StockItem.objects.exists():
        make_sku()
    ref, view = ready(quantity=quantity)
    return services.pay(
        checkout_id=view.checkout_id,
        principal=principal_of(ref),
        method="stripe",
        provider_token=token,
        expected_total=view.total.minor,
        key=new_id("key"),
        now=clock.now(),
    )


def check(payment: PaymentView) -> PaymentView:
    """Ask Stripe how it stands."""
    row = models.Payment.objects.select_related("checkout").get(pk=payment.payment_id)
    principal = selectors.principal_of(row.checkout.owner)
    return services.check_payment(
        checkout_id=row.checkout_id, payment_id=row.payment_id, principal=principal, now=clock.now()
    )


def state() -> tuple[str, str]:
    row = models.Payment.objects.get()
    return row.state, row.reason


def session_of(account: StripeStandIn) -> str:
    [session] = account.sessions
    return session


def intent_of(account: StripeStandIn) -> dict[str, Any]:
    [intent] = account.intents.values()
    return intent


def tell(books: StripeStandIn, kind: str, found: dict[str, Any], **more: Any) -> None:
    """Let Stripe post a webhook."""
    body = books.event(kind, found, **more)
    services.receive_webhook(provider="stripe", body=body, headers=books.sign(body, SECRET), now=clock.now())


def test_the_hosted_page_is_opened_with_what_the_payment_says(stripe: StripeStandIn) -> None:
    payment = buy()

    assert payment.state == "requires_action"
    assert payment.action_url == PAGE + session_of(stripe)
    [(method, path, sent, headers)] = stripe.requests
    assert (method, path) == ("post", "/v1/checkout/sessions")
    assert headers["idempotency-key"] == payment.payment_id
    assert headers["authorization"] == "Bearer sk_test_0123456789"
    assert sent["line_items"]["0"]["price_data"]["unit_amount"] == str(payment.amount.minor)
    assert sent["payment_intent_data"]["capture_method"] == "manual"
    assert sent["success_url"].startswith(f"{django_settings.BASE_URL}/checkout/payer/pay_")
    assert int(sent["expires_at"]) >= time.time() + 1_800


def test_money_is_taken_only_after_the_order_stands(stripe: StripeStandIn) -> None:
    payment = buy()
    stripe.pays(session_of(stripe))
    assert intent_of(stripe)["status"] == "requires_capture"

    assert check(payment).order_number

    assert intent_of(stripe)["status"] == "succeeded"
    row = models.Payment.objects.get()
    assert (row.state, row.next_check_at, row.provider_reference) == ("succeeded", None, intent_of(stripe)["id"])
    assert counters() == (49, 0)


def test_held_money_is_let_go_when_the_items_are_sold(stripe: StripeStandIn) -> None:
    payment = buy()
    stripe.pays(session_of(stripe))
    inventory.release(reservation_id=models.Checkout.objects.get().reservation_id, cause="expired")
    StockItem.objects.update(on_hand=0)

    check(payment)
    assert state() == ("refund_due", "sold_out")
    services.refund_payments(now=clock.now() + timedelta(seconds=1))

    assert state() == ("refunded", "sold_out")
    assert intent_of(stripe)["status"] == "canceled"
    assert stripe.refunds == []
    assert not models.Order.objects.exists()


def test_a_webhook_completes_the_order_and_takes_the_money(stripe: StripeStandIn) -> None:
    buy()
    intent = stripe.pays(session_of(stripe))
    tell(stripe, "payment_intent.amount_capturable_updated", dict(intent))
    assert models.Order.objects.count() == 1
    assert intent_of(stripe)["status"] == "succeeded"
    tell(stripe, "payment_intent.succeeded", intent, event_id="evt_2")
    tell(stripe, "checkout.session.completed", stripe.sessions[session_of(stripe)], event_id="evt_3")
    assert state() == ("succeeded", "")
    assert set(models.WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}


def test_a_declined_card_on_the_hosted_page_is_not_the_end(stripe: StripeStandIn) -> None:
    payment = buy()
    tell(stripe, "payment_intent.payment_failed", stripe.declines(session_of(stripe)))
    assert check(payment).action_url == PAGE + session_of(stripe)
    stripe.pays(session_of(stripe))
    assert check(payment).order_number


def test_a_payer_who_comes_back_can_pay_in_another_way(stripe: StripeStandIn) -> None:
    payment = buy()
    stripe.declines(session_of(stripe))
    row = models.Payment.objects.select_related("checkout").get()

    with pytest.raises(PaymentDeclinedError):
        services.give_up_payment(
            checkout_id=row.checkout_id,
            payment_id=payment.payment_id,
            principal=selectors.principal_of(row.checkout.owner),
            now=clock.now(),
        )

    assert stripe.sessions[session_of(stripe)]["status"] == "expired"
    assert state() == ("failed", "canceled")
    assert models.Checkout.objects.get().state == "open"


def test_an_app_pays_with_a_payment_method(stripe: StripeStandIn) -> None:
    payment = buy("pm_card_visa")
    assert payment.order_number
    assert intent_of(stripe)["status"] == "succeeded"
    keys = [headers.get("idempotency-key") for method, _, _, headers in stripe.requests if method == "post"]
    # A slow answer may be asked for again: with the same key, which is what makes it harmless.
    assert list(dict.fromkeys(keys)) == [payment.payment_id, f"{payment.payment_id}-capture"]


def test_a_declined_payment_method_says_why(stripe: StripeStandIn) -> None:
    with pytest.raises(PaymentDeclinedError):
        buy("pm_card_declined")
    assert state() == ("failed", "insufficient_funds")


def test_a_payment_method_that_stripe_does_not_know_is_refused(stripe: StripeStandIn) -> None:
    with pytest.raises(PaymentDeclinedError):
        buy("pm_unknown_one")
    assert state() == ("failed", "resource_missing")


@pytest.mark.parametrize("token", ["ok", "", "pm_", "hosted ", "pm_../../x", "tok_visa"])
def test_other_tokens_are_refused_before_anything_is_written(stripe: StripeStandIn, token: str) -> None:
    with pytest.raises(RejectedError):
        buy(token)
    assert stripe.requests == []
    assert not models.Payment.objects.exists()


def test_a_bank_that_asks_back_is_gone_to_and_waited_for(stripe: StripeStandIn) -> None:
    payment = buy("pm_card_authenticate")
    assert payment.action_url.startswith("https://hooks.stripe.com/redirect/")
    stripe.confirms(intent_of(stripe)["id"])
    assert check(payment).order_number


@pytest.fixture
def _impatient(stripe: StripeStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for an answer that is lost."""
    monkeypatch.setattr(stripe_api, "READ_SECONDS", 3)


@pytest.mark.usefixtures("_impatient")
def test_a_lost_answer_is_asked_for_again_under_the_same_key(stripe: StripeStandIn) -> None:
    stripe.lose_answers = 1
    payment = buy("pm_card_visa")
    assert payment.order_number
    assert len(stripe.intents) == 1


@pytest.mark.usefixtures("_impatient")
def test_a_payment_whose_answers_were_all_lost_is_found_in_the_books(stripe: StripeStandIn) -> None:
    stripe.lose_answers = 2
    payment = buy("pm_card_visa")
    assert payment.state == "processing"
    assert models.Payment.objects.get().provider_reference == ""

    services.reconcile_payments(now=clock.now() + timedelta(seconds=11))

    assert models.Order.objects.get().payment_id == payment.payment_id
    assert intent_of(stripe)["status"] == "succeeded"


def test_a_capture_without_answer_stays_due_and_is_repeated(stripe: StripeStandIn) -> None:
    payment = buy()
    stripe.pays(session_of(stripe))
    stripe.fail_with = []
    original = stripe.answer

    def answer(method: str, path: str, given: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        if path.endswith("/capture"):
            return 500, {"error": {"type": "api_error", "message": "down"}}
        return original(method, path, given, key)

    stripe.answer = answer  # type: ignore[method-assign]  # Stripe fails
    assert check(payment).order_number
    assert models.Payment.objects.get().next_check_at is not None
    stripe.answer = original  # type: ignore[method-assign]  # and recovers

    services.reconcile_payments(now=clock.now() + timedelta(seconds=1))

    assert intent_of(stripe)["status"] == "succeeded"
    assert models.Payment.objects.get().next_check_at is None


def test_a_hold_that_ran_out_before_it_was_taken_is_for_people(stripe: StripeStandIn) -> None:
    payment = buy()
    stripe.pays(session_of(stripe))
    check(payment)
    stripe.intents[intent_of(stripe)["id"]]["status"] = "canceled"
    models.Payment.objects.update(next_check_at=clock.now())
    services.reconcile_payments(now=clock.now() + timedelta(seconds=1))
    assert state() == ("review", "capture_failed")
    assert models.Order.objects.count() == 1


def test_an_undecided_payment_is_ended_at_stripe_before_its_reservation_ends(stripe: StripeStandIn) -> None:
    buy()
    reservation = inventory_reservation()
    with time_machine.travel(clock.now() + timedelta(seconds=1_700)):
        assert clock.now() < reservation
        services.reconcile_payments(now=clock.now())
    assert stripe.sessions[session_of(stripe)]["status"] == "expired"
    assert state() == ("failed", "canceled")
    assert counters() == (50, 0)


def inventory_reservation() -> Any:
    """Tell when the reservation of the only checkout ends."""
    from inventory import selectors as stock  # noqa: PLC0415 - this helper alone looks

    return stock.get_reservation(reservation_id=models.Checkout.objects.get().reservation_id).expires_at


def test_a_provider_that_cannot_be_reached_leaves_the_checkout_as_it_was(
    stripe: StripeStandIn, settings: Settings
) -> None:
    settings.STRIPE = replace(settings.STRIPE, api_base="http://127.0.0.1:9")
    with pytest.raises(GatewayUnavailableError):
        buy()
    assert models.Checkout.objects.get().state == "open"
    assert counters() == (50, 1)
    assert stripe.requests == []


def test_a_provider_that_does_not_answer_is_left_alone_for_a_while(stripe: StripeStandIn) -> None:
    stripe.fail_with = [500] * 100
    source = gateway("stripe")
    for _ in range(FAILURES):
        with pytest.raises(GatewayTimeoutError):
            source.find(key="pay_x", reference="pi_x")
    asked = len(stripe.requests)

    with pytest.raises(GatewayDownError):
        source.find(key="pay_x", reference="pi_x")

    assert len(stripe.requests) == asked


def test_a_refund_gives_everything_back_once(stripe: StripeStandIn) -> None:
    payment = buy("pm_card_visa")
    source = gateway("stripe")
    reference = models.Payment.objects.get().provider_reference
    first = source.refund(key=payment.payment_id, reference=reference)
    second = source.refund(key=payment.payment_id, reference=reference)
    assert first == second
    assert first.state == "refunded"
    assert len(stripe.refunds) == 1


def test_a_refund_made_at_stripe_is_followed_and_one_in_part_is_for_people(stripe: StripeStandIn) -> None:
    buy("pm_card_visa")
    charge = intent_of(stripe)["latest_charge"]
    tell(stripe, "charge.refunded", charge | {"amount_refunded": 1})
    assert state() == ("review", "wrong_amount")
    models.Payment.objects.update(state="succeeded", reason="")
    tell(stripe, "charge.refunded", charge | {"amount_refunded": charge["amount"], "refunded": True}, event_id="evt_2")
    assert state() == ("refunded", "")


def test_a_chargeback_is_for_people(stripe: StripeStandIn) -> None:
    buy("pm_card_visa")
    dispute = {"id": "dp_1", "object": "dispute", "payment_intent": intent_of(stripe)["id"], "amount": 700}
    tell(stripe, "charge.dispute.created", dispute | {"currency": "gbp", "livemode": False})
    assert state() == ("review", "chargeback")
    assert counters() == (49, 0)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"amount": 1}, "wrong_amount"),
        ({"currency": "usd"}, "wrong_currency"),
        ({"livemode": True}, "wrong_mode"),
        ({"metadata": {"checkout_id": "chk_x"}}, "wrong_checkout"),
        ({"account": "acct_other"}, "wrong_account"),
    ],
)
def test_signed_news_that_does_not_fit_makes_no_order(
    stripe: StripeStandIn, changed: dict[str, Any], reason: str
) -> None:
    buy()
    intent = dict(stripe.pays(session_of(stripe)))
    account = {"account": changed.pop("account")} if "account" in changed else {}
    if "metadata" in changed:
        changed = {"metadata": intent["metadata"] | changed["metadata"]}
    tell(stripe, "payment_intent.amount_capturable_updated", intent | changed, **account)
    assert state() == ("review", reason)
    assert not models.Order.objects.exists()
    assert intent_of(stripe)["status"] == "requires_capture"


@pytest.mark.parametrize("secret", [SECRET, "whsec_old"])
def test_both_secrets_are_good_while_they_are_exchanged(stripe: StripeStandIn, secret: str) -> None:
    body = stripe.event("customer.created", {"id": "cus_1"})
    services.receive_webhook(provider="stripe", body=body, headers=stripe.sign(body, secret), now=clock.now())
    assert models.WebhookEvent.objects.get().state == "parked"


@pytest.mark.parametrize(("secret", "shift"), [("whsec_other", 0), (SECRET, -301), (SECRET, 301), (SECRET, 10**6)])
def test_what_is_not_signed_well_and_now_is_refused(stripe: StripeStandIn, secret: str, shift: int) -> None:
    body = stripe.event("customer.created", {"id": "cus_1"})
    headers = stripe.sign(body, secret, at=time.time() + shift)
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="stripe", body=body, headers=headers, now=clock.now())
    assert not models.WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"id": "evt_"}', b'{"id": 1}', b'{"id": "evt_\xff"}', b"[" * 99_999]
)
def test_signed_bodies_of_another_shape_are_refused(stripe: StripeStandIn, body: bytes) -> None:
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="stripe", body=body, headers=stripe.sign(body, SECRET), now=clock.now())


def test_the_books_hold_our_payments_only_oldest_first(stripe: StripeStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_gateway, "PAGE", 1)
    first = buy("pm_card_visa")
    stripe._new_intent(5, "gbp", {})
    second = buy("pm_card_visa")
    found = gateway("stripe").list_charges(since=clock.now() - timedelta(hours=1))
    assert [charge.key for charge in found] == [first.payment_id, second.payment_id]
