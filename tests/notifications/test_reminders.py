"""Reminders from the idle cart to the mail: who is found, who is not, and why."""

from __future__ import annotations

import dataclasses
import re
import uuid
from contextlib import suppress
from datetime import timedelta
from html import unescape
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pgtrigger
import pytest
from django.core import mail
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from cart import selectors as carts_read
from cart import services as carts
from cart.models import CartRecord
from cart.types import CartRef
from notifications import selectors, services
from notifications.models import Abandonment, Campaign, Message, SkipCount, Step
from notifications.models.messages import MOVES
from notifications.services import enrolling, handing
from notifications.services.reminding import LOOK
from notifications.types import MessageState
from shop.catalog.models import Product
from shop.checkout import following
from shop.checkout.models import Order
from shop.core import clock
from tests.cart.helpers import round_trips
from tests.checkout.helpers import make_sku, new_guest, pay, ready, set_price
from tests.notifications.carts import HOUR, leave_cart, link, make_campaign, make_customer, run, the_mail, the_message
from tests.notifications.helpers import put_into
from tests.ports import free_port

pytestmark = pytest.mark.django_db


def reason() -> str:
    """Tell why the only reminder was not sent."""
    message = the_message()
    assert message.state == "cancelled"
    assert mail.outbox == []
    return message.reason


def test_a_customer_who_left_a_cart_gets_one_mail_however_often_the_tasks_run() -> None:
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    make_campaign()

    assert [run(), run(), run()] == [1, 0, 0]

    (sent,) = mail.outbox
    assert sent.to == ["ada@example.com"]
    assert "Enamel mug" in sent.subject
    message = the_message()
    assert (message.state, message.recipient, message.attempts) == ("sent", "a***@example.com", 1)
    event = Abandonment.objects.get()
    assert (event.user_id, event.state, event.is_holdout) == (user.pk, "open", False)
    assert event.cooldown_range is not None
    assert event.snapshot is not None
    assert event.snapshot[0]["sku_id"] == "MUG"


@pytest.mark.parametrize("threshold", [1, 4])
def test_a_cart_counts_as_left_from_the_threshold_on_to_the_second(threshold: int) -> None:
    make_sku()
    at = leave_cart(make_customer(), hours=threshold)
    make_campaign(idle_threshold=threshold * HOUR)
    assert services.detect(now=at + threshold * HOUR - timedelta(seconds=1)) == 0
    assert services.detect(now=at + threshold * HOUR + timedelta(seconds=1)) == 1


def test_a_cart_whose_last_activity_lies_in_the_future_waits_for_its_time() -> None:
    make_sku()
    leave_cart(make_customer(), hours=-1)
    make_campaign()
    assert services.detect(now=clock.now()) == 0
    assert services.detect(now=clock.now() + 3 * HOUR) == 1


def test_a_search_that_ended_half_way_goes_on_and_loses_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, batch=2)
    make_sku()
    for hours in (7, 6, 5, 4, 3):
        leave_cart(make_customer(), hours=hours)
    make_campaign()
    true_insert, batches = enrolling._insert, count(1)

    def insert(*arguments: Any) -> int:
        made = true_insert(*arguments)
        if next(batches) == 2:
            raise KeyboardInterrupt  # after its rows, before they and its place are committed
        return made

    monkeypatch.setattr(enrolling, "_insert", insert)
    with pytest.raises(KeyboardInterrupt):
        services.detect(now=clock.now())
    assert Abandonment.objects.count() == 2
    assert services.detect(now=clock.now()) == 3
    assert Abandonment.objects.count() == Message.objects.count() == 5


def test_switching_a_campaign_on_mails_no_history() -> None:
    make_sku()
    leave_cart(make_customer())
    campaign = make_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(activated_at=clock.now())
    assert run() == 0
    assert not Abandonment.objects.exists()


