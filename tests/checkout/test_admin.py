"""Staff's pages of checkout: quick, read-only three ways, masked."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from shop.accounts.models import User
from shop.checkout import models, services
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import counters, later, make_sku, new_guest, offline, outcome_of, pay, ready

pytestmark = pytest.mark.django_db

LISTS = ["checkout", "order", "payment", "refundrequest", "webhookevent", "idempotencyrecord"]


def staff(*permissions: str) -> Client:
    """Sign a member of staff in who may see everything of checkout, and more."""
    user = User.objects.create_user("staff@shop.example", "irrelevant-1", is_staff=True)
    seen = Permission.objects.filter(content_type__app_label__in=["checkout", "notifications"])
    user.user_permissions.set(seen.filter(codename__startswith="view_").exclude(codename="view_pii"))
    user.user_permissions.add(*seen.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def url(model: str, page: str = "changelist", *args: str) -> str:
    """Name a page of the admin."""
    return reverse(f"admin:checkout_{model}_{page}", args=args)


def buy(times: int = 1) -> str:
    """Make orders; give the last one's number."""
    number = ""
    for _ in range(times):
        ref, view = ready(new_guest())
        number = pay(view, ref).order_number
    return number


@pytest.mark.parametrize("model", LISTS)
def test_a_list_costs_the_same_for_one_row_and_for_many(model: str) -> None:
    make_sku()
    buy()
    services.process_webhooks()
    client = staff()
    client.get(url(model))
    counts = []
    for more in (0, 6):
        buy(more)
        services.process_webhooks()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = client.get(url(model))
        assert answer.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


@pytest.mark.parametrize("model", LISTS)
def test_staff_without_permission_see_nothing(model: str) -> None:
    user = User.objects.create_user("staff@shop.example", "irrelevant-1", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(url(model)).status_code == 403


@pytest.mark.parametrize("model", ["checkout", "order", "payment"])
def test_rows_can_be_neither_added_changed_nor_deleted(model: str) -> None:
    make_sku()
    buy()
    row: Any = {"checkout": models.Checkout, "order": models.Order, "payment": models.Payment}[model].objects.get()  # type: ignore[attr-defined]  # three models
    client = staff(f"add_{model}", f"change_{model}", f"delete_{model}")
    assert client.get(url(model, "add")).status_code == 403
    assert client.post(url(model, "change", row.pk), {"state": "open"}).status_code == 403
    assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        type(row).objects.filter(pk=row.pk)._raw_delete("default")


def test_the_database_refuses_to_change_orders_lines_and_the_terms_of_payments() -> None:
    make_sku()
    buy()
    for query, change in (
        (models.Order.objects.all(), {"total_minor": 1}),
        (models.Order.objects.all(), {"email": "eve@example.com"}),
        (models.OrderLine.objects.all(), {"quantity": 9}),
        (models.Payment.objects.all(), {"amount_minor": 1}),
    ):
        with pytest.raises(DatabaseError, match=r"annot update|readonly"), transaction.atomic():
            query.update(**change)


def test_people_are_masked_in_lists_and_pages_unless_staff_may_see_them_and_each_look_is_noted() -> None:
    make_sku()
    number = buy()
    plain = staff()
    for page in (url("order"), url("order", "change", number), url("checkout")):
        text = plain.get(page).content.decode()
        assert "a***@example.com" in text
        assert "ada@example.com" not in text
        assert "St James" not in text
    assert not LogEntry.objects.exists()
    User.objects.all().delete()

    text = staff("view_pii").get(url("order", "change", number)).content.decode()
    assert "ada@example.com" in text
    assert LogEntry.objects.get().change_message == "Personal data shown"


def test_a_guest_goes_by_six_digits() -> None:
    make_sku()
    ref, _ = ready()
    text = staff().get(url("checkout")).content.decode()
    assert f"g:{ref.key[:6]}" in text
    assert ref.key[:7] not in text


def test_markup_in_titles_and_names_is_inert() -> None:
    make_sku()
    _, view = ready()
    models.CheckoutLine.objects.update(title="<script>alert(1)</script>")
    models.Checkout.objects.update(email="<img src=x>@example.com")
    text = staff("view_pii").get(url("checkout", "change", view.checkout_id)).content.decode()
    assert "<script>alert(1)" not in text
    assert "<img src=x>" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_staff_ask_the_provider_and_it_is_noted() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    models.FakeCharge.objects.update(state="succeeded", settles_at=None)
    form = {"action": "check_with_provider", "_selected_action": [payment.payment_id]}

    staff().post(url("payment"), form)
    assert not models.Order.objects.exists()
    User.objects.all().delete()
    staff("check_payment").post(url("payment"), form)

    assert models.Order.objects.exists()
    assert "succeeded" in LogEntry.objects.get().change_message


def test_staff_take_a_parked_event_up_again() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    body, _ = offline().message(outcome_of(payment.payment_id), event_id="evt_1", at=clock.now())
    models.WebhookEvent.objects.create(
        provider="fake",
        event_id="evt_1",
        body=body.decode(),
        state="parked",
        next_try_at=clock.now(),
        received_at=clock.now(),
    )
    event = models.WebhookEvent.objects.get()
    staff("retry_webhook").post(url("webhookevent"), {"action": "retry", "_selected_action": [event.pk]})
    assert models.Order.objects.exists()
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "query", ["q=ord_x", "attention=review", "attention=waiting", "attention=refund", "p=-1", "x=1"]
)
def test_searches_and_filters_answer(query: str) -> None:
    make_sku()
    buy()
    answer = staff().get(f"{url('payment')}?{query}")
    assert answer.status_code in (200, 302)


