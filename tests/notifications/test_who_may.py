"""Who may be written to at the moment of sending; a mail speaks their language, and counts in their currency."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from cart import idle
from cart.types import CartLine
from notifications import links, selectors, services
from notifications.models import Abandonment, Message
from notifications.types import Scope
from pricing import services as pricing
from pricing.conf import PricingConf
from shop.accounts.models import User
from shop.checkout import models as checkout
from shop.core import clock
from shop.core.money import Money
from tests.checkout.helpers import make_sku, new_guest, put, set_price, start
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run, the_mail, the_message

pytestmark = pytest.mark.django_db


def suppress(email: str, scope: Scope, *, until: timedelta | None = None) -> None:
    """Let an address get no mails."""
    now = clock.now()
    services.suppress(
        email_hash=links.address_hashes(email)[0],
        scope=scope,
        reason="test",
        source="test",
        now=now,
        expires_at=now + until if until else None,
    )


def sent_to(email: str) -> str:
    """Let somebody have left a cart, and tell how their reminder ended."""
    make_sku()
    leave_cart(make_customer(email))
    make_campaign()
    run()
    message = the_message()
    assert len(mail.outbox) == (message.state == "sent")
    return message.reason or message.state


def lived_in(user: User, country: str) -> None:
    """Let a customer's last checkout, long over, have gone to this country."""
    ref = new_guest()
    put(ref, "MUG", 1)
    checkout_id = start(ref).checkout_id
    long_ago = clock.now() - timedelta(days=90)
    checkout.Checkout.objects.filter(checkout_id=checkout_id).update(
        user_id=user.pk, address={"country": country}, state="cancelled", created_at=long_ago, ended_at=long_ago
    )


@pytest.mark.parametrize(
    ("suppressed", "scope", "until", "strips", "expected"),
    [
        ("ada@example.com", Scope.ALL, None, False, "suppressed"),
        ("ada@example.com", Scope.CART_REMINDER, None, False, "suppressed"),
        (" ADA@Example.COM ", Scope.CART_REMINDER, None, False, "suppressed"),
        ("ada@example.com", Scope.ALL, timedelta(days=1), False, "suppressed"),
        ("ada@example.com", Scope.ALL, timedelta(seconds=-1), False, "sent"),
        ("ada@example.com", Scope.SAVED_NEWS, None, False, "sent"),
        ("ada+shop@example.com", Scope.ALL, None, True, "suppressed"),
        ("ada+shop@example.com", Scope.ALL, None, False, "sent"),
        ("adam@example.com", Scope.ALL, None, False, "sent"),
    ],
)
def test_a_suppressed_address_gets_no_reminder(
    settings: Settings, suppressed: str, scope: Scope, until: timedelta | None, *, strips: bool, expected: str
) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, strip_plus_tags=strips)
    suppress(suppressed, scope, until=until)
    assert sent_to("ada@example.com") == expected


@pytest.mark.parametrize(
    ("policy", "country", "expected"),
    [
        ("opt_out", "DE", "no_consent"),
        ("opt_out", "GB", "sent"),
        ("opt_in", "US", "sent"),
        ("opt_in", "GB", "no_consent"),
    ],
)
def test_the_policy_of_the_country_goes_before_the_shops(
    settings: Settings, policy: str, country: str, expected: str
) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS, consent_policy=policy, country_policy="DE:opt_in,US:opt_out"
    )
    make_sku()
    user = make_customer()
    lived_in(user, country)
    leave_cart(user)
    make_campaign()
    run()
    message = the_message()
    assert (message.reason or message.state) == expected


