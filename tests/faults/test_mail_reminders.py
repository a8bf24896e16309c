"""Reminders when the mail server, a worker, Redis or the clock fails: at most one mail, and never a storm."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as settings_of_project
from django.core import mail
from pytest_django import Settings

from notifications import links, services
from notifications.models import Abandonment, Message, Step, Suppression
from notifications.services import detecting, reminders
from notifications.types import Letter
from shop.catalog.models import Product
from shop.celery import app
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.conftest import RunProcess
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run, the_message
from tests.notifications.helpers import mail_server
from tests.notifications.test_order_mail import use

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

SEND_AND_DIE = """
import os, signal
import django
django.setup()
from django.conf import settings
settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", {port}
from notifications import services
from notifications.services import handing
from shop.core import clock
handing.move = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
services.send_reminders(now=clock.now())
"""


@pytest.fixture(autouse=True)
def _shop() -> None:
    """Let one customer have left a cart in a running campaign."""
    make_sku()
    leave_cart(make_customer("ada@example.com"))
    make_campaign()


def expire_leases() -> None:
    """Let every lease be over."""
    Message.objects.filter(lease_until__isnull=False).update(lease_until=clock.now() - timedelta(seconds=1))


def test_killed_after_the_servers_250_the_reminder_stays_unknown_and_goes_no_second_time(
    run_process: RunProcess,
) -> None:
    services.detect(now=clock.now())
    with mail_server() as server:
        with run_process([sys.executable, "-c", SEND_AND_DIE.format(port=server.port)]) as process:
            assert process.wait() in (-9, 137), process.output()
        assert len(server.taken) == 1
        assert the_message().state == "sending"
        expire_leases()
        assert run() == run(3_600) == 0
        assert len(server.taken) == 1
    message = the_message()
    assert (message.state, message.reason) == ("unknown", "worker_lost")


@pytest.mark.parametrize("answer", ["drop", "cut"])
def test_a_lost_answer_leaves_it_unknown_and_only_staff_send_it_again(settings: Settings, answer: str) -> None:
    with mail_server() as server:
        server.answers = [answer]
        use(settings, server)
        assert run() == 0
        assert run(7_200) == 0
        message = the_message()
        assert message.state == "unknown"
        assert services.resend(message_id=message.pk, now=clock.now())
        assert run() == 1
        assert server.message_ids[-1] == f"<{message.public_id}@example.com>"


def test_killed_before_the_gates_another_worker_takes_it_over(settings: Settings) -> None:
    services.detect(now=clock.now())
    Message.objects.update(
        state="claimed", claim_token="00000000-0000-0000-0000-000000000001", lease_until=clock.now(), attempts=1
    )
    expire_leases()
    assert run() == 1


def test_a_server_down_for_hours_costs_no_try_and_brings_no_storm_of_late_mails(settings: Settings) -> None:
    use(settings, None)
    assert run() == 0
    message = the_message()
    assert (message.state, message.reason, message.attempts, message.deferrals) == ("due", "server_not_there", 0, 1)
    assert Abandonment.objects.get().cooldown_range is None
    with mail_server() as server:
        use(settings, server)
        assert run(7 * 3_600) == 0
        assert server.taken == []
    assert the_message().reason == "late"


def test_a_dead_mailbox_is_suppressed_and_the_others_go(settings: Settings) -> None:
    leave_cart(make_customer("mary@example.com"))
    with mail_server() as server:
        server.recipients = ["550 5.1.1 no such mailbox"]
        use(settings, server)
        assert run() == 1
    failed = Message.objects.get(state="failed")
    row = Suppression.objects.get()
    assert (row.email_hash, row.scope, row.reason) == (failed.recipient_hash, "all", "dead_mailbox")
    assert row.email_hash in {*links.address_hashes("ada@example.com"), *links.address_hashes("mary@example.com")}


def test_a_refusal_that_is_no_dead_mailbox_suppresses_nobody(settings: Settings) -> None:
    with mail_server() as server:
        server.recipients = ["554 5.7.1 rejected as spam"]
        use(settings, server)
        assert run() == 0
    assert the_message().state == "failed"
    assert not Suppression.objects.exists()


def test_a_line_break_in_a_name_is_inert_and_a_mail_that_cannot_be_rendered_is_parked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Product.objects.update(title="Mug\nBcc: everybody@example.com")
    leave_cart(make_customer())
    true_letter = reminders.letter

    def letter(**given: object) -> object:
        if given["contact"].email == "ada@example.com":  # type: ignore[attr-defined]
            raise RuntimeError
        return true_letter(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(reminders, "letter", letter)
    assert run() == 1
    (sent,) = mail.outbox
    assert "\n" not in sent.subject
    assert sent.recipients() == sent.to
    assert Message.objects.get(state="failed").reason == "render"


def test_while_redis_is_away_nobody_is_mailed(settings: Settings) -> None:
    services.detect(now=clock.now())
    settings.CART = dataclasses.replace(settings.CART, redis_url="redis://127.0.0.1:1/0")
    assert run() == 0
    assert the_message().state == "due"
    assert Step.objects.count() == 1


def test_while_the_recorder_is_behind_nobody_is_enrolled_or_mailed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detecting, "LAG_SECONDS", -1)
    assert run() == 0
    assert not Abandonment.objects.exists()


def test_each_recipient_of_a_batch_has_an_outcome_of_its_own_and_a_slow_server_holds_up_nobody_for_long(
    settings: Settings,
) -> None:
    for _ in range(4):
        leave_cart(make_customer())
    with mail_server() as server:
        server.recipients = ["550 5.7.1 no", "250 ok", "451 4.2.0 later"]
        server.answers = ["250 ok", "hang"]
        use(settings, server)
        settings.EMAIL_TIMEOUT = 3
        assert run() == 2
    states = [(message.state, message.reason[:3]) for message in Message.objects.order_by("id")]
    assert states == [("failed", "550"), ("sent", ""), ("due", "451"), ("unknown", "SMT"), ("sent", "")]


@pytest.mark.parametrize("field", ["subject", "recipient"])
def test_a_line_break_in_a_header_parks_its_mail_in_the_middle_of_a_batch(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    users = [make_customer() for _ in range(2)]
    for user in users:
        leave_cart(user)
    true_letter = reminders.letter

    def letter(**given: Any) -> Letter:
        made = true_letter(**given)
        bad: dict[str, Any] = {field: f"{getattr(made, field)}\nBcc: everybody@example.com"}
        return dataclasses.replace(made, **bad)

    services.detect(now=clock.now())
    middle = Message.objects.order_by("due_at", "id")[1]

    def broken(**given: Any) -> Letter:
        return letter(**given) if given["message"].pk == middle.pk else true_letter(**given)

    monkeypatch.setattr(reminders, "letter", broken)
    assert run() == 2
    middle.refresh_from_db()
    assert (middle.state, middle.reason) == ("failed", "render")
    assert [len(sent.recipients()) for sent in mail.outbox] == [1, 1]


def test_every_task_takes_arguments_of_a_version_that_it_does_not_know() -> None:
    app.loader.import_default_modules()
    wakes = [app.tasks[entry["task"]] for entry in settings_of_project.CELERY_BEAT_SCHEDULE.values()]
    assert len(wakes) > 10
    for task in wakes:
        kinds = {parameter.kind for parameter in inspect.signature(task.run).parameters.values()}
        assert kinds == {inspect.Parameter.VAR_KEYWORD}, task.name
