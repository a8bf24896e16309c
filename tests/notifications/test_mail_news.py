"""What a mail provider tells by its webhook, as Postmark documents it, and what its API answers."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from notifications import links, reporting, selectors, services
from notifications.models import Campaign, MailEvent, Message, Suppression
from notifications.rules import breakers
from notifications.types import Scope
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run, the_message
from tests.notifications.helpers import put_into
from tests.ports import free_port
from tests.security.test_logs import logged
from tests.waiting import PATIENCE_SECONDS

__all__ = ["logged"]

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def _provider(settings: Settings) -> None:
    """Let the shop hear from Postmark."""
    settings.MAIL_PROVIDER = "postmark"
    settings.ANYMAIL = {"WEBHOOK_SECRET": "hook:secret"}


def tell(news: dict[str, Any], secret: str = "hook:secret") -> int:
    """Call the webhook as the provider does, and let the task follow; give the status."""
    login = base64.b64encode(secret.encode()).decode()
    client = Client(headers={"Authorization": f"Basic {login}"} if secret else {})
    status = client.post("/hooks/mail/", json.dumps(news), content_type="application/json").status_code
    services.apply_mail_events(now=clock.now())
    return status


def bounce(number: int, message: Message | None = None, *, kind: str = "HardBounce", **changed: Any) -> dict[str, Any]:
    """Write what Postmark tells of a bounce."""
    return {
        "RecordType": "Bounce",
        "ID": number,
        "Type": kind,
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "cart-a-s1",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Metadata": {"mid": message.public_id} if message else {},
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist",
        "Email": ADA,
        "From": "shop@example.com",
        "BouncedAt": clock.now().isoformat(),
        "Inactive": True,
        "Subject": "Your cart is still here",
        **changed,
    }


def complaint(number: int, message: Message | None = None) -> dict[str, Any]:
    """Write what Postmark tells of somebody who pressed “this is spam”."""
    return {**bounce(number, message, kind="SpamComplaint"), "RecordType": "SpamComplaint", "Details": ""}


def delivery(message: Message) -> dict[str, Any]:
    """Write what Postmark tells of a mail that arrived."""
    return {
        "RecordType": "Delivery",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": ADA,
        "DeliveredAt": clock.now().isoformat(),
        "Details": "Test delivery webhook details",
        "Tag": "cart-a-s1",
        "Metadata": {"mid": message.public_id},
    }


def unsubscribed() -> dict[str, Any]:
    """Write what Postmark tells of somebody who unsubscribed on its page."""
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": ADA,
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "Origin": "Recipient",
        "ChangedAt": clock.now().isoformat(),
        "Metadata": {},
    }


def is_suppressed() -> bool:
    """Tell whether Ada gets no reminders."""
    return selectors.is_suppressed(hashes=links.address_hashes(ADA))


def reminded(*, state: str = "sent", email: str = ADA) -> Message:
    """Let somebody have been reminded, however that ended."""
    leave_cart(make_customer(email))
    if not Campaign.objects.exists():
        make_sku()
        make_campaign()
    run()
    message = Message.objects.filter(kind="recovery").latest("pk")
    if state != "sent":
        with_trigger_off(message, state)
    return message


def with_trigger_off(message: Message, state: str) -> None:
    """Write a state over `sent`, which otherwise is final."""
    put_into(state, Message.objects.filter(pk=message.pk), sent_at=None)


@pytest.mark.parametrize(
    ("news", "scope", "reason"),
    [
        (bounce(1), "all", "hard_bounce"),
        (complaint(2), "all", "complaint"),
        (unsubscribed(), "cart_reminder", "unsubscribed"),
        ({**unsubscribed(), "SuppressionReason": "HardBounce"}, "all", "hard_bounce"),
        (bounce(3, kind="BadEmailAddress"), "all", "hard_bounce"),
    ],
)
def test_what_ends_in_a_suppression(news: dict[str, Any], scope: str, reason: str, logged: io.StringIO) -> None:
    assert tell(news) == 200
    assert tell(news) == 200
    row = Suppression.objects.get()
    assert (row.scope, row.reason, row.source, row.expires_at) == (scope, reason, "provider:postmark", None)
    assert is_suppressed()
    assert MailEvent.objects.count() == 1
    assert ADA not in logged.getvalue()


@pytest.mark.parametrize(
    "news",
    [
        bounce(1, kind="Transient"),
        bounce(1, kind="AutoResponder"),
        bounce(1, kind="Blocked"),
        {"RecordType": "Open", "Recipient": ADA, "ReceivedAt": "2026-11-26T12:00:00Z", "MessageID": "1"},
        {**unsubscribed(), "SuppressSending": False},
    ],
)
def test_what_follows_nothing_from(news: dict[str, Any]) -> None:
    assert tell(news) == 200
    assert not MailEvent.objects.exists()
    assert not is_suppressed()


@pytest.mark.parametrize("secret", ["", "hook:wrong", "hook:"])
def test_whoever_does_not_know_the_secret_is_refused(secret: str) -> None:
    assert tell(bounce(1), secret) == 400
    assert not MailEvent.objects.exists()


@pytest.mark.parametrize(("provider", "secret"), [("", "hook:secret"), ("postmark", "")])
def test_without_a_provider_or_a_secret_there_is_no_page(settings: Settings, provider: str, secret: str) -> None:
    settings.MAIL_PROVIDER, settings.ANYMAIL = provider, {"WEBHOOK_SECRET": secret}
    assert tell(bounce(1)) == 404


def test_three_mails_that_bounced_for_now_within_a_week_let_an_address_rest_for_thirty_days() -> None:
    make_sku()
    make_campaign()
    mails = [reminded(email=email) for email in (ADA, "b@example.com", "c@example.com")]
    soft = {"kind": "SoftBounce", "Details": "smtp;452 4.2.2 mailbox full"}
    long_ago = (clock.now() - timedelta(days=8)).isoformat()
    assert tell(bounce(1, mails[0], **soft, BouncedAt=long_ago)) == 200
    for number, message in ((2, mails[1]), (3, mails[1]), (4, mails[2])):  # two tries of one mail count once
        tell(bounce(number, message, **soft))
        assert not Suppression.objects.exists()
    tell(bounce(5, mails[0], **soft))
    row = Suppression.objects.get()
    assert row.expires_at is not None
    assert timedelta(days=29) < row.expires_at - clock.now() <= timedelta(days=30)
    assert is_suppressed()
    Suppression.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert not is_suppressed()


def test_a_hard_bounce_stays_when_soft_ones_follow_and_outlasts_those_before() -> None:
    about: dict[str, Any] = {"email_hash": links.address_hashes(ADA)[0], "scope": Scope.ALL, "source": "x"}
    about["now"] = clock.now()
    until = clock.now() + timedelta(days=1)
    assert services.suppress(**about, reason="soft_bounces", expires_at=until)
    assert not services.suppress(**about, reason="soft_bounces", expires_at=until)
    tell(bounce(1))
    assert not services.suppress(**about, reason="soft_bounces", expires_at=until + timedelta(days=9))
    assert Suppression.objects.get().reason == "hard_bounce"
    assert Suppression.objects.get().expires_at is None


def test_a_mail_of_unknown_fate_that_arrived_was_sent_and_news_wait_for_a_worker_that_holds_it() -> None:
    message = reminded(state="unknown")
    mine = Message.objects.filter(pk=message.pk)
    put_into("sending", mine, claim_token="00000000-0000-0000-0000-000000000001", lease_until=clock.now())
    tell(delivery(message))
    assert the_message().state == "sending"
    Message.objects.filter(pk=message.pk).update(state="unknown", claim_token=None, lease_until=None)
    assert services.apply_mail_events(now=clock.now()) == 1
    message.refresh_from_db()
    assert message.state == "sent"
    assert message.sent_at is not None


def test_news_of_a_mail_that_is_not_ours_or_in_any_order_end_alike() -> None:
    message = reminded()
    unknown = {**bounce(1), "Metadata": {"mid": "msg_" + "0" * 24}}
    assert tell(unknown) == 200
    assert MailEvent.objects.get().message_id is None
    assert is_suppressed(), "the address bounced, whoever wrote to it"
    Suppression.objects.all().delete()
    for news in (complaint(2, message), bounce(3, message), delivery(message), unknown):
        assert tell(news) == 200
    assert MailEvent.objects.filter(message=message).count() == 3
    row = Suppression.objects.get()
    assert (row.scope, row.reason) == ("all", "complaint"), "what came first stays"
    assert the_message().state == "sent"


def test_far_too_many_complaints_pause_all_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "ENOUGH", 3)
    mails = [reminded(email=f"{number}@example.com") for number in range(4)]
    make_campaign("other", priority=200)
    for number, message in enumerate(mails[:2]):
        tell(complaint(number, message))
    assert services.watch_campaigns(now=clock.now()) == (), "two may be chance"
    tell(complaint(9, mails[2]))
    assert services.watch_campaigns(now=clock.now()) == ("cart", "other")
    assert {one.pause_reason for one in Campaign.objects.all()} == {"complained: 3 of the last 4 of all campaigns"}
    assert breakers.trouble_everywhere(6, 2_000) == ""
    assert breakers.trouble_everywhere(7, 2_000)


def test_many_complaints_pause_the_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "ENOUGH", 3)
    mails = [reminded(email=f"{number}@example.com") for number in range(3)]
    for number, message in enumerate(mails[:2]):
        tell(complaint(number, message))
        tell(complaint(number + 10, message))
    assert services.watch_campaigns(now=clock.now()) == ()
    tell(complaint(9, mails[2]))
    assert services.watch_campaigns(now=clock.now()) == ("cart",)
    assert Campaign.objects.get().pause_reason.startswith("complained: 3")
    tell(delivery(mails[0]))
    arm = reporting.report(campaign=Campaign.objects.get(), now=clock.now()).arms[1]
    assert (arm.delivered, arm.bounced, arm.complained) == (1, 0, 3)


INACTIVE = (
    f"You tried to send to a recipient that has been marked as inactive.\nFound inactive addresses: {ADA}.\n"
    "Inactive recipients are ones that have generated a hard bounce or a spam complaint."
)


class _Api(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Any = self.server
        server.asked.append(asked)
        answers = {
            200: {"ErrorCode": 0, "MessageID": "1", "To": asked["To"], "Message": "OK"},
            422: {"ErrorCode": 406, "Message": INACTIVE},
        }
        body = json.dumps(answers.get(server.status, {"ErrorCode": 1, "Message": f"{ADA}: no"})).encode()
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def api() -> Iterator[Any]:
    """Run a mail provider's API on the loopback: `status` is what it answers next, `asked` what it was asked."""
    with HTTPServer(("127.0.0.1", 0), _Api) as server:
        running: Any = server
        running.asked, running.status = [], 200
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def send_by(settings: Settings, port: int) -> None:
    """Let mails go by the provider's API on this port."""
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {
        "POSTMARK_SERVER_TOKEN": "token",
        "POSTMARK_API_URL": f"http://127.0.0.1:{port}/",
        "REQUESTS_TIMEOUT": PATIENCE_SECONDS,
    }