def by(*permissions: str) -> tuple[Client, int]:
    """Sign another member of staff in; give the client and the number."""
    user = User.objects.create_user(f"staff{User.objects.count()}@shop.example", "irrelevant-1", is_staff=True)
    names = ["view_payment", "view_refundrequest", "view_webhookevent", *permissions]
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="checkout", codename__in=names))
    client = Client()
    client.force_login(user)
    return client, user.pk


def paid(price: int = 1_400) -> models.Payment:
    make_sku(price=price)
    buy()
    return models.Payment.objects.get()


def test_a_refund_needs_a_reason_is_audited_and_given_once() -> None:
    payment = paid()
    client, number = by("refund_payment")
    page = url("payment", "refund", payment.pk)

    assert client.post(page, {"reason": " "}).status_code == 422
    assert not models.RefundRequest.objects.exists()
    assert client.post(page, {"reason": "arrived broken"}).status_code == 302
    assert client.post(page, {"reason": "arrived broken"}).status_code == 422

    request = models.RefundRequest.objects.get()
    assert (request.state, request.asked_by, request.decided_by) == ("approved", number, number)
    assert LogEntry.objects.get().change_message == "Refund due: arrived broken"
    services.refund_payments(now=later(1))
    assert models.Payment.objects.get().state == "refunded"
    assert models.FakeCharge.objects.get().state == "refunded"
    assert counters() == (49, 0)


def test_a_large_refund_needs_a_second_person() -> None:
    payment = paid(price=20_001)
    first, one = by("refund_payment", "approve_refund")
    second, two = by("approve_refund")
    assert b"second person" in first.get(url("payment", "refund", payment.pk)).content
    first.post(url("payment", "refund", payment.pk), {"reason": "arrived broken"})
    assert models.Payment.objects.get().state == "succeeded"
    request = models.RefundRequest.objects.get()
    form = {"action": "approve", "_selected_action": [request.pk]}

    first.post(url("refundrequest"), form)
    request.refresh_from_db()
    assert (request.state, models.Payment.objects.get().state) == ("asked", "succeeded")
    second.post(url("refundrequest"), form)

    request.refresh_from_db()
    assert (request.state, request.asked_by, request.decided_by) == ("approved", one, two)
    assert models.Payment.objects.get().state == "refund_due"
    said = list(LogEntry.objects.order_by("pk").values_list("user_id", "change_message"))
    assert said == [(one, "Refund asked for: arrived broken"), (two, "Agreed")]


def test_the_database_refuses_a_large_refund_by_one_person_alone() -> None:
    payment = paid()
    now = clock.now()
    with pytest.raises(DatabaseError, match="refund_second_person"), transaction.atomic():
        models.RefundRequest.objects.create(
            payment=payment,
            reason="x",
            state="approved",
            needs_second=True,
            asked_by=1,
            asked_at=now,
            decided_by=1,
            decided_at=now,
        )


