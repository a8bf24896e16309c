"""Staff's pages of messages and of mails in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from notifications import mail, services
from notifications.models import Message
from shop.accounts.models import User
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.checkout.test_admin import staff
from tests.notifications.helpers import put_into
from tests.notifications.test_order_mail import order, run

pytestmark = pytest.mark.django_db

MESSAGES = reverse("admin:notifications_message_changelist")
FILES = reverse("admin:notifications_message_files")


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Let mails go to files."""
    settings.EMAIL_BACKEND = mail.BACKEND
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


def test_the_list_costs_the_same_for_one_message_and_for_many() -> None:
    make_sku()
    client = staff()
    counts = []
    for more in (1, 5):
        for _ in range(more):
            order()
        run()
        client.get(MESSAGES)
        with CaptureQueriesContext(connection) as queries:
            text = client.get(MESSAGES).content.decode()
        counts.append(len(queries))
        assert "a***@example.com" in text
    assert counts[0] == counts[1] <= 12


def test_a_sent_message_is_final_in_the_database() -> None:
    make_sku()
    order()
    run()
    with pytest.raises(DatabaseError), transaction.atomic():
        Message.objects.update(state="due")


def test_staff_send_a_failed_message_again_and_it_is_noted() -> None:
    make_sku()
    order()
    services.queue_order_mails(now=clock.now())
    put_into("failed", reason="550")
    ids = list(Message.objects.values_list("pk", flat=True))
    staff("resend_message").post(MESSAGES, {"action": "resend", "_selected_action": ids})
    assert set(Message.objects.values_list("state", flat=True)) == {"due"}
    assert LogEntry.objects.count() == len(ids)


def test_mails_in_files_are_listed_and_shown_to_staff(folder: Path) -> None:
    make_sku()
    number = order()
    run()
    client = staff()
    assert FILES in client.get(MESSAGES).content.decode()
    listed = client.get(FILES).content.decode()
    assert number in listed
    name = mail.list_mails()[0].name
    shown = client.get(reverse("admin:notifications_message_file", args=[name])).content.decode()
    assert "/orders/link/" in shown
    as_read = client.get(reverse("admin:notifications_message_html", args=[name]))
    assert as_read["Content-Security-Policy"].startswith("sandbox")
    assert number in as_read.content.decode()


def test_markup_in_a_mail_is_inert_on_the_page_that_shows_it(folder: Path) -> None:
    message = EmailMultiAlternatives(
        "<b>x</b>", "<script>alert(1)</script>", "a@b.c", ["d@e.f"], connection=get_connection()
    )
    message.send()
    name = mail.list_mails()[0].name
    for page in (FILES, reverse("admin:notifications_message_file", args=[name])):
        text = staff_page(page)
        assert "<script>alert(1)" not in text
        assert "<b>x</b>" not in text


def test_a_mail_is_shown_with_pictures_of_items_and_may_run_nothing(folder: Path, settings: Settings) -> None:
    settings.NOTIFICATIONS = replace(settings.NOTIFICATIONS, link_base_url="https://m.example.com/x")
    message = EmailMultiAlternatives("x", "x", "a@b.c", ["d@e.f"], connection=get_connection())
    message.attach_alternative("<p>x</p>", "text/html")
    message.send()
    answer = staff().get(reverse("admin:notifications_message_html", args=[mail.list_mails()[0].name]))
    policy = answer["Content-Security-Policy"].split("; ")
    assert policy == [
        "sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data: https://m.example.com/x/pictures/",
    ]


def staff_page(page: str) -> str:
    """Read a page as a member of staff."""
    User.objects.all().delete()
    return staff().get(page).content.decode()


@pytest.mark.parametrize("name", ["x.eml", "20260101T000000000000-eml_" + "0" * 24 + ".eml"])
def test_other_names_are_not_found(folder: Path, name: str) -> None:
    assert staff().get(f"{FILES}{name}/").status_code == 404
    assert staff_page_status(f"{FILES}{name}/html/") == 404


def staff_page_status(page: str) -> int:
    """Tell how a page answers a member of staff."""
    User.objects.all().delete()
    return staff().get(page).status_code


def test_where_mails_do_not_go_to_files_there_is_no_such_page() -> None:
    client = staff()
    assert client.get(FILES).status_code == 404
    assert FILES not in client.get(MESSAGES).content.decode()


def test_nobody_but_staff_reads_mails(folder: Path) -> None:
    assert Client().get(FILES).status_code == 302