def test_by_the_providers_api_each_answer_means_what_it_means(settings: Settings, logged: io.StringIO) -> None:
    make_sku()
    make_campaign()
    ends: dict[int, tuple[str, str]] = {}
    with api() as server:
        send_by(settings, server.server_address[1])
        for status in (200, 422, 400, 500, 429):
            leave_cart(make_customer(ADA if status == 422 else ""))
            server.status = status
            run()
            message = Message.objects.latest("pk")
            ends[status] = (message.state, message.reason.partition(" ")[0])
    first = server.asked[0]
    assert first["Metadata"] == {"mid": Message.objects.earliest("pk").public_id}
    assert (first["Tag"], first["TrackOpens"], first["TrackLinks"]) == ("cart-a-s1", False, "None")
    assert ends == {
        200: ("sent", ""),
        422: ("failed", "AnymailRecipientsRefused"),
        400: ("failed", "400"),
        500: ("unknown", "500"),
        429: ("due", "server_not_there"),
    }
    assert Message.objects.latest("pk").attempts == 0
    assert ADA not in logged.getvalue()
    assert ADA not in "".join(Message.objects.values_list("reason", flat=True))


def test_a_provider_that_cannot_be_reached_costs_no_try_and_a_lost_answer_leaves_it_unknown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_by(settings, free_port())
    make_sku()
    make_campaign()
    leave_cart(make_customer())
    assert run() == 0
    message = the_message()
    assert (message.state, message.attempts) == ("due", 0)
    with api() as server:
        send_by(settings, server.server_address[1])
        monkeypatch.setattr(_Api, "do_POST", lambda self: self.connection.close())
        run(3_600)
    assert the_message().state == "unknown"


def test_news_from_before_is_not_from_the_future() -> None:
    tell(bounce(1, BouncedAt="2999-01-01T00:00:00Z"))
    assert MailEvent.objects.get().at <= datetime.now(tz=clock.now().tzinfo)
