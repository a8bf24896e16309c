"""What stays of a customer whose account goes, and of what is old: numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from notifications import services
from notifications.models import Abandonment, DiscountGrant, Message, Preference, Suppression, Touch
from shop.accounts.models import Customer
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("is_by_staff", [False, True])
def test_a_deleted_account_takes_along_what_reminders_know_of_it(client: Client, *, is_by_staff: bool) -> None:
    make_sku()
    ada, bob = make_customer("ada@example.com"), make_customer("bob@example.com")
    leave_cart(ada)
    make_campaign()
    assert run() == 1
    restore, unsubscribe = link("c/r"), link("e/u")
    for browser in (Client(), Client()):  # a mail is read on several machines, each with a cart of its own
        browser.get(restore)
        browser.post("/c/restore/")
    assert Touch.objects.filter(kind="restore").exclude(visitor="").count() == 2
    client.get(restore)
    client.post(unsubscribe, {"List-Unsubscribe": "One-Click"})
    for user in (ada, bob):
        services.set_preference(
            user_id=user.pk, email=user.email, is_granted=False, source="preferences page", now=clock.now()
        )
    leave_cart(bob)

    (Customer.objects.get(pk=ada.pk) if is_by_staff else ada).delete()

    event, message = Abandonment.objects.get(), Message.objects.get(kind="recovery")
    assert (event.user_id, event.cooldown_range, event.snapshot) == (None, None, None)
    assert (event.state, event.close_reason) == ("cancelled", "customer_erased")
    assert (message.state, message.recipient, message.recipient_hash, message.shown) == ("sent", "", "", None)
    assert sorted(Touch.objects.values_list("kind", "visitor")) == [("click", ""), ("restore", "")]
    assert not DiscountGrant.objects.filter(user_id__isnull=False).exists()
    assert list(Preference.objects.values_list("user_id", flat=True)) == [bob.pk]
    assert Suppression.objects.count() == 1
    assert client.get(restore).status_code == client.get(unsubscribe).status_code == 404


def test_a_reminder_that_is_due_is_not_sent_to_who_has_gone() -> None:
    make_sku()
    ada = make_customer()
    leave_cart(ada)
    make_campaign()
    services.detect(now=clock.now())
    ada.delete()
    assert services.send_reminders(now=clock.now()) == 0
    assert mail.outbox == []
    assert Message.objects.get(kind="recovery").state == "cancelled"


def test_what_is_old_is_emptied_and_the_counts_stay(client: Client) -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    assert run() == 1
    client.get(link("c/r"))
    now = clock.now()

    assert services.forget_old(now=now + timedelta(days=390)) == 0
    assert services.forget_old(now=now + timedelta(days=400)) == 3
    assert services.forget_old(now=now + timedelta(days=400)) == 0

    event, message = Abandonment.objects.get(), Message.objects.get(kind="recovery")
    assert (event.snapshot, event.user_id is None, event.state) == (None, False, "open")
    assert (message.state, message.recipient, message.recipient_hash, message.shown) == ("sent", "", "", None)
    assert not Touch.objects.exists()
