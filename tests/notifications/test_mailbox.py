"""Opting out by a mail: the provider passes it on, as Postmark documents it, and the address alone says whose it is."""

from __future__ import annotations

import base64
import dataclasses
import hmac
import json
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from notifications import links, reporting, selectors, services
from notifications.conf import NotificationsConf
from notifications.links import Purpose
from notifications.models import Abandonment, Campaign, MailEvent, Message, Preference, Suppression
from shop.accounts.models import User
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run, the_mail, the_message

pytestmark = pytest.mark.django_db

DOMAIN = "mail.shop-of-thirty-chars.test"


@pytest.fixture(autouse=True)
def _mailbox(settings: Settings) -> None:
    """Let the provider read a mailbox, whose domain is as long as can be."""
    assert len(DOMAIN) == 30
    settings.MAIL_PROVIDER = "postmark"
    settings.ANYMAIL = {"WEBHOOK_SECRET": "hook:secret"}
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, unsubscribe_mailbox=DOMAIN)


@pytest.fixture
def ada() -> User:
    """Let a customer have been reminded."""
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    make_campaign()
    assert run() == 1
    return user


def urls() -> list[str]:
    """Read the ways out from the mail's header as it goes over the wire."""
    mail = message_from_bytes(the_mail().message().as_bytes(), policy=policy.default)
    return [url.strip(" <>") for url in str(mail["List-Unsubscribe"]).split(",")]


def address() -> str:
    """Give the address that opts out."""
    return urls()[1].removeprefix("mailto:")


def receive(to: str, *, number: str = "1", secret: str = "hook:secret", header: str = "") -> int:
    """Pass a mail on as the provider does, and let the task follow; give the status."""
    mail: dict[str, Any] = {
        "FromName": "Somebody",
        "From": "somebody@else.example",
        "FromFull": {"Email": "somebody@else.example", "Name": "Somebody", "MailboxHash": ""},
        "To": header or to,
        "ToFull": [{"Email": header, "Name": "", "MailboxHash": ""}] if header else [],
        "Cc": "",
        "CcFull": [],
        "Bcc": "",
        "BccFull": [],
        "OriginalRecipient": to,
        "Subject": "unsubscribe",
        "MessageID": f"73e6d360-66eb-11e1-8e72-{number}",
        "Date": "Thu, 5 Apr 2026 16:59:01 +0200",
        "TextBody": "",
        "HtmlBody": "",
        "Tag": "",
        "Headers": [{"Name": "Message-ID", "Value": f"<{number}@else.example>"}],
        "Attachments": [],
    }
    login = base64.b64encode(secret.encode()).decode()
    client = Client(headers={"Authorization": f"Basic {login}"})
    status = client.post("/hooks/mail/inbound/", json.dumps(mail), content_type="application/json").status_code
    services.apply_mail_events(now=clock.now())
    return status


def is_suppressed() -> bool:
    """Tell whether Ada gets no reminders."""
    return selectors.is_suppressed(hashes=links.address_hashes("ada@example.com"))


def test_a_mail_to_the_address_in_the_header_opts_out_once_however_often_it_is_told(ada: User) -> None:
    for _ in range(2):
        assert receive(address()) == 200
    row = Suppression.objects.get()
    assert (row.scope, row.reason, row.source) == ("cart_reminder", "unsubscribed", "provider:postmark")
    assert is_suppressed()
    event = MailEvent.objects.get()
    assert (event.kind, event.message_id) == ("unsubscribed", the_message().pk)
    assert reporting.report(campaign=Campaign.objects.get(), now=clock.now()).arms[1].opted_out == 1


@pytest.mark.parametrize("where", ["envelope", "header"])
def test_it_is_read_in_any_case_from_the_envelope_or_the_header(ada: User, where: str) -> None:
    local, _, domain = address().partition("@")
    written = f"{local.upper()}@{domain.title()}"
    assert receive(written if where == "envelope" else "all@" + DOMAIN, header=written) == 200
    assert is_suppressed()


def test_whoever_opts_in_again_can_opt_out_again_by_the_same_mail(ada: User) -> None:
    receive(address())
    services.set_preference(user_id=ada.pk, email=ada.email, is_granted=True, source="test", now=clock.now())
    receive(address())
    assert not is_suppressed(), "the same mail, told once more"
    receive(address(), number="2")
    assert is_suppressed()


def test_an_altered_address_another_domain_or_another_links_token_opt_nobody_out(ada: User) -> None:
    good = address()
    local = good.partition("@")[0]
    for place in range(2, len(local)):
        other = "b" if local[place] != "b" else "c"
        assert links.read_mailbox(f"{local[:place]}{other}{local[place + 1 :]}@{DOMAIN}") is None, place
    spellings = [links.read_mailbox(f"{local[:-1]}{last}@{DOMAIN}") for last in "abcdefghijklmnopqrstuvwxyz234567"]
    assert len([found for found in spellings if found]) == 1
    link_id = links.new_link(the_message().public_id)
    token = links.token(Purpose.UNSUBSCRIBE, link_id)
    for to in (good[1:], local + "a@" + DOMAIN, f"{local}@elsewhere.test", f"u-{token}@{DOMAIN}"):
        assert receive(to) == 200
    forged = hmac.digest(links.derived_keys(Purpose.UNSUBSCRIBE)[0], link_id, "sha256")[:5]
    spelled = base64.b32encode(link_id + forged).decode().rstrip("=").lower()
    assert receive(f"u-{spelled}@{DOMAIN}") == 200
    assert [links.read_mailbox(to) for to in ("", "@", "ä@ö", "u-@" + DOMAIN)] == [None] * 4
    assert not MailEvent.objects.exists()
    assert not is_suppressed()


