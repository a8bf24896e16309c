"""Order mail with many workers: each mail is handed over once."""

from __future__ import annotations

import pytest
from django.core import mail

from notifications import services
from notifications.models import Message
from notifications.services import dispatching, handing
from shop.core import clock
from tests.checkout.helpers import make_sku, new_guest, pay, ready
from tests.races.rivals import meet

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

ORDERS = 6
WORKERS = 8


def order_and_send() -> list[str]:
    """Place orders, let the workers send together; give the Message-IDs that went out."""
    make_sku()
    for _ in range(ORDERS):
        ref, view = ready(new_guest())
        pay(view, ref)
    now = clock.now()

    def work(_: int) -> int:
        services.queue_order_mails(now=now)
        return services.dispatch_messages(now=now)

    meet(WORKERS, work)
    return [sent.extra_headers["Message-ID"] for sent in mail.outbox]


def test_many_workers_send_each_mail_once() -> None:
    sent = order_and_send()
    assert len(sent) == len(set(sent)) == Message.objects.count() == ORDERS
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def test_twin_without_the_claim_sends_mails_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = handing._CLAIM.replace("FOR NO KEY UPDATE SKIP LOCKED", "")
    claim = claim.replace("(state = 'due' OR (state = 'unknown' AND kind = 'order'))", "state <> 'sent'")
    assert claim != handing._CLAIM
    monkeypatch.setattr(handing, "_CLAIM", claim)
    monkeypatch.setattr(dispatching, "_mark_sending", lambda *_: True)
    sent = order_and_send()
    assert len(sent) > len(set(sent))
