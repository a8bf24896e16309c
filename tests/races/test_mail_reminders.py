"""Reminders with many detectors, many workers, and a customer who orders at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection
from pytest_django import Settings

from cart import idle
from cart import services as carts
from cart.models import CartRecord
from cart.types import CartRef
from notifications import selectors, services
from notifications.models import Abandonment, Message
from notifications.services import detecting, enrolling, handing, reminding
from shop.checkout import following
from shop.core import clock
from shop.core.db import array_text
from tests.checkout.helpers import ADDRESS, make_sku, pay, start
from tests.checkout.helpers import fill as fill_checkout
from tests.notifications.carts import leave_cart, make_campaign, make_customer
from tests.races.rivals import held_open, meet, running, wait_until_blocked
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

CARTS = 12
WORKERS = 6


def leave_carts() -> None:
    """Let some customers have left carts in a running campaign."""
    make_sku()
    for _ in range(CARTS):
        leave_cart(make_customer())
    make_campaign()


def test_many_detectors_and_workers_make_one_event_and_one_mail_each() -> None:
    leave_carts()
    now = clock.now()

    def work(number: int) -> int:
        services.detect(now=now, is_sweep=bool(number % 2))
        return services.send_reminders(now=now)

    answers = meet(WORKERS, work)
    while services.send_reminders(now=now):
        pass

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Abandonment.objects.count() == Message.objects.count() == CARTS
    assert len(mail.outbox) == CARTS
    assert len({sent.to[0] for sent in mail.outbox}) == CARTS


def test_twin_without_claim_and_mark_mails_many_times(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.NOTIFICATIONS = replace(settings.NOTIFICATIONS, rate_per_domain=0)  # a bucket lets them in one by one
    leave_carts()
    now = clock.now()
    services.detect(now=now)
    claim = handing._CLAIM.replace("FOR NO KEY UPDATE SKIP LOCKED", "")
    claim = claim.replace("(state = 'due' OR (state = 'unknown' AND kind = 'order'))", "state <> 'sent'")
    monkeypatch.setattr(handing, "_CLAIM", claim)
    monkeypatch.setattr(reminding, "_count_due", lambda _now: CARTS)  # also who comes when the others have claimed all
    true_gates = reminding._pass_gates
    all_have_claimed, has_met = threading.Barrier(WORKERS), threading.local()

    def pass_gates(message: Message, token: Any, *others: Any) -> Any:
        if not hasattr(has_met, "once"):
            has_met.once = True
            with suppress(threading.BrokenBarrierError):
                all_have_claimed.wait(PATIENCE_SECONDS)
        Message.objects.filter(pk=message.pk).exclude(state="sent").update(state="claimed", claim_token=token)
        return true_gates(message, token, *others)

    monkeypatch.setattr(reminding, "_pass_gates", pass_gates)
    with trigger_off("message_moves"):
        meet(WORKERS, lambda _: services.send_reminders(now=now))
    assert len(mail.outbox) > CARTS


@contextmanager
def trigger_off(name: str) -> Iterator[None]:
    """Switch a trigger of messages off, for all sessions."""
    trigger = next(one for one in Message._meta.triggers if one.name == name)  # type: ignore[attr-defined]  # pgtrigger's
    try:
        trigger.disable(Message)
        yield
    finally:
        trigger.enable(Message)


def order_of(user_id: int) -> None:
    """Let a customer order what is in the cart."""
    ref = CartRef("u", str(user_id))
    view = fill_checkout(start(ref), ref, email=f"buyer{user_id}@example.com")
    pay(view, ref)


def test_a_worker_waits_for_an_order_that_has_begun_and_then_sees_it() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    make_campaign()
    services.detect(now=clock.now())
    assert ADDRESS["country"] == "GB"
    record = CartRecord.objects.get()

    def convert() -> None:
        """Do to the cart's record what the order's transaction does, which inserts the order before it commits."""
        carts.convert_record(
            ref=CartRef("u", str(user.pk)),
            content_version=record.content_version,
            lines=[],
            order_number="ord_1",
            currency="GBP",
        )
        CartRecord.objects.filter(pk=record.pk).update(state="merged")

    may_begin = threading.Event()

    def work() -> int:
        assert may_begin.wait(PATIENCE_SECONDS)
        return services.send_reminders(now=clock.now())

    with running(work) as worker:
        with held_open(convert):
            may_begin.set()
            wait_until_blocked()
            assert not worker.done()
        assert worker.result(PATIENCE_SECONDS) == 0
    assert Message.objects.get().reason == "cart_gone"
    assert mail.outbox == []


def test_twin_that_reads_the_record_without_its_lock_mails_a_buyer(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    make_campaign()
    services.detect(now=clock.now())
    record = CartRecord.objects.get()
    monkeypatch.setattr(idle, "lock_record", lambda *, record_id: idle._recorded(CartRecord.objects.get(pk=record_id)))
    with held_open(lambda: CartRecord.objects.filter(pk=record.pk).update(state="merged")):
        assert services.send_reminders(now=clock.now()) == 1


def test_a_whole_purchase_between_the_gates_facts_and_the_lock_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    make_campaign()
    services.detect(now=clock.now())
    true_lock = idle.lock_record

    def lock(*, record_id: int) -> Any:
        monkeypatch.setattr(idle, "lock_record", true_lock)
        with running(lambda: order_of(user.pk)) as purchase:
            purchase.result(PATIENCE_SECONDS)
        return true_lock(record_id=record_id)

    monkeypatch.setattr(idle, "lock_record", lock)
    assert services.send_reminders(now=clock.now()) == 0
    assert mail.outbox == []
    message = Message.objects.get(kind="recovery")
    assert message.reason in ("order_since", "cart_empty", "cart_changed")
    hour_ago = clock.now() - timedelta(hours=1)
    assert following.list_buyers_since(pairs=[(user.pk, hour_ago)]) == {user.pk}


def test_the_scan_goes_by_its_index_wherever_it_is() -> None:
    make_sku()
    for _ in range(3):
        leave_cart(make_customer())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cart_cartrecord (owner, user_id, version, content_version, lines, saved, marks, ordered,"
            " units, value_minor, currency, last_activity_at, state)"
            " SELECT 'x:' || n, CASE WHEN n %% 5 = 0 THEN n END, 1, 1, '[]', '[]', '{}', '[]', 1, 100, 'GBP',"
            " now() - n * interval '1 second',"
            " 'active'"
            " FROM generate_series(1000000, 1010000) AS n",
            {},
        )
        cursor.execute("ANALYZE cart_cartrecord")
        now = clock.now()
        params = {"before": now, "since": now - timedelta(days=60), "after_at": now - timedelta(days=12)}
        cursor.execute(f"EXPLAIN {idle.IDLE}", {**params, "after_id": 0, "limit": 100})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "cart_idle_scan" in plan
    assert "Sort" not in plan


def test_what_is_known_of_a_batch_is_looked_up_by_key_and_never_read_whole() -> None:
    campaign = make_campaign()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_abandonment (cart_record_id, content_version, user_id, campaign_id, variant_id,"
            " is_holdout, state, close_reason, abandoned_at, enrolled_at, currency, value_minor, order_number,"
            " order_minor) SELECT n, n, n, %s, 1, false, 'open', '', now(), now(), 'GBP', 1, '', 0"
            " FROM generate_series(1, 20000) AS n",
            [campaign.pk],
        )
        cursor.execute("ANALYZE notifications_abandonment")
        ids = array_text(range(1, 5_001))
        about: dict[str, Any] = {"ids": ids, "versions": ids, "user_ids": ids, "now": clock.now()}
        cursor.execute(f"EXPLAIN {detecting._KNOWN}", about)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert "event_of_customer" in plan.split()


def detect_beside_a_rival(monkeypatch: pytest.MonkeyPatch) -> int:
    """Detect two carts while another detector enrolls one of them between the look-up and the insertion."""
    make_sku()
    users = [make_customer(), make_customer()]
    for user in users:
        leave_cart(user)
    campaign = make_campaign()
    true_wishes = selectors.list_wishes

    def come_first() -> None:
        record = CartRecord.objects.get(user_id=users[0].pk)
        Abandonment.objects.create(
            cart_record_id=record.pk,
            content_version=record.content_version,
            user_id=record.user_id,
            campaign=campaign,
            variant=campaign.variants.get(),
            is_holdout=False,
            abandoned_at=record.last_activity_at,
            enrolled_at=clock.now(),
            currency="GBP",
            value_minor=1,
        )

    def wishes(**given: Any) -> Any:
        with running(come_first) as rival:
            rival.result()
        return true_wishes(**given)

    monkeypatch.setattr(selectors, "list_wishes", wishes)
    return services.detect(now=clock.now())


def test_of_two_detectors_with_the_same_cart_one_enrolls_it_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert detect_beside_a_rival(monkeypatch) == 1
    assert Abandonment.objects.count() == 2
    assert Message.objects.count() == 1


def test_twin_without_a_second_try_that_leaves_out_what_is_there_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolling, "_ENROLL_THE_REST", enrolling._ENROLL)
    with pytest.raises(IntegrityError):
        detect_beside_a_rival(monkeypatch)


def test_a_cart_that_stays_locked_holds_up_no_other_mail() -> None:
    make_sku()
    for _ in range(2):
        leave_cart(make_customer())
    make_campaign()
    services.detect(now=clock.now())
    first = CartRecord.objects.order_by("pk")[0]
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 100")
    with held_open(lambda: CartRecord.objects.filter(pk=first.pk).update(units=2)):
        assert services.send_reminders(now=clock.now()) == 1
    assert Message.objects.get(state="due").reason == "cart_busy"
    assert services.send_reminders(now=clock.now() + timedelta(minutes=2)) == 1