def test_a_cart_older_than_the_ceiling_is_left_alone() -> None:
    make_sku()
    leave_cart(make_customer(), hours=80)
    make_campaign()
    assert services.detect(now=clock.now(), is_sweep=True) == 0


def test_staff_the_inactive_and_those_who_ordered_since_are_not_enrolled_and_counted() -> None:
    make_sku()
    leave_cart(make_customer(is_staff=True))
    leave_cart(make_customer(is_active=False))
    buyer = make_customer()
    leave_cart(buyer)
    guest, view = ready(new_guest())
    pay(view, guest)
    with pgtrigger.ignore("checkout.Order:order_never_changed"):
        Order.objects.update(owner=f"u:{buyer.pk}", user_id=buyer.pk)
    make_campaign()

    assert run() == 0

    assert not Abandonment.objects.exists()
    counts = dict(SkipCount.objects.values_list("reason", "count"))
    assert counts == {"staff": 1, "customer_inactive": 1, "order_since": 1}
    services.detect(now=clock.now())
    assert dict(SkipCount.objects.values_list("reason", "count")) == counts


def test_a_batch_of_people_who_must_not_be_mailed_is_not_the_end(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, batch=2)
    make_sku()
    for hours in (6, 5, 4):
        leave_cart(make_customer(is_staff=True), hours=hours)
    leave_cart(make_customer(), hours=2)
    make_campaign()
    assert services.detect(now=clock.now()) == 1


def test_what_became_visible_behind_the_cursor_is_found_by_the_sweep() -> None:
    make_sku()
    leave_cart(make_customer(), hours=2)
    make_campaign()
    services.detect(now=clock.now())
    leave_cart(make_customer(), hours=5)  # its record was written late
    assert services.detect(now=clock.now()) == 0
    assert services.detect(now=clock.now(), is_sweep=True) == 1


def test_an_order_by_mail_address_between_scan_and_send_cancels_the_mail() -> None:
    make_sku()
    leave_cart(make_customer("ada@example.com"))
    make_campaign()
    services.detect(now=clock.now())
    guest, view = ready(new_guest())  # a guest who types the same address
    pay(view, guest)

    assert run() == 0

    assert reason() == "order_since"
    event = Abandonment.objects.get()
    assert (event.state, event.close_reason) == ("converted", "order_since")
    assert event.cooldown_range is None


def test_a_change_of_the_cart_between_scan_and_send_cancels_the_mail() -> None:
    make_sku()
    make_sku("LAMP")
    user = make_customer()
    leave_cart(user)
    make_campaign()
    services.detect(now=clock.now())
    carts.add_line(ref=CartRef("u", str(user.pk)), sku_id="LAMP", quantity=1, now=clock.now())

    assert run() == 0
    assert reason() == "cart_changed"


def test_an_opt_out_between_scan_and_send_cancels_the_mail() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    make_campaign()
    services.detect(now=clock.now())
    services.set_preference(user_id=user.pk, email=user.email, is_granted=False, source="test", now=clock.now())

    assert run() == 0
    assert reason() == "opted_out"


@pytest.mark.parametrize("state", ["converted", "merged", "expired"])
def test_a_cart_that_is_gone_cancels_the_mail(state: str) -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    services.detect(now=clock.now())
    CartRecord.objects.update(state=state, order_number="ord_1" if state == "converted" else None)
    assert run() == 0
    assert reason() == "cart_gone"


def test_an_address_that_nobody_verified_is_not_mailed() -> None:
    make_sku()
    leave_cart(make_customer(is_verified=False))
    make_campaign()
    run()
    assert reason() == "address_unverified"


def test_opt_in_mails_only_those_who_said_yes(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, consent_policy="opt_in")
    make_sku()
    silent, willing = make_customer(), make_customer("willing@example.com")
    leave_cart(silent)
    leave_cart(willing)
    services.set_preference(user_id=willing.pk, email=willing.email, is_granted=True, source="test", now=clock.now())
    make_campaign()

    assert run() == 1
    assert mail.outbox[0].to == ["willing@example.com"]
    assert Message.objects.get(state="cancelled").reason == "no_consent"