def test_the_address_outlives_a_new_key_while_the_old_one_is_kept(ada: User, settings: Settings) -> None:
    good = address()
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new")
    assert links.read_mailbox(good) is None
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new,offline-links")
    assert links.read_mailbox(good) == the_message().link_hash


def test_both_urls_are_whole_and_short_on_the_wire(ada: User, settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_base_url="https://" + "a" * 27)
    leave_cart(make_customer())
    run()
    raw = the_mail().message().as_bytes()
    modern = message_from_bytes(raw, policy=policy.SMTP).as_bytes()
    found = urls()
    assert [len(url) for url in found] == [74, 74]
    for sent in (raw, modern):
        header = sent.partition(b"List-Unsubscribe: ")[2].partition(b"List-Unsubscribe-Post")[0]
        assert b"=?" not in header
        for url in found:
            assert f"<{url}>".encode() in header
    assert not [found for found in run_checks() if found.id]


def test_a_domain_that_is_too_long_stops_the_start(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, unsubscribe_mailbox="x" + DOMAIN)
    (error,) = (found for found in run_checks() if found.id)
    assert error.id == "notifications.E001"
    assert "NOTIFICATIONS_UNSUBSCRIBE_MAILBOX" in error.msg
    assert "1 characters too long" in error.msg


@pytest.mark.parametrize(
    ("provider", "secret"), [("", "hook:secret"), ("postmark", ""), ("unisender_go", "hook:secret")]
)
def test_a_mailbox_that_nobody_reads_stops_the_start(settings: Settings, provider: str, secret: str) -> None:
    assert not [found for found in run_checks() if found.id]
    settings.MAIL_PROVIDER, settings.ANYMAIL = provider, {"WEBHOOK_SECRET": secret}
    assert [found.id for found in run_checks() if found.id] == ["notifications.E002"]
    assert receive("x@" + DOMAIN) == 404


@pytest.mark.parametrize("domain", ["example", "u@example.com", "mail.example.com>", "-a.example", "a b.example"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NOTIFICATIONS_UNSUBSCRIBE_MAILBOX"):
        NotificationsConf(unsubscribe_mailbox=domain)


def test_without_a_mailbox_the_header_names_none_and_there_is_no_page(settings: Settings, ada: User) -> None:
    good = address()
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, unsubscribe_mailbox="")
    assert receive(good) == 404
    leave_cart(make_customer())
    run()
    assert len(urls()) == 1


def test_whoever_does_not_know_the_secret_is_refused(ada: User) -> None:
    assert receive(address(), secret="hook:wrong") == 400
    assert not MailEvent.objects.exists()


@pytest.mark.parametrize("way", ["link", "mail"])
def test_an_opt_out_of_a_mail_whose_address_is_forgotten_turns_off_its_customers_reminders(ada: User, way: str) -> None:
    by_mail, by_link = address(), link("e/u")
    services.forget_old(now=clock.now() + timedelta(days=500))
    assert Message.objects.get(kind="recovery").recipient_hash == ""

    for number in ("1", "2"):
        if way == "mail":
            receive(by_mail, number=number)
        else:
            Client().post(by_link, {"List-Unsubscribe": "One-Click"})

    assert not Suppression.objects.exists()
    said = Preference.objects.get()
    assert (said.user_id, said.topic, said.is_granted) == (ada.pk, "cart_reminder", False)
    assert not selectors.wants_reminders(user_id=ada.pk, email=ada.email)


def test_an_opt_out_that_can_reach_nobody_says_so(ada: User) -> None:
    by_link = link("e/u")
    services.forget_old(now=clock.now() + timedelta(days=500))
    Abandonment.objects.update(user_id=None, cooldown_range=None)
    assert receive(address()) == 200
    assert Client().post(by_link, {"List-Unsubscribe": "One-Click"}).status_code == 404
    assert not Preference.objects.exists()
    assert not Suppression.objects.exists()


def test_news_of_an_erased_customers_mail_suppress_nobody(ada: User) -> None:
    good = address()
    links_hash = the_message().link_hash
    services.note_mailed_opt_out(provider="postmark", recipients=[good], event_id="1", now=clock.now())
    assert links.read_mailbox(good) == links_hash
    ada.delete()
    assert services.apply_mail_events(now=clock.now()) == 1
    assert receive(good, number="2") == 200
    assert not Suppression.objects.exists()
    assert not Preference.objects.exists()
