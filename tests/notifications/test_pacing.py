"""The pace of one receiving domain, and the most reminders of a day."""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from notifications import rules, services
from notifications.models import Abandonment, Message, RateBucket
from notifications.services import limiting
from notifications.services.limiting import Pace
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run
from tests.notifications.helpers import mail_server
from tests.notifications.test_order_mail import use

pytestmark = pytest.mark.django_db


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database's clock stand still for the buckets."""
    stopped = f"timestamptz '{clock.now().isoformat()}'"
    for name in ("_MAKE", "_TAKE", "_TAKE_OF_DOMAIN", "_TAKE_OF_DAY", "_SLOW_DOWN"):
        monkeypatch.setattr(limiting, name, getattr(limiting, name).replace("clock_timestamp()", stopped))


def use_pace(settings: Settings, **given: int) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS, **{"rate_per_second": 100, "dispatch_seconds": 1, **given}
    )


def leave_carts(*domains: str) -> None:
    """Let a customer of each domain have left a cart, in this order."""
    make_sku()
    for number, domain in enumerate(domains):
        leave_cart(make_customer(f"customer{number}@{domain}"), hours=3 - number / 10)
    make_campaign()


def sent_to() -> list[str]:
    return [message.to[0].partition("@")[2] for message in mail.outbox]


def waiting() -> list[Message]:
    return list(Message.objects.filter(state="due").select_related("abandonment").order_by("due_at"))


def test_a_domain_that_gets_enough_waits_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    stop_clock(monkeypatch)
    use_pace(settings, rate_per_domain=2)
    leave_carts(*["big.example"] * 5, "small.example", "Other.Example")
    now = clock.now()
    services.detect(now=now)
    before = {message.pk: message.late_after for message in Message.objects.all()}
    assert services.send_reminders(now=now) == 4
    assert sorted(sent_to()) == ["big.example", "big.example", "other.example", "small.example"]
    held = waiting()
    assert [(message.reason, message.attempts) for message in held] == [("domain_pace", 0)] * 3
    assert [message.due_at - now for message in held] == [timedelta(seconds=one) for one in (1, 1, 1.5)]
    assert all(message.late_after == before[message.pk] for message in held), "waiting makes late"
    assert all(message.claim_token is None for message in held)
    assert limiting.take(wanted=100) == 96, "the tokens of those that wait went back"
    limiting.give_back(unused=96)
    RateBucket._default_manager.filter(key="domain:big.example").update(refilled_at=now - timedelta(hours=1))
    assert services.send_reminders(now=now + timedelta(seconds=2)) == 2, "no burst follows a pause"