def test_lines_that_are_sold_out_or_were_bought_are_left_out_and_a_fall_in_price_is_told() -> None:
    make_sku()
    make_sku("GONE", on_hand=0)
    make_sku("FEW", on_hand=1)
    leave_cart(make_customer(), {"MUG": 2, "GONE": 1, "FEW": 3}, price=1_500)
    set_price("MUG", 1_000)
    make_campaign()
    assert run() == 1

    text = str(the_mail().body)
    assert "2 × Enamel mug, MUG: £20.00" in text
    assert "It costs £5.00 less" in text
    assert "1 × Enamel mug, FEW" in text
    assert "GONE" not in text
    shown = the_message().shown
    assert shown is not None
    assert shown["total_minor"] == 3_200


def test_a_cart_of_which_nothing_can_be_bought_is_not_mailed() -> None:
    make_sku("GONE", on_hand=0)
    leave_cart(make_customer(), {"GONE": 1})
    make_campaign()
    run()
    assert reason() == "nothing_sellable"


def put_into_redis(count: int) -> None:
    """Let so many customers have left carts that Redis holds, as it holds all that are not old."""
    for _ in range(count):
        user = make_customer()
        leave_cart(user)
        carts_read.get_cart(ref=CartRef("u", str(user.pk)))


def statements_for(reminders: int) -> int:
    """Send so many reminders in one batch; tell how many statements that took."""
    put_into_redis(reminders)
    services.detect(now=clock.now())
    with CaptureQueriesContext(connection) as queries:
        assert services.send_reminders(now=clock.now()) == reminders
    return len(queries)


def test_a_reminder_costs_nine_statements_and_a_batch_of_them_ten() -> None:
    make_sku()
    make_campaign()
    one, four = statements_for(1), statements_for(4)
    # Begin, lock the cart, lock event and message, what the customer did, what speaks against it, its domain's pace,
    # the cool-down with `sending`, commit; `sent`.
    assert (four - one) / 3 == 9
    # What dead workers hold, what is due (twice), tokens (2), claim, read, contacts, profiles, cards with stock.
    assert one - 9 == 10


def test_the_live_carts_of_a_batch_are_read_in_one_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    make_campaign()
    statements_for(1)  # connects
    sent = round_trips(monkeypatch)

    def asked_while_sending(reminders: int) -> int:
        put_into_redis(reminders)
        services.detect(now=clock.now())
        sent.clear()
        assert services.send_reminders(now=clock.now()) == reminders
        return len(sent)

    one = asked_while_sending(1)
    assert one > 0
    assert asked_while_sending(LOOK) == one


