"""Order mail: one row an order, at least one mail, the same Message-ID."""

from __future__ import annotations

import re
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.conf import settings as project
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import translation
from pytest_django import Settings

from notifications import services
from notifications.models import Cursor, Message
from shop.checkout import access, models
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import later, make_sku, new_guest, outcome_of, pay, put, ready, start
from tests.checkout.test_outcomes import expire_reservations
from tests.notifications.helpers import MailServer, mail_server, put_into
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db


def order(sku_id: str = "MUG") -> str:
    """Make an order; give its number."""
    ref, view = ready(new_guest(), sku_id=sku_id)
    return pay(view, ref).order_number


def run(seconds: float = 0) -> int:
    """Do what the task does, so many seconds from now."""
    now = later(seconds)
    services.queue_order_mails(now=now)
    return services.dispatch_messages(now=now)


def use(settings: Settings, server: MailServer | None) -> None:
    """Let mails go to a server; None: to a port where nobody listens."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = server.port if server else free_port()
    settings.EMAIL_TIMEOUT = PATIENCE_SECONDS


def part(message: EmailMessage, subtype: str) -> str:
    """Give a part of a mail as text."""
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


def test_an_order_gets_one_mail_however_often_the_task_runs() -> None:
    make_sku()
    number = order()

    assert [run(), run(), run()] == [1, 0, 0]

    (sent,) = mail.outbox
    row = Message.objects.get()
    assert sent.to == ["ada@example.com"]
    assert number in sent.subject
    assert (row.state, row.recipient, row.attempts) == ("sent", "a***@example.com", 1)
    assert sent.extra_headers["Message-ID"] == f"<{row.public_id}@example.com>"


def test_the_link_shows_this_order_and_begins_with_the_shops_own_address() -> None:
    make_sku()
    number, another = order(), order()
    run()

    bodies = [str(sent.body) for sent in mail.outbox]
    links = [re.search(r"(\S+)/orders/link/(\S+)/", body) for body in bodies]
    found = {access.verify_token(token=link.group(2)) for link in links if link}
    assert found == {number, another}
    assert {link.group(1) for link in links if link} == {project.BASE_URL}
    assert models.OrderToken.objects.filter(token_hash__in=[link.group(2) for link in links if link]).count() == 0


def test_markup_in_names_is_inert_in_html_and_plain_in_text() -> None:
    make_sku()
    ref, view = ready()
    models.CheckoutLine.objects.update(title="<b>Mug</b> & {{ 7|add:7 }}")
    pay(view, ref)
    run()

    (sent,) = mail.outbox
    assert isinstance(sent, EmailMultiAlternatives)
    html = str(sent.alternatives[0][0])
    assert "&lt;b&gt;Mug&lt;/b&gt; &amp; {{ 7|add:7 }}" in html
    assert "<b>Mug</b> & {{ 7|add:7 }}" in str(sent.body)


def test_two_orders_long_apart_are_both_found() -> None:
    make_sku()
    order()
    run()
    Cursor.objects.update(position_at=clock.now() - timedelta(days=3))  # as if the task had been off since
    order()

    assert run() == 1
    assert Message.objects.count() == 2


def test_a_refund_of_a_late_payment_is_told() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    payment = pay(view, ref, "slow")
    expire_reservations()
    order()
    from shop.checkout import services as checkout  # noqa: PLC0415 - names clash with those of this app

    checkout.apply_outcome(outcome=outcome_of(payment.payment_id, PaymentState.SUCCEEDED), now=clock.now())

    assert run() == 2
    subjects = sorted(sent.subject for sent in mail.outbox)
    assert subjects[0] == "We are refunding £12.00"


def test_the_mail_is_written_in_the_orders_language_and_the_workers_stays() -> None:
    make_sku()
    ref = new_guest()
    with translation.override("en-gb"):
        put(ref, "MUG")
        start(ref)
        _, view = ready(ref)
    pay(view, ref)
    with translation.override("de"):
        run()
        assert translation.get_language() == "de"
    assert mail.outbox[0].extra_headers["Content-Language"] == "en-gb"


def test_a_server_that_takes_it_ends_the_message(settings: Settings) -> None:
    make_sku()
    order()
    with mail_server() as server:
        use(settings, server)
        assert run() == 1
    (taken,) = server.taken
    assert taken.get_content_type() == "multipart/alternative"
    assert "Thank you" in part(taken, "plain")
    assert "Thank you" in part(taken, "html")
    assert taken["Auto-Submitted"] == "auto-generated"


def test_a_server_that_is_down_costs_no_try_and_the_mail_goes_when_it_is_up(settings: Settings) -> None:
    make_sku()
    order()
    order()
    use(settings, None)

    assert run() == 0

    rows = Message.objects.all()
    assert {(row.state, row.reason, row.attempts, row.deferrals) for row in rows} == {("due", "server_not_there", 0, 1)}
    assert all(row.due_at > clock.now() + timedelta(seconds=5) for row in rows)
    assert run() == 0
    with mail_server() as server:
        use(settings, server)
        assert run(60) == 2
    assert len(set(server.message_ids)) == 2


def test_pauses_grow_while_the_server_stays_down(settings: Settings) -> None:
    make_sku()
    order()
    use(settings, None)
    pauses = []
    for hours in range(8):
        now = later(3_600 * hours)
        services.queue_order_mails(now=now)
        services.dispatch_messages(now=now)
        pauses.append((Message.objects.get().due_at - now).total_seconds())
    assert 12 <= pauses[0] <= 18
    assert 720 <= pauses[-1] <= 1_080
    assert Message.objects.get().attempts == 0


def test_a_refusal_for_good_fails_this_mail_and_the_next_one_goes(settings: Settings) -> None:
    make_sku()
    order()
    order()
    with mail_server() as server:
        server.recipients = ["550 5.1.1 no such mailbox"]
        use(settings, server)
        assert run() == 1
        assert run(86_400) == 0
    failed, sent = Message.objects.order_by("state")
    assert (failed.state, failed.reason) == ("failed", "550 5.1.1 no such mailbox")
    assert sent.state == "sent"


def test_a_refusal_for_now_is_tried_again_later(settings: Settings) -> None:
    make_sku()
    order()
    with mail_server() as server:
        server.answers = ["451 4.3.0 try later"]
        use(settings, server)
        assert run() == 0
        row = Message.objects.get()
        assert (row.state, row.attempts) == ("due", 1)
        assert 40 < (row.due_at - clock.now()).total_seconds() < 80
        assert run(100) == 1
    assert Message.objects.get().state == "sent"


def test_after_five_refusals_for_now_it_is_given_up_and_staff_can_send_it_again(settings: Settings) -> None:
    make_sku()
    order()
    with mail_server() as server:
        server.answers = ["451 later"] * 5
        use(settings, server)
        for hours in range(7):
            run(7_200 * hours)
        row = Message.objects.get()
        assert (row.state, row.attempts) == ("failed", 5)
        assert services.resend(message_id=row.pk, now=clock.now())
        assert run() == 1


@pytest.mark.parametrize("answer", ["drop", "cut"])
def test_a_lost_answer_sends_it_again_under_the_same_message_id(settings: Settings, answer: str) -> None:
    make_sku()
    order()
    with mail_server() as server:
        server.answers = [answer]
        use(settings, server)
        assert run() == 0
        assert Message.objects.get().state == "unknown"
        assert run(100) == 1
    assert len(server.taken) == (2 if answer == "drop" else 1)
    assert len(set(server.message_ids)) == 1


def test_the_connection_is_made_anew_after_it_broke(settings: Settings) -> None:
    make_sku()
    for _ in range(3):
        order()
    with mail_server() as server:
        server.answers = ["cut"]
        use(settings, server)
        assert run() == 2
        assert server.connections == 2


def test_a_server_that_shuts_down_puts_off_the_rest(settings: Settings) -> None:
    make_sku()
    order()
    order()
    with mail_server() as server:
        server.answers = ["421 shutting down"]
        use(settings, server)
        assert run() == 0
    assert {row.state for row in Message.objects.all()} == {"due"}
    assert {row.attempts for row in Message.objects.all()} == {0}


def test_a_worker_that_died_while_sending_sends_again_under_the_same_message_id() -> None:
    make_sku()
    order()
    services.queue_order_mails(now=clock.now())
    token = "00000000-0000-0000-0000-000000000001"
    lease = clock.now() - timedelta(seconds=1)
    put_into("sending", claim_token=token, lease_until=lease, handed_at=clock.now())

    assert run() == 1
    assert mail.outbox[0].extra_headers["Message-ID"].startswith(f"<{Message.objects.get().public_id}@")


def test_a_message_that_another_worker_holds_is_left_alone() -> None:
    make_sku()
    order()
    services.queue_order_mails(now=clock.now())
    token = "00000000-0000-0000-0000-000000000001"
    Message.objects.update(state="claimed", claim_token=token, lease_until=later(60))
    assert run() == 0
    assert mail.outbox == []


def test_one_bad_row_is_parked_with_its_reason_and_the_others_go() -> None:
    make_sku()
    order()
    services.queue_order_mails(now=clock.now())
    Message.objects.update(order_number="ord_" + "0" * 24)
    order()

    assert run() == 2  # the second order's, and the first one's made anew
    assert Message.objects.get(order_number="ord_" + "0" * 24).reason == "render"