def test_twin_without_the_condition_floods_the_domain(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    stop_clock(monkeypatch)
    monkeypatch.setattr(limiting, "_TAKE_OF_DOMAIN", limiting._TAKE_OF_DOMAIN.replace(">= 1", "IS NOT NULL"))
    use_pace(settings, rate_per_domain=2)
    leave_carts(*["big.example"] * 5)
    assert run() == 5


def test_a_pace_of_nought_is_none(settings: Settings) -> None:
    use_pace(settings, rate_per_domain=0)
    leave_carts(*["big.example"] * 5)
    assert run() == 5
    assert not RateBucket._default_manager.exclude(key="reminders").exists()


def test_ghosts_take_of_their_domain_like_mails(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    stop_clock(monkeypatch)
    use_pace(settings, rate_per_domain=2)
    leave_carts(*["big.example"] * 4)
    now = clock.now()
    services.detect(now=now)
    Abandonment.objects.update(is_holdout=True)
    assert services.send_reminders(now=now) == 0
    assert sorted(Message.objects.values_list("state", flat=True)) == ["due", "due", "ghost", "ghost"]


def test_who_waits_longer_than_is_allowed_ends_as_late(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    stop_clock(monkeypatch)
    use_pace(settings, rate_per_domain=1)
    leave_carts(*["big.example"] * 3)
    now = clock.now()
    services.detect(now=now)
    Message.objects.update(late_after=now + timedelta(seconds=1.5))
    assert services.send_reminders(now=now) == 1
    assert [message.due_at - now for message in waiting()] == [timedelta(seconds=1), timedelta(seconds=1.5)]
    first = waiting()[0]
    Message.objects.filter(pk=first.pk).update(late_after=now + timedelta(hours=1))
    assert services.send_reminders(now=now + timedelta(seconds=2)) == 0
    told = Message.objects.values_list("state", "reason")
    assert sorted(told) == [("cancelled", "late"), ("due", "domain_pace"), ("sent", "")]


@pytest.mark.parametrize(
    ("answers", "slowed"),
    [
        ({"recipients": ["421 4.7.28 unusual rate of mail"]}, "domain:big.example"),
        ({"recipients": ["450 4.7.1 try later"]}, "domain:big.example"),
        ({"answers": ["421 too much for big.example, slow down"]}, "domain:big.example"),
        ({"answers": ["421 4.7.0 too many"]}, "reminders"),
        ({"recipients": ["421 too many connections"]}, "reminders"),
    ],
)
def test_what_is_too_much_for_one_domain_slows_down_that_domain(
    settings: Settings, answers: dict[str, list[str]], slowed: str
) -> None:
    use_pace(settings, rate_per_domain=8)
    leave_carts("big.example", "small.example")
    with mail_server() as server:
        for name, said in answers.items():
            setattr(server, name, said)
        use(settings, server)
        sent = run()
        mails = [str(taken["To"]) for taken in server.taken]
    halved = RateBucket._default_manager.filter(halvings__gt=0).values_list("key", "halvings")
    assert list(halved) == [(slowed, 1)]
    if slowed == "reminders":
        assert sent == 0
        return
    assert (sent, mails) == (1, ["customer1@small.example"]), "what goes elsewhere goes on, by a connection of its own"
    (held,) = waiting()
    assert (held.attempts, held.deferrals, held.claim_token) == (0, 1, None)


@pytest.mark.parametrize(
    ("code", "said", "is_of_recipient", "expected"),
    [
        (421, "4.7.28 unusual rate", True, True),
        (550, "5.7.1 never", True, False),
        (451, "4.3.0 disk full", True, False),
        (421, "gmail.com is busy", False, True),
        (421, "4.7.0 <ada@gmail.com>: too much", False, False),
        (421, "notgmail.com is busy", False, False),
        (421, "gmail.com.example is busy", False, False),
        (450, "4.7.650 mail to GMAIL.COM.", False, True),
    ],
)
def test_which_answers_are_about_one_domain(code: int, said: str, *, is_of_recipient: bool, expected: bool) -> None:
    found = rules.slows_domain(code, said, domain="gmail.com", is_of_recipient=is_of_recipient)
    assert found is expected


def test_no_more_go_in_a_day_than_may(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    use_pace(settings, rate_per_domain=0, daily_cap=2)
    leave_carts(*["big.example"] * 2, *["small.example"] * 2)
    now = clock.now()
    services.detect(now=now)
    Message.objects.update(late_after=now + timedelta(days=3))
    assert services.send_reminders(now=now) == 2
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert {(m.reason, m.attempts, m.due_at) for m in waiting()} == {("daily_cap", 0, midnight)}
    RateBucket._default_manager.filter(key="day").update(refilled_at=now - timedelta(days=1))
    assert services.send_reminders(now=midnight) == 2
    assert RateBucket._default_manager.get(key="day").tokens == 2
    monkeypatch.setattr(limiting, "_TAKE_OF_DAY", limiting._TAKE_OF_DAY.replace("< %(cap)s", "IS NOT NULL"))
    assert limiting.take_of_domain(domain="big.example") is Pace.GO, "the twin without the condition"


def test_buckets_of_domains_are_forgotten_and_name_nobody(settings: Settings) -> None:
    use_pace(settings, rate_per_domain=8)
    leave_carts("big.example", f"{'a' * 60}.{'b' * 60}.example")
    assert run() == 2
    limiting.slow_down(domain="slow.example")
    keys = RateBucket._default_manager.filter(key__startswith="domain:").values_list("key", flat=True)
    assert len(keys) == 3
    assert "domain:big.example" in keys
    assert all("@" not in key and "customer" not in key for key in keys)
    now = clock.now()
    services.forget_old(now=now)
    assert keys.count() == 3
    services.forget_old(now=now + timedelta(days=2))
    assert list(RateBucket._default_manager.values_list("key", flat=True)) == ["reminders"]


@pytest.mark.parametrize("given", [{"rate_per_domain": -1}, {"daily_cap": -1}])
def test_impossible_paces_are_refused(settings: Settings, given: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="NOTIFICATIONS_"):
        dataclasses.replace(settings.NOTIFICATIONS, **given)