def test_carts_that_cannot_be_asked_at_sending_let_all_reminders_wait(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sku()
    make_campaign()
    put_into_redis(3)
    services.detect(now=clock.now())
    true_claim, here = handing.claim, settings.CART

    def lost_after_the_claim(**given: Any) -> Any:
        claimed = true_claim(**given)
        settings.CART = dataclasses.replace(here, redis_url=f"redis://127.0.0.1:{free_port()}")
        return claimed

    monkeypatch.setattr(handing, "claim", lost_after_the_claim)
    assert services.send_reminders(now=clock.now()) == 0
    monkeypatch.undo()

    states = Message.objects.values_list("state", "reason", "attempts")
    assert list(states) == [("due", "carts_unavailable", 0)] * 3
    settings.CART = here
    assert services.send_reminders(now=clock.now() + timedelta(minutes=2)) == 3


def test_the_hold_out_gets_ghosts_that_pass_the_same_gates_and_no_mail() -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign(holdout_bp=5_000)
    services.detect(now=clock.now())
    Abandonment.objects.update(is_holdout=True)

    assert run() == 0

    message = the_message()
    assert (message.state, message.handed_at, message.link_hash, message.recipient) == ("ghost", None, None, "")
    assert mail.outbox == []
    assert Abandonment.objects.get().cooldown_range is not None


@pytest.mark.parametrize(
    ("own", "country", "zone"),
    [("", "", "UTC"), ("", "IN", "Asia/Kolkata"), ("Pacific/Auckland", "IN", "Pacific/Auckland")],
)
def test_quiet_hours_move_the_mail_and_the_time_after_which_it_is_too_late(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, own: str, country: str, zone: str
) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, default_time_zone="UTC")
    profile = following.BuyerProfile(country=country)
    monkeypatch.setattr(following, "list_profiles", lambda *, user_ids: dict.fromkeys(user_ids, profile))
    make_sku()
    leave_cart(make_customer(time_zone=own))
    now = clock.now()
    there = now.astimezone(ZoneInfo(zone))
    make_campaign(
        quiet_start=(there - HOUR).time().replace(tzinfo=None), quiet_end=(there + HOUR).time().replace(tzinfo=None)
    )
    services.detect(now=now)
    before = the_message().late_after
    assert services.send_reminders(now=now) == 0
    message = the_message()
    assert before is not None
    assert message.late_after is not None
    assert (message.state, message.reason, message.attempts) == ("due", "quiet_hours", 0)
    assert message.due_at > now
    assert message.late_after - before == message.due_at - now
    assert services.send_reminders(now=message.due_at) == 1


def test_after_days_without_beat_no_storm_of_old_mails_goes_out() -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    services.detect(now=clock.now())
    assert services.send_reminders(now=clock.now() + timedelta(hours=7)) == 0
    assert reason() == "late"


def test_a_paused_campaign_holds_its_mails_and_an_ended_one_cancels_them() -> None:
    make_sku()
    leave_cart(make_customer())
    campaign = make_campaign()
    services.detect(now=clock.now())
    services.pause_campaign(campaign_id=campaign.pk, reason="looking")
    assert run() == 0
    assert the_message().state == "due"
    services.end_campaign(campaign_id=campaign.pk, now=clock.now())
    run(120)
    assert reason() == "campaign_ended"


def test_a_second_episode_begins_only_after_the_pause_for_a_customer() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    make_campaign()
    run()
    Abandonment.objects.update(state="expired", closed_at=clock.now())
    CartRecord.objects.update(content_version=1)  # another content
    services.detect(now=clock.now(), is_sweep=True)
    assert Abandonment.objects.count() == 1
    Abandonment.objects.update(cooldown_range=None)
    services.detect(now=clock.now(), is_sweep=True)
    assert Abandonment.objects.count() == 2


def test_the_exclusion_refuses_at_sending_a_cool_down_that_was_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    services.detect(now=clock.now())
    event = Abandonment.objects.get()
    Abandonment.objects.create(
        cart_record_id=0,
        content_version=0,
        user_id=event.user_id,
        campaign_id=event.campaign_id,
        variant_id=event.variant_id,
        is_holdout=False,
        state="expired",
        abandoned_at=event.abandoned_at,
        enrolled_at=event.enrolled_at,
        closed_at=event.enrolled_at,
        cooldown_range=(event.enrolled_at, event.enrolled_at + HOUR),
        currency="GBP",
        value_minor=1,
    )
    true_standing = selectors.find_standing
    monkeypatch.setattr(
        selectors, "find_standing", lambda **asked: dataclasses.replace(true_standing(**asked), is_cooling_down=False)
    )

    assert services.send_reminders(now=clock.now()) == 0

    assert reason() == "cooldown"
    event.refresh_from_db()
    assert (event.state, event.cooldown_range, event.snapshot) == ("cancelled", None, None)


