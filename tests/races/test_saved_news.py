"""News of saved items with several who look for them, and several who send them, at the same moment."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError

from notifications import services
from notifications.models import Message, SavedNews
from notifications.services import saved_news
from tests.checkout.helpers import make_sku, set_price
from tests.notifications.test_saved_news import noon, saver
from tests.races.rivals import meet
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

CUSTOMERS, RIVALS = 6, 4


def save_and_drop() -> None:
    """Let some customers have saved a mug that costs less now."""
    make_sku()
    for number in range(CUSTOMERS):
        saver(f"saver{number}@example.com")
    assert services.find_saved_news(now=noon()) == 0  # makes the place that they share
    set_price("MUG", 900)


def test_each_customer_gets_one_mail_however_many_look_and_send() -> None:
    save_and_drop()
    now = noon()

    def work(_: int) -> int:
        services.find_saved_news(now=now)
        return services.send_saved_news(now=now)

    answers = meet(RIVALS, work)
    while services.find_saved_news(now=now) or services.send_saved_news(now=now):
        pass

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Message.objects.count() == SavedNews.objects.count() == CUSTOMERS
    assert sorted(sent.to[0] for sent in mail.outbox) == [f"saver{number}@example.com" for number in range(CUSTOMERS)]


def test_twin_who_do_not_wait_for_one_another_are_stopped_by_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    save_and_drop()
    monkeypatch.setattr(saved_news, "_TAKE_TURN", "SELECT %s::bigint > 0")
    true_write, all_have_looked, has_met = saved_news._write, threading.Barrier(RIVALS), threading.local()

    def write(user_id: int, found: Any, now: Any) -> None:
        if not hasattr(has_met, "once"):
            has_met.once = True
            with suppress(threading.BrokenBarrierError):
                all_have_looked.wait(PATIENCE_SECONDS)
        true_write(user_id, found, now)

    monkeypatch.setattr(saved_news, "_write", write)
    answers = meet(RIVALS, lambda _: services.find_saved_news(now=noon()))
    assert any(isinstance(answer, IntegrityError) for answer in answers)
    assert Message.objects.count() == SavedNews.objects.count() == CUSTOMERS