def opts_out_after_the_claim(monkeypatch: pytest.MonkeyPatch, *, reads_early: bool = False) -> Message:
    """Let a customer opt out while a worker holds their claimed reminder, before the lock; give the reminder then."""
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    make_campaign()
    services.detect(now=clock.now())
    true_lock, true_standing = idle.lock_record, selectors.find_standing
    known: list[Any] = []

    def lock(*, record_id: int) -> Any:
        assert the_message().state == "claimed"
        event_id = the_message().abandonment_id
        hashes = links.address_hashes(user.email)
        known.append(true_standing(user_id=user.pk, hashes=hashes, event_id=event_id, now=clock.now()))
        services.set_preference(user_id=user.pk, email=user.email, is_granted=False, source="test", now=clock.now())
        return true_lock(record_id=record_id)

    monkeypatch.setattr(idle, "lock_record", lock)
    if reads_early:
        monkeypatch.setattr(selectors, "find_standing", lambda **_: known[0])
    services.send_reminders(now=clock.now())
    assert len(known) == 1
    return the_message()


def test_an_opt_out_after_the_claim_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    message = opts_out_after_the_claim(monkeypatch)
    assert (message.state, message.reason) == ("cancelled", "opted_out")
    assert mail.outbox == []


def test_twin_that_asks_before_the_lock_mails_who_opted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opts_out_after_the_claim(monkeypatch, reads_early=True).state == "sent"


@pytest.mark.parametrize("is_holdout", [True, False])
def test_what_is_too_late_is_cancelled_in_every_arm_alike(*, is_holdout: bool) -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign(holdout_bp=5_000)
    services.detect(now=clock.now())
    Abandonment.objects.update(is_holdout=is_holdout)
    services.send_reminders(now=clock.now() + timedelta(hours=6, minutes=1))
    message = the_message()
    assert (message.state, message.reason) == ("cancelled", "late")
    event = Abandonment.objects.get()
    assert (event.state, event.cooldown_range) == ("cancelled", None), "a later change is another episode"


def leave_in(currency: str, minor: int, user: User) -> None:
    """Let a customer have left two mugs at a price in this currency."""
    at = clock.now() - timedelta(hours=2)
    line = CartLine("MUG", 2, Money(minor, currency), at)
    assert idle.put_idle_record(user_id=user.pk, lines=[line], last_activity_at=at, currency=currency)


@pytest.mark.parametrize(
    ("currency", "language", "minor", "total"),
    [
        ("EUR", "de", 123_450, "2.469,00\xa0€"),
        ("EUR", "en-gb", 123_450, "€2,469.00"),
        ("JPY", "de", 12_345, "24.690\xa0¥"),
        ("JPY", "en-gb", 12_345, "JP¥24,690"),
        ("KWD", "en-gb", 1_234_567, "KWD2,469.134"),
        ("KWD", "de", 1_234_567, "2.469,134\xa0KWD"),
    ],
)
def test_a_mail_counts_in_its_carts_currency_and_speaks_its_customers_language(
    settings: Settings, currency: str, language: str, minor: int, total: str
) -> None:
    settings.LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
    settings.PRICING = PricingConf(currency=currency)
    make_sku()
    pricing.set_prices(prices={"MUG": Money(minor, currency)}, valid_from=clock.now() - timedelta(minutes=1))
    leave_in(currency, minor + 100, make_customer(language=language))
    make_campaign()
    assert run() == 1
    for part in (str(the_mail().body), str(the_mail().alternatives[0][0])):
        assert total in part, part
    assert the_mail().message()["Content-Language"] == language
    assert (the_message().shown or {})["currency"] == currency
    leave_in(currency, minor, make_customer())
    assert run() == 1
    assert "Go back to your cart" in str(the_mail().body), "the language of one mail stays out of the next"


def test_a_cart_of_another_currency_than_when_it_was_found_is_left_alone() -> None:
    make_sku()
    leave_in("EUR", 1_000, make_customer())
    make_campaign()
    assert run() == 0
    assert the_message().reason == "currency_changed"


def test_a_price_that_changed_after_the_cart_was_found_is_that_of_the_moment_of_sending() -> None:
    make_sku()
    leave_cart(make_customer(), {"MUG": 1})
    make_campaign()
    services.detect(now=clock.now())
    set_price("MUG", 1_111)
    services.send_reminders(now=clock.now())
    assert "£11.11" in str(the_mail().body)
    assert (the_message().shown or {})["total_minor"] == 1_111