def test_a_sequence_goes_on_until_the_customer_orders() -> None:
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user, hours=2)
    make_campaign(steps=2)
    assert run() == 1
    assert services.queue_next_steps(now=clock.now()) == 1
    assert services.queue_next_steps(now=clock.now()) == 0
    second = Message.objects.get(step_no=2)
    assert second.due_at > clock.now() + 23 * HOUR
    guest, view = ready(new_guest())
    pay(view, guest)
    assert services.send_reminders(now=second.due_at) == 0
    second.refresh_from_db()
    assert (second.state, second.reason) == ("cancelled", "order_since")


def test_the_database_keeps_what_must_hold() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    campaign = make_campaign()
    run()
    event = Abandonment.objects.get()
    twin = {
        field.attname: getattr(event, field.attname)
        for field in Abandonment._meta.concrete_fields
        if field.attname != "id"
    }
    with pytest.raises(IntegrityError, match="one_event_per_cart_episode"), transaction.atomic():
        Abandonment.objects.create(**{**twin, "user_id": 0, "cooldown_range": None})
    with pytest.raises(IntegrityError, match="one_open_event_per_user"), transaction.atomic():
        Abandonment.objects.create(**{**twin, "content_version": 1, "cooldown_range": None})
    with pytest.raises(IntegrityError, match="user_cooldown"), transaction.atomic():
        Abandonment.objects.create(
            **{**twin, "content_version": 1, "state": "expired", "closed_at": clock.now()},
        )
    with pytest.raises(IntegrityError, match="cooldown_has_customer"), transaction.atomic():
        Abandonment.objects.update(user_id=None)
    with pytest.raises(DatabaseError, match="keeps its variants"), transaction.atomic():
        Step.objects.filter(variant__campaign=campaign).update(subject="changed")


def test_the_links_of_a_mail_carry_no_address_and_are_of_our_own_host() -> None:
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    make_campaign()
    run()
    html = str(the_mail().alternatives[0][0])
    assert "ada" not in html
    assert link("c/r").startswith("/c/r/")
    tagged = {unescape(found) for found in re.findall(r'href="([^"]*utm_[^"]*)"', html)}
    number = Campaign.objects.get().pk
    assert {tuple(parse_qsl(urlsplit(url).query)) for url in tagged} == {
        (
            ("utm_source", "shop-notifications"),
            ("utm_medium", "email"),
            ("utm_campaign", "cart"),
            ("utm_id", f"cart-{number}"),
            ("utm_content", f"a-s1-{slot}"),
        )
        for slot in ("cta", "logo")
    }


def test_a_mail_shows_each_item_as_a_bitmap_of_our_own_host_and_stays_small(client: Client) -> None:
    names = [f"SKU{n}" for n in range(20)]
    for name in names:
        make_sku(name)
    Product.objects.update(title="A long name " * 12)
    leave_cart(make_customer(), dict.fromkeys(names, 1))
    make_campaign()
    assert run() == 1
    html = str(the_mail().alternatives[0][0])
    pictures = re.findall(
        r'<img src="http://testserver(/pictures/[^"]+[.]png[^"]*)" width="72" height="72" alt=""', html
    )
    assert len(pictures) == html.count("<img") == 5
    assert client.get(pictures[0])["Content-Type"] == "image/png"
    assert len(html.encode()) < 90_000


@pytest.mark.parametrize("before", [state.value for state in MessageState])
def test_a_message_moves_only_as_declared_whoever_writes_it(before: str) -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    services.detect(now=clock.now())
    held: dict[str, Any] = {"claim_token": uuid.uuid4(), "lease_until": clock.now()}
    times: dict[str, Any] = {} if before == "ghost" else {"handed_at": clock.now(), "sent_at": clock.now()}
    put_into(before, **held, **times)
    may = set()
    for after in MessageState:
        with suppress(DatabaseError), transaction.atomic():
            Message.objects.update(state=after.value, **({"handed_at": None} if after == "ghost" else {}))
            may.add(after.value)
            transaction.set_rollback(True)
    declared = {after for was, after in MOVES if was == before} | {before}
    assert may == (set() if before == "sent" else declared)
