"""Who saved something for later and asked for it is told once when it costs less or is back, and never untruly."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime, time, timedelta

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from cart import recorder
from cart import services as carts
from cart.types import CartRef
from inventory import selectors as stock
from inventory import services as inventory
from inventory.types import StockDemand, StockReason
from notifications import selectors, services
from notifications.models import Message, SavedNews, Suppression
from notifications.services import saved_news
from notifications.types import Topic
from pricing import services as pricing
from shop.accounts.models import User
from shop.catalog.models import Sku
from shop.core import clock
from shop.core.money import Money
from tests.checkout.helpers import make_sku, set_price
from tests.notifications.carts import HOUR, link, make_customer, the_mail
from tests.notifications.helpers import put_into

pytestmark = pytest.mark.django_db

PREFERENCES = reverse("notifications:preferences")
BOTH = (Topic.PRICE_DROP, Topic.BACK_IN_STOCK)


def noon(days: int = 0) -> datetime:
    """Give the next noon, when nobody sleeps; so many days after it."""
    now = clock.now()
    today = datetime.combine(now.date(), time(12), tzinfo=now.tzinfo)
    return today + timedelta(days=days + (today < now))


def want(user: User, *topics: Topic, is_granted: bool = True) -> None:
    """Let a customer say yes, or no."""
    for topic in topics:
        services.set_preference(
            user_id=user.pk, email=user.email, is_granted=is_granted, source="test", now=clock.now(), topic=topic
        )


def save(user: User, sku_id: str = "MUG") -> None:
    """Let a customer save an item for later, and let that be recorded."""
    ref = CartRef("u", str(user.pk))
    carts.add_line(ref=ref, sku_id=sku_id, quantity=1, now=clock.now())
    carts.save_line(ref=ref, sku_id=sku_id, now=clock.now())
    recorder.drain()


def saver(email: str = "ada@example.com", *topics: Topic) -> User:
    """Give a customer who saved the mug at £12.00 and wants to be told."""
    user = make_customer(email)
    want(user, *(topics or BOTH))
    save(user)
    return user


def run(days: int = 0) -> int:
    """Find and send at noon; tell how many mails went."""
    services.find_saved_news(now=noon(days))
    return services.send_saved_news(now=noon(days))


def away(sku_id: str = "MUG") -> None:
    """Take all units of a SKU away."""
    left = stock.availability(sku_ids=[sku_id])[sku_id].on_hand
    inventory.adjust(sku_id=sku_id, delta=-left, reason=StockReason.LOST, by=None)


def back(sku_id: str = "MUG", units: int = 5) -> None:
    """Bring units of a SKU."""
    inventory.adjust(sku_id=sku_id, delta=units, reason=StockReason.RECEIVED, by=None)


def the_message() -> Message:
    """Give the only news there is."""
    return Message.objects.get(kind="saved")


# ---------------------------------------------------------------- what is told


def test_a_lower_price_is_told_once_with_both_prices_and_one_click_to_end_it() -> None:
    make_sku()
    saver()
    assert run() == 0
    set_price("MUG", 1_000)

    assert [run(), run(), run(days=3)] == [1, 0, 0]

    sent = the_mail()
    assert sent.to == ["ada@example.com"]
    assert sent.subject == "Costs less now: Enamel mug, MUG"
    html = str(sent.alternatives[0][0])
    for text in (str(sent.body), html):
        assert "£10.00" in text
        assert "It costs £2.00 less than when you saved it." in text
        assert "Back in stock" not in text
        assert "http://testserver/p/enamel-mug/?sku=MUG" in text
    assert sent.extra_headers["List-Unsubscribe"] == f"<http://testserver{link('e/u')}>"
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent.extra_headers["List-Id"] == "Saved items <saved-items.example.com>"
    message = the_message()
    assert (message.state, message.recipient) == ("sent", "a***@example.com")


@pytest.mark.parametrize(("price", "is_told"), [(1_140, True), (1_141, False), (1_300, False)])
def test_less_than_five_per_cent_is_no_news(price: int, is_told: bool) -> None:  # noqa: FBT001
    make_sku()
    saver()
    set_price("MUG", price)
    assert run() == is_told


def test_a_price_is_told_again_only_when_it_is_lower_than_what_was_told() -> None:
    make_sku()
    saver()
    set_price("MUG", 1_000)
    assert run() == 1
    set_price("MUG", 1_200)
    assert run(days=2) == 0
    set_price("MUG", 1_000)
    assert run(days=4) == 0
    set_price("MUG", 900)
    assert run(days=6) == 1
    assert "It costs £3.00 less" in str(the_mail().body)


def test_an_item_that_was_sold_out_is_told_when_it_is_back_and_once_for_each_time() -> None:
    make_sku()
    saver()
    away()
    assert run() == 0
    back()

    assert [run(days=1), run(days=3)] == [1, 0]
    assert the_mail().subject == "Back in stock: Enamel mug, MUG"
    assert "Back in stock." in str(the_mail().body)
    away()
    assert run(days=4) == 0
    back()
    assert run(days=5) == 1


def test_units_that_others_reserve_for_a_while_are_no_news_when_they_come_back() -> None:
    make_sku(on_hand=1)
    saver()
    held = inventory.reserve(owner="someone", demands=[StockDemand("MUG", 1)])
    assert run() == 0
    inventory.release(reservation_id=held.reservation_id, cause="test")
    assert run(days=1) == 0


def test_what_came_back_a_week_ago_is_no_news() -> None:
    make_sku()
    user = saver()
    want(user, *BOTH, is_granted=False)
    other = make_customer()
    want(other, Topic.BACK_IN_STOCK)
    save(other)
    away()
    assert run() == 0
    back()
    assert run(days=1) == 1  # the other one's
    want(user, *BOTH)
    assert run(days=9) == 0


def test_all_that_is_new_by_then_comes_in_one_mail_and_no_second_one_within_a_day() -> None:
    make_sku()
    make_sku("BOWL", price=2_000)
    user = saver()
    save(user, "BOWL")
    away("BOWL")
    assert run() == 0
    back("BOWL")
    set_price("MUG", 900)
    assert run() == 1
    assert the_mail().subject == "News of 2 items that you saved"
    assert SavedNews.objects.count() == 2

    set_price("BOWL", 1_000)
    services.find_saved_news(now=noon() + 23 * HOUR)
    assert Message.objects.count() == 1
    assert run(days=1) == 1


def test_only_who_said_yes_is_told_and_of_that_topic_only() -> None:
    make_sku()
    nobody = make_customer("nobody@example.com")
    save(nobody)
    saver("price@example.com", Topic.PRICE_DROP)
    saver("stock@example.com", Topic.BACK_IN_STOCK)
    set_price("MUG", 600)
    assert run() == 1
    assert the_mail().to == ["price@example.com"]


def test_a_price_of_the_customers_own_segment_is_what_counts() -> None:
    make_sku()
    user = saver()
    saver("other@example.com")
    pricing.set_segment(user_id=user.pk, segment="trade")
    pricing.set_prices(prices={"MUG": Money(800, "GBP")}, valid_from=clock.now() - HOUR, segment="trade")
    assert run() == 1
    assert the_mail().to == ["ada@example.com"]
    assert "£8.00" in str(the_mail().body)


def test_saved_again_an_item_has_news_of_its_own_again() -> None:
    make_sku()
    user = saver()
    set_price("MUG", 1_000)
    assert run() == 1
    ref = CartRef("u", str(user.pk))
    carts.remove_saved(ref=ref, sku_id="MUG", now=clock.now())
    save(user)  # at £10.00
    assert run(days=2) == 0
    set_price("MUG", 900)
    assert run(days=4) == 1


# ---------------------------------------------------------------- what is asked once more when its turn comes


def found() -> User:
    """Give a customer of whose saved mug a lower price was found, and not sent yet."""
    make_sku()
    user = saver()
    set_price("MUG", 1_000)
    assert services.find_saved_news(now=noon()) == 1
    return user


def reason() -> str:
    """Send; tell why the only message was not."""
    assert services.send_saved_news(now=noon()) == 0
    assert mail.outbox == []
    message = the_message()
    assert message.state == "cancelled"
    return message.reason


def test_a_price_that_rose_again_before_its_mail_went_is_not_told() -> None:
    found()
    set_price("MUG", 1_100)
    assert reason() == "nothing_sellable"


def test_an_item_that_was_sold_meanwhile_or_is_no_longer_saved_is_not_told() -> None:
    user = found()
    ref = CartRef("u", str(user.pk))
    carts.remove_saved(ref=ref, sku_id="MUG", now=clock.now())
    recorder.drain()
    assert reason() == "nothing_sellable"


def test_an_item_that_is_not_there_any_more_is_not_told() -> None:
    found()
    away()
    assert reason() == "nothing_sellable"


def test_what_was_not_told_as_it_was_not_so_is_told_when_it_is_so_again() -> None:
    found()
    away()
    assert reason() == "nothing_sellable"
    back()
    assert run() == 1
    assert the_mail().subject == "Costs less now: Enamel mug, MUG"


def test_what_could_not_be_sent_is_found_again_and_whom_it_must_not_reach_is_not_tried_for_ever() -> None:
    user = found()
    assert services.send_saved_news(now=noon() + 25 * HOUR) == 0
    assert run(days=2) == 1
    set_price("MUG", 800)
    user.emailaddress_set.update(verified=False)  # type: ignore[attr-defined]
    assert [run(days=4), run(days=6)] == [0, 0]
    assert list(Message.objects.order_by("pk").values_list("reason", flat=True)) == ["late", "", "address_unverified"]


def test_a_no_after_it_was_found_wins() -> None:
    want(found(), *BOTH, is_granted=False)
    assert reason() == "opted_out"


def test_who_is_suppressed_has_no_verified_address_or_is_gone_is_not_written_to() -> None:
    user = found()
    user.emailaddress_set.update(verified=False)  # type: ignore[attr-defined]
    assert reason() == "address_unverified"


def test_what_could_not_be_sent_for_a_day_is_no_news() -> None:
    found()
    assert services.send_saved_news(now=noon() + 25 * HOUR) == 0
    assert the_message().reason == "late"


def test_at_night_it_waits_and_is_not_late_for_it() -> None:
    user = found()
    User.objects.filter(pk=user.pk).update(time_zone="Pacific/Auckland")  # one in the morning there, in summer
    assert services.send_saved_news(now=noon()) == 0
    message = the_message()
    assert (message.state, message.reason) == ("due", "quiet_hours")
    assert services.send_saved_news(now=message.due_at) == 1


def test_an_account_that_was_deleted_gets_nothing_and_leaves_nothing() -> None:
    user = found()
    user.delete()
    assert not SavedNews.objects.exists()
    assert reason() == "customer_erased"


def test_a_customer_who_asks_for_their_data_gets_what_was_told() -> None:
    user = found()
    exported = selectors.export_customer(user_id=user.pk, email=user.email, order_numbers=[])
    (row,) = exported["news_of_saved_items"]
    assert (row["sku"], row["price_minor"], row["price_when_saved_minor"]) == ("MUG", 1_000, 1_200)
    assert [one["mail"] for one in exported["mails"]] == ["saved_news"]


def test_it_keeps_the_pace_of_a_receiving_domain_and_waits_for_the_next_day(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS, rate_per_domain=1, dispatch_seconds=1, daily_cap=2
    )
    found()
    for number, domain in enumerate(("example.com", "example.org", "example.net")):
        saver(f"c{number}@{domain}")
    set_price("MUG", 500)
    assert services.find_saved_news(now=noon()) == 3
    assert services.send_saved_news(now=noon()) == 2
    waiting = Message.objects.filter(state="due").order_by("pk")
    assert [message.reason for message in waiting] == ["domain_pace", "daily_cap"]
    assert waiting[1].due_at > noon() + 11 * HOUR


def test_what_a_dead_worker_was_sending_never_goes_again() -> None:
    found()
    lease = clock.now() - HOUR
    put_into("sending", claim_token=uuid.uuid4(), handed_at=noon(), lease_until=lease, attempts=1)
    make_sku("BOWL", price=500)
    other = make_customer()
    want(other, *BOTH)
    save(other, "BOWL")
    set_price("BOWL", 100)
    assert run() == 1  # the other one's
    assert Message.objects.order_by("pk").values_list("state", flat=True)[0] == "unknown"
    assert services.send_saved_news(now=noon(2)) == 0


# ---------------------------------------------------------------- ending it


def test_unsubscribing_ends_these_mails_only_with_undo_and_a_later_yes_begins_them_again() -> None:
    make_sku()
    user = saver()
    set_price("MUG", 1_000)
    assert run() == 1
    path, visitor = link("e/u"), Client()

    page = visitor.get(path).content.decode()
    assert "Unsubscribe from news of saved items" in page
    assert not Suppression.objects.exists()
    done = visitor.post(path, {"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    assert Suppression.objects.get().scope == "saved_news"
    undone = visitor.post(path, {"undo": done.context["undo"]})
    assert "saved items" in undone.content.decode()
    assert not Suppression.objects.exists()

    visitor.post(path, {"List-Unsubscribe": "One-Click"})
    set_price("MUG", 800)
    assert run(days=2) == 0
    assert Message.objects.latest("pk").reason == "suppressed"
    assert selectors.wants_reminders(user_id=user.pk, email=user.email)
    want(user, Topic.PRICE_DROP)
    set_price("MUG", 700)
    assert run(days=4) == 1


def test_the_preferences_page_has_both_topics_and_keeps_what_was_said() -> None:
    user, client = make_customer(), Client()
    client.force_login(user)
    page = client.get(PREFERENCES).content.decode()
    assert 'name="price_drop" value="1" >' in page
    assert 'name="back_in_stock" value="1" >' in page

    client.post(PREFERENCES, {"cart_reminder": "1", "price_drop": "1"})
    page = client.get(PREFERENCES).content.decode()
    assert 'name="price_drop" value="1" checked>' in page
    assert 'name="back_in_stock" value="1" >' in page


def test_a_link_to_the_preferences_turns_this_kind_off_and_not_on_again() -> None:
    make_sku()
    saver()
    set_price("MUG", 1_000)
    assert run() == 1
    visitor = Client()
    path = visitor.get(link("e/p"))["Location"]
    assert 'name="saved_news" value="1" checked>' in visitor.get(path).content.decode()
    visitor.post(path, {})
    assert Suppression.objects.get().scope == "saved_news"
    assert "Sign in to turn them on" in visitor.get(path).content.decode()


# ---------------------------------------------------------------- cost, and what the tables refuse


def test_finding_costs_two_statements_a_customer_and_the_same_for_many_lines() -> None:
    for number in range(8):
        make_sku(f"SKU{number}")
    one = make_customer()
    want(one, *BOTH)
    save(one, "SKU0")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            services.find_saved_news(now=noon())
        return len(queries)

    count()
    first = count()
    for number in range(1, 8):
        save(one, f"SKU{number}")
    assert count() == first
    for _ in range(3):
        another = make_customer()
        want(another, *BOTH)
        save(another, "SKU0")
    assert count() == first + 3  # the prices of each customer's own segment


def test_all_pages_of_customers_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_news, "PAGE", 2)
    make_sku()
    for number in range(5):
        saver(f"c{number}@example.com")
    set_price("MUG", 1_000)
    assert services.find_saved_news(now=noon()) == 5


def test_the_table_refuses_news_told_before_and_a_lower_price_that_is_none() -> None:
    found()
    row = SavedNews.objects.get()
    for change in ({}, {"value": 1_200}, {"was_minor": None, "value": 1}):
        values = {name: getattr(row, name) for name in ("user_id", "sku_id", "topic", "saved_at", "value", "was_minor")}
        with pytest.raises(DatabaseError), transaction.atomic():
            SavedNews.objects.create(message=row.message, found_at=row.found_at, **{**values, **change})


def test_while_the_recorder_is_behind_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found()
    monkeypatch.setattr("notifications.services.telling.is_behind", lambda: True)
    assert services.send_saved_news(now=noon()) == 0
    assert the_message().state == "due"


def test_the_hours_between_two_mails_are_the_shops_choice(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, saved_news_hours=1, price_drop_percent=50)
    make_sku()
    saver()
    set_price("MUG", 700)
    assert run() == 0
    set_price("MUG", 600)
    assert run() == 1
    set_price("MUG", 300)
    services.find_saved_news(now=noon() + 2 * HOUR)
    assert Message.objects.count() == 2


def test_an_item_that_is_no_longer_sold_is_no_news() -> None:
    make_sku()
    saver()
    set_price("MUG", 600)
    Sku.objects.update(is_sellable=False)
    assert run() == 0