def test_a_refused_refund_leaves_the_payment_and_can_be_asked_for_again() -> None:
    payment = paid(price=20_001)
    first, _ = by("refund_payment", "approve_refund")
    first.post(url("payment", "refund", payment.pk), {"reason": "arrived broken"})
    request = models.RefundRequest.objects.get()
    first.post(url("refundrequest"), {"action": "refuse", "_selected_action": [request.pk]})
    assert models.RefundRequest.objects.get().state == "refused"
    assert first.post(url("payment", "refund", payment.pk), {"reason": "again"}).status_code == 302
    assert models.Payment.objects.get().state == "succeeded"


@pytest.mark.parametrize("permission", ["check_payment", "review_payment", "approve_refund"])
def test_who_may_do_other_things_may_not_refund(permission: str) -> None:
    payment = paid()
    client, _ = by(permission)
    assert client.post(url("payment", "refund", payment.pk), {"reason": "x"}).status_code == 403
    assert client.get(url("payment", "refund", payment.pk)).status_code == 403
    assert models.Payment.objects.get().state == "succeeded"


def in_review(**said: object) -> models.Payment:
    """Let the provider say something that does not fit."""
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    services.apply_outcome(outcome=outcome_of(payment.payment_id, **said), now=clock.now())  # type: ignore[arg-type]  # wrong on purpose
    row = models.Payment.objects.get()
    assert row.state == "review"
    return row


def test_a_payment_in_review_becomes_its_order_if_the_providers_books_say_so() -> None:
    payment = in_review(amount_minor=1)
    client, _ = by("review_payment")
    form = {"action": "attach_to_order", "_selected_action": [payment.pk]}

    client.post(url("payment"), form)
    assert models.Payment.objects.get().state == "review"  # the bank has not decided
    models.FakeCharge.objects.update(state="succeeded")
    client.post(url("payment"), form)

    order = models.Order.objects.get()
    assert (models.Payment.objects.get().state, order.payment_id) == ("succeeded", payment.pk)
    assert order.cart_cleared_at is not None
    assert counters() == (49, 0)
    assert LogEntry.objects.get().change_message == f"Attached to order: {order.number}"


def test_a_payment_of_another_amount_is_attached_to_nothing_but_can_be_given_back() -> None:
    payment = in_review(amount_minor=1)
    models.FakeCharge.objects.update(state="succeeded", amount_minor=1)
    client, _ = by("review_payment", "refund_payment")

    client.post(url("payment"), {"action": "attach_to_order", "_selected_action": [payment.pk]})
    assert models.Payment.objects.get().state == "review"
    assert not models.Order.objects.exists()
    client.post(url("payment", "refund", payment.pk), {"reason": "wrong amount"})
    services.refund_payments(now=later(1))

    assert models.Payment.objects.get().state == "refunded"
    assert models.FakeCharge.objects.get().state == "refunded"


def test_a_chargeback_that_was_settled_leaves_the_order_paid() -> None:
    payment = paid()
    services.apply_outcome(outcome=outcome_of(payment.pk, PaymentState.REVIEW, reason="chargeback"), now=clock.now())
    client, _ = by("review_payment")
    client.post(url("payment"), {"action": "attach_to_order", "_selected_action": [payment.pk]})
    assert models.Payment.objects.get().state == "succeeded"
    assert models.Order.objects.count() == 1
    assert counters() == (49, 0)


def test_a_parked_event_is_given_up_and_only_a_parked_one() -> None:
    payment = paid()
    services.process_webhooks()
    body, headers = offline().message(outcome_of(payment.pk, amount_minor=1), event_id="evt_odd", at=clock.now())
    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
    client, _ = by("retry_webhook")
    events = list(models.WebhookEvent.objects.values_list("pk", flat=True))

    client.post(url("webhookevent"), {"action": "give_up", "_selected_action": events})

    states = dict(models.WebhookEvent.objects.values_list("event_id", "state"))
    assert states.pop("evt_odd") == "given_up"
    assert set(states.values()) == {"processed"}
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Given up"]
