"""Customers' data: given out whole, erased everywhere, and the books stay."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from cart import recorder, selectors, services, store
from cart.errors import CartMergedError, CartsUnavailableError
from cart.models import CartEvent, CartRecord
from cart.services import forgetting
from cart.types import CartRef
from notifications import services as notifications
from notifications.models import MailEvent, Message
from pricing import services as pricing
from pricing.models import DiscountCode, Redemption
from pricing.services import NewPromotion
from pricing.types import ReductionKind
from shop.accounts import services as account_services
from shop.accounts.models import User, WebSession
from shop.checkout.errors import MoneyUnderWayError
from shop.checkout.models import Checkout, IdempotencyRecord, Order, Payment, RefundRequest, WebhookEvent
from shop.core import clock
from shop.personal import services as personal
from shop.personal.errors import CustomerUnknownError
from tests.checkout.helpers import counters, fill, make_sku, new_guest, pay, put, ready, start
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run
from tests.tables import all_rows
from tests.watch.test_groups import make as make_groups

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"
HASH = "5e" * 32
TRACES = ("ada@example", "Lovelace", "12 St James", "SW1Y 4JH", HASH)


def _check_shop() -> str:
    """Say what `check_shop` finds, carts included."""
    out = io.StringIO()
    call_command("check_shop", stdout=out)
    return out.getvalue()


def _left(redis_: redis.Redis) -> tuple[list[str], dict[str, Any]]:
    """Tell which of Ada's traces are left in PostgreSQL, and what Redis holds of customers' carts."""
    text = all_rows()
    held = {name: redis_.hgetall(name) for name in redis_.scan_iter("*u:*") if redis_.type(name) == "hash"}
    return [trace for trace in TRACES if trace in text], held


def _live_a_little() -> tuple[User, str, str]:
    """Let Ada leave her traces everywhere; give her account, her order and the one she made as a guest."""
    make_sku("MUG")
    make_sku("LAMP")
    ada = make_customer(ADA, first_name="Ada", last_name="Lovelace")
    ref = CartRef("u", str(ada.pk))
    leave_cart(ada)
    make_campaign()
    assert run() == 1
    promotion = pricing.add_promotion(
        promotion=NewPromotion("Ten", ReductionKind.PERCENT, 10, valid_from=clock.now(), needs_code=True)
    )
    pricing.issue_codes(promotion_id=promotion, count=1, valid_from=clock.now(), user_id=ada.pk)
    pricing.publish_code(promotion_id=promotion, code="WELCOME10", valid_from=clock.now())
    pricing.set_segment(user_id=ada.pk, segment="trade")
    notifications.set_preference(user_id=ada.pk, email=ADA, is_granted=True, source="page", now=clock.now())
    _, bought = ready(ref)
    number = pay(bought, ref).order_number
    guest = new_guest()
    put(guest, "LAMP")
    services.apply_code(ref=guest, code="WELCOME10", now=clock.now())
    as_guest = fill(start(guest), guest)
    number_as_guest = pay(as_guest, guest).order_number
    notifications.queue_order_mails(now=clock.now())
    assert notifications.dispatch_messages(now=clock.now()) == 2
    MailEvent.objects.create(
        message=Message.objects.get(order_number=number),
        kind="delivered",
        provider="brevo",
        email_hash=HASH,
        at=clock.now(),
        received_at=clock.now(),
        dedupe_key="1",
    )
    put(ref, "LAMP", 3)
    services.set_saved_quantity(ref=ref, sku_id="MUG", quantity=2, now=clock.now())
    fill(start(ref), ref)
    recorder.drain()
    browser = Client()
    browser.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    session = browser.session
    session["checkout_drafts"] = {"chk": {"name": "Ada Lovelace"}}
    session.save()
    IdempotencyRecord.objects.create(
        principal=ref.owner,
        route="POST /x",
        key="k",
        fingerprint="f",
        lease_until=clock.now(),
        created_at=clock.now(),
        body={"email": ADA},
    )
    WebhookEvent.objects.create(
        provider="stripe",
        event_id="evt_1",
        object_id="ch_1",
        state="processed",
        next_try_at=clock.now(),
        received_at=clock.now(),
        body=json.dumps({"payment": Payment.objects.latest("pk").pk, "receipt_email": ADA}),
    )
    assert number
    assert number_as_guest
    return ada, number, number_as_guest


def test_a_customer_is_given_all_and_erased_everywhere_and_the_books_stay(cart_redis: redis.Redis) -> None:
    ada, number, as_guest = _live_a_little()
    person = personal.find_person(who=ADA)
    assert person == personal.find_person(who=f"u:{ada.pk}")

    known = json.loads(json.dumps(personal.export_person(person)))

    assert known["account"]["email"] == ADA
    assert [line["sku_id"] for line in known["cart"]["cart"]] == ["LAMP"]
    assert [line["sku_id"] for line in known["cart"]["saved_for_later"]] == ["MUG"]
    assert {order["number"]: order["address"]["name"] for order in known["orders"]} == {
        number: "Ada Lovelace",
        as_guest: "Ada Lovelace",
    }
    assert known["prices"]["segment"] == "trade"
    assert len(known["prices"]["codes"]) == 1
    assert [wish["wanted"] for wish in known["messages"]["wishes"]] == [True]
    assert {one["mail"] for one in known["messages"]["mails"]} >= {"cart_reminder", "order_confirmation"}
    assert [news["what"] for news in known["messages"]["news_of_mails"]] == ["delivered"]
    assert WebSession.objects.count() == 1
    before = {row.pk: (row.total_minor, row.currency, row.lines.count()) for row in Order.objects.all()}
    assert _left(cart_redis)[0] == list(TRACES)

    assert set(personal.erase_person(person, now=clock.now())) == {number, as_guest}

    traces, held = _left(cart_redis)
    assert traces == []
    assert [fields["@state"] for fields in held.values()] == ["merged"]
    assert {row.pk: (row.total_minor, row.currency, row.lines.count()) for row in Order.objects.all()} == before
    assert {(row.email, str(row.address), row.user_id) for row in Order.objects.all()} == {
        ("", "{'country': 'GB'}", None)
    }
    assert not WebSession.objects.exists()
    assert not CartEvent.objects.filter(owner=f"u:{ada.pk}").exists()
    assert not Checkout.objects.filter(state="open").exists()
    assert counters("LAMP") == (49, 0)
    assert DiscountCode.objects.get(is_personal=True).revoked_at is not None
    assert not Redemption.objects.filter(customer_key__startswith="m:").exists()
    assert _check_shop() == "all is well\n"
    with pytest.raises(CustomerUnknownError):
        personal.find_person(who=ADA)

    # A mail that is made later has nobody to go to, and staff who send one again reach nobody.
    mail.outbox.clear()
    Message.objects.filter(order_number=number).delete()
    notifications.queue_order_mails(now=clock.now())
    notifications.dispatch_messages(now=clock.now())
    assert mail.outbox == []
    assert Message.objects.get(order_number=number).reason == "customer_erased"


@pytest.mark.parametrize("is_guarded", [True, False])
def test_what_is_under_way_brings_no_line_back(
    monkeypatch: pytest.MonkeyPatch, cart_redis: redis.Redis, *, is_guarded: bool
) -> None:
    make_sku("MUG")
    ada = make_customer(ADA)
    ref = CartRef("u", str(ada.pk))
    put(ref, "MUG", 2)
    events: list[Any] = []
    if not is_guarded:  # the twin: what is there is deleted, and that is all
        monkeypatch.setattr(forgetting, "rows", lambda *_: CartRecord.objects.filter(owner=ref.owner).delete())
        monkeypatch.setattr(store, "bury", lambda **_: cart_redis.flushdb(asynchronous=False) or True)
        events = [(name, cart_redis.xrange(name)) for name in cart_redis.scan_iter("cart_events*")]

    personal.erase_person(personal.find_person(who=ADA), now=clock.now())
    _replay(cart_redis, events)

    is_back = CartRecord.objects.exclude(lines=[]).exists()
    assert is_back is not is_guarded
    if is_guarded:
        with pytest.raises(CartMergedError):
            put(ref, "MUG", 1)
        assert selectors.get_cart(ref=ref).lines == ()


def _replay(cart_redis: redis.Redis, events: list[Any]) -> int:
    for name, entries in events:
        for _, fields in entries:
            cart_redis.xadd(name, fields)
    return recorder.drain()


@pytest.mark.parametrize("state", ["processing", "review", "refund_due", "asked"])
def test_while_money_is_under_way_nobody_is_erased(state: str) -> None:
    make_sku("MUG")
    ada = make_customer(ADA)
    ref, view = ready(CartRef("u", str(ada.pk)))
    pay(view, ref)
    if state == "asked":
        RefundRequest.objects.create(
            payment=Payment.objects.get(), reason="broken", asked_by=1, asked_at=clock.now(), needs_second=True
        )
    else:
        Payment.objects.update(state=state)
    before = all_rows()

    with pytest.raises(MoneyUnderWayError):
        personal.erase_person(personal.find_person(who=ADA), now=clock.now())

    assert all_rows() == before


def test_wherever_it_breaks_off_a_repeat_goes_on(monkeypatch: pytest.MonkeyPatch, cart_redis: redis.Redis) -> None:
    ada, _, _ = _live_a_little()

    def fail(**_: object) -> None:
        raise CartsUnavailableError

    for step in (
        *("cart.store.bury", "pricing.services.forget_customer", "notifications.services.forget_order_mails"),
        *("shop.checkout.services.forget_buyer", "shop.accounts.services.delete_account"),
    ):
        with monkeypatch.context() as broken:
            broken.setattr(step, fail)
            with pytest.raises(CartsUnavailableError):
                personal.erase_person(personal.find_person(who=str(ada.pk)), now=clock.now())
        assert not User.objects.get(pk=ada.pk).is_active

    personal.erase_person(personal.find_person(who=str(ada.pk)), now=clock.now())

    assert _left(cart_redis)[0] == []


def test_a_guest_is_one_address_and_an_unconfirmed_account_has_no_guests_orders() -> None:
    make_sku("MUG")
    guest, theirs = ready()
    other = new_guest()
    put(other, "MUG")
    pay(theirs, guest)
    pay(fill(start(other), other, email="bob@example.com"), other)
    make_customer("bob@example.com", is_verified=False)
    User.objects.create_user("boss@example.com", None, is_staff=True)

    assert personal.export_person(personal.find_person(who="bob@example.com"))["orders"] == []
    for nobody in ("eve@example.com", "boss@example.com", "999999", "9" * 30, "a\0@example.com", ""):
        with pytest.raises(CustomerUnknownError):
            personal.find_person(who=nobody)
    out = io.StringIO()
    call_command("export_customer", "ADA@example.com", stdout=out)
    assert [order["email"] for order in json.loads(out.getvalue())["orders"]] == [ADA]

    before = all_rows()
    call_command("erase_customer", ADA, "--dry-run", stdout=out)
    assert all_rows() == before
    call_command("erase_customer", ADA, "--yes", stdout=out)

    assert "1 orders stay" in out.getvalue()
    assert set(Order.objects.values_list("email", flat=True)) == {"", "bob@example.com"}
    with pytest.raises(CommandError):
        call_command("erase_customer", ADA, "--yes")


def _staff(*groups: str) -> Client:
    user = User.objects.create_user(f"{'-'.join(groups)}@example.com", None, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_staff_give_out_and_erase_by_right_and_the_log_says_who(monkeypatch: pytest.MonkeyPatch) -> None:
    make_groups()
    ada = make_customer(ADA)
    path, support = f"/admin/personal/{ada.pk}/", _staff("Support")
    for client in (_staff("Finance"), _staff("Auditor")):
        assert client.get(path).status_code == client.post(path, {"do": "erase"}).status_code == 403
    assert support.get("/admin/personal/999999/").status_code == 404
    assert path in support.get(f"/admin/accounts/customer/{ada.pk}/change/").content.decode()
    assert "Erase for good" in support.get(path).content.decode()

    given = support.post(path, {"do": "export"})
    assert (given.json()["account"]["email"], given["Content-Type"]) == (ADA, "application/json")
    assert "no-store" in given["Cache-Control"]

    erase = {"do": "erase", "reason": "asked by mail", "number": f"u:{ada.pk}"}
    assert support.post(path, erase | {"number": f"u:{ada.pk + 1}"}).status_code == 422
    refusing: Callable[..., Any] = lambda **_: (_ for _ in ()).throw(MoneyUnderWayError)  # noqa: E731
    with monkeypatch.context() as paying:
        paying.setattr("shop.checkout.services.require_settled", refusing)
        answer = support.post(path, erase)
        assert (answer.status_code, "not settled" in answer.content.decode()) == (422, True)
    assert User.objects.filter(pk=ada.pk, is_active=True).exists()

    assert support.post(path, erase).status_code == 302

    assert not User.objects.filter(pk=ada.pk).exists()
    said = list(LogEntry.objects.filter(object_id=str(ada.pk)).order_by("pk").values_list("change_message", flat=True))
    assert said[-2:] == ["Personal data given out", "Erased: asked by mail"]


def test_two_who_erase_the_same_customer_at_once_both_come_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku("MUG")
    ada = make_customer(ADA)
    ref, view = ready(CartRef("u", str(ada.pk)))
    pay(view, ref)
    person = personal.find_person(who=ADA)
    close = account_services.close_account

    def close_second(*, user_id: int) -> None:
        monkeypatch.setattr(account_services, "close_account", close)
        personal.erase_person(person, now=clock.now())
        close(user_id=user_id)

    monkeypatch.setattr(account_services, "close_account", close_second)

    assert len(personal.erase_person(person, now=clock.now())) == 1

    assert not User.objects.filter(pk=ada.pk).exists()
    assert [trace for trace in TRACES if trace in all_rows()] == []
