"""Links in reminders: nothing is changed by a GET, nobody is signed in, and one click unsubscribes."""

from __future__ import annotations

import base64
import dataclasses
import hmac
import re
from datetime import timedelta
from email import message_from_bytes, policy
from unittest.mock import Mock

import pgtrigger
import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from cart import selectors as carts
from cart.types import CartRef
from inventory.models import StockItem
from notifications import links, selectors, services
from notifications.links import Purpose
from notifications.models import Abandonment, Message, Preference, Suppression, Touch
from notifications.types import Scope
from shop.accounts.models import User
from shop.catalog.models import Sku
from shop.core import clock
from shop.core.ids import hash_token
from tests.checkout.helpers import cart_of, make_sku, pay, put, set_price, start
from tests.checkout.helpers import fill as fill_checkout
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run, the_mail, the_message

pytestmark = pytest.mark.django_db

RESTORE = reverse("notifications:restore")
PREFERENCES = reverse("notifications:preferences")


@pytest.fixture
def owner() -> User:
    """Let a customer have got a reminder of two mugs."""
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    make_campaign()
    assert run() == 1
    return user


def signed_in(user: User) -> Client:
    """Sign a customer in."""
    client = Client()
    client.force_login(user)
    return client


def follow(client: Client) -> str:
    """Open the restore link of the last mail; give the page that it leads to."""
    first = client.get(link("c/r"))
    assert (first.status_code, first["Location"]) == (302, RESTORE)
    return client.get(RESTORE).content.decode()


def guest_cart(client: Client) -> dict[str, int]:
    """Tell what is in this browser's cart."""
    token = client.cookies["cart_session"].value
    return {line.sku_id: line.quantity for line in carts.get_cart(ref=CartRef("g", hash_token(token))).lines}


# ---------------------------------------------------------------- tokens


def test_a_token_is_of_one_purpose_and_cannot_be_altered() -> None:
    link_id = links.new_link("msg_1")
    text = links.token(Purpose.RESTORE, link_id)
    assert len(text) == 34
    assert links.read_token(Purpose.RESTORE, text) == links.link_hash(link_id)
    assert links.read_token(Purpose.UNSUBSCRIBE, text) is None
    other = links.token(Purpose.RESTORE, links.new_link("msg_2"))
    assert links.read_token(Purpose.RESTORE, text[:22] + other[22:]) is None
    for place in range(34):
        altered = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert links.read_token(Purpose.RESTORE, altered) is None, place


def test_links_outlive_a_new_key_while_the_old_one_is_kept(settings: Settings) -> None:
    text = links.token(Purpose.UNSUBSCRIBE, links.new_link("msg_1"))
    known = links.read_token(Purpose.UNSUBSCRIBE, text)
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new, offline-links")
    assert links.read_token(Purpose.UNSUBSCRIBE, text) == known
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new")
    assert links.read_token(Purpose.UNSUBSCRIBE, text) is None


def test_each_use_has_a_key_of_its_own() -> None:
    link_id = links.new_link("msg_1")
    uses = [links.derived_keys(use)[0] for use in (*Purpose, "link id", "visitor")]
    assert len({*uses, b"offline-links"}) == len(Purpose) + 3
    for made in Purpose:
        text = links.token(made, link_id)
        read = [purpose for purpose in Purpose if links.read_token(purpose, text)]
        assert read == [made]
        # Who has the key of one use, and writes another's token with it, in the present form or in the old one.
        key = links.derived_keys(made)[0]
        for other in set(Purpose) - {made}:
            for data in (link_id, other.value.encode() + link_id):
                assert links.read_token(other, forged(key, link_id, data)) is None


@pytest.mark.parametrize("purpose", Purpose)
def test_links_in_mails_from_before_uses_had_their_own_keys_still_work(settings: Settings, purpose: Purpose) -> None:
    link_id = bytes(range(16))
    old = forged(b"offline-links", link_id, purpose.value.encode() + link_id)
    assert links.read_token(purpose, old) == links.link_hash(link_id)
    for other in set(Purpose) - {purpose}:
        assert links.read_token(other, old) is None
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new, offline-links")
    assert links.read_token(purpose, old) == links.link_hash(link_id)
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new")
    assert links.read_token(purpose, old) is None


def test_a_check_costs_the_same_whichever_key_fits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    good = links.token(Purpose.RESTORE, links.new_link("msg_1"))
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_keys="new, offline-links")
    new = links.token(Purpose.RESTORE, links.new_link("msg_1"))
    made = Mock(side_effect=hmac.digest)
    monkeypatch.setattr("notifications.links.hmac.digest", made)
    counts = []
    for text in (good, new, "A" * 34):
        made.reset_mock()
        links.read_token(Purpose.RESTORE, text)
        counts.append(made.call_count)
    assert counts == [4, 4, 4]


def forged(key: bytes, link_id: bytes, data: bytes) -> str:
    """Write a token with a key and data of one's own choice."""
    mac = hmac.digest(key, data, "sha256")[:9]
    return base64.urlsafe_b64encode(link_id).decode().rstrip("=") + base64.urlsafe_b64encode(mac).decode()


@pytest.mark.parametrize("kind", ["c/r", "e/u", "e/p"])
def test_a_link_of_another_purpose_or_unknown_is_not_found(owner: User, kind: str) -> None:
    swapped = {"c/r": "e/u", "e/u": "e/p", "e/p": "c/r"}[kind]
    token = link(kind).rpartition("/")[2]
    assert Client().get(f"/{swapped}/{token}").status_code == 404
    assert Client().get(f"/{kind}/{'A' * 34}").status_code == 404
    assert Suppression.objects.count() == 0


def test_addresses_are_hashed_alike_however_they_are_written(settings: Settings) -> None:
    assert links.address_hashes(" Ada@Example.COM") == links.address_hashes("ada@example.com")
    assert links.address_hashes("ada@bücher.example") == links.address_hashes("ada@xn--bcher-kva.example")
    assert links.address_hashes("ada+shop@example.com") != links.address_hashes("ada@example.com")
    old = links.address_hashes("ada@example.com")[0]
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS, strip_plus_tags=True, peppers="new,offline-pepper"
    )
    assert links.address_hashes("ada+shop@example.com") == links.address_hashes("ada@example.com")
    assert old in links.address_hashes("ada@example.com")


# ---------------------------------------------------------------- restoring


def test_the_owner_with_an_unchanged_cart_goes_straight_to_checkout(owner: User) -> None:
    client = signed_in(owner)
    page = follow(client)
    assert f'action="{reverse("checkout:start")}"' in page
    answer = client.post(reverse("checkout:start"))
    assert answer.status_code == 303
    assert "/checkout/chk_" in answer["Location"]


def test_anybody_else_gets_the_lines_copied_by_a_post_and_nobody_is_signed_in(owner: User) -> None:
    client = Client()
    page = follow(client)
    assert "ada" not in page.lower()
    assert "cart_session" not in client.cookies
    assert not Touch.objects.filter(kind="restore").exists()

    answer = client.post(RESTORE)

    assert (answer.status_code, answer["Location"]) == (303, reverse("checkout:start"))
    assert guest_cart(client) == {"MUG": 2}
    assert "sessionid" not in client.cookies
    assert cart_of(CartRef("u", str(owner.pk))) == {"MUG": 2}
    client.post(RESTORE)
    assert guest_cart(client) == {"MUG": 2}
    assert Touch.objects.filter(kind="restore").count() == 1


def test_what_is_in_the_visitors_cart_stays_and_the_greater_quantity_counts(owner: User) -> None:
    make_sku("LAMP")
    other = make_customer()
    ref = CartRef("u", str(other.pk))
    put(ref, "LAMP", 1)
    put(ref, "MUG", 1)
    client = signed_in(other)
    follow(client)
    client.post(RESTORE)
    assert cart_of(ref) == {"LAMP": 1, "MUG": 2}
    put(ref, "MUG", 5)
    client.post(RESTORE)
    assert cart_of(ref) == {"LAMP": 1, "MUG": 5}


def test_lines_that_joined_others_are_shown_with_undo_and_may_replace_them_instead(owner: User) -> None:
    make_sku("LAMP")
    other = make_customer()
    ref = CartRef("u", str(other.pk))
    put(ref, "LAMP", 1)
    put(ref, "MUG", 5)
    client = signed_in(other)
    follow(client)
    assert client.post(RESTORE).status_code == 303  # nothing to add: straight on
    put(ref, "MUG", 1)

    joined = client.post(RESTORE)["Location"]
    page = client.get(joined).content.decode()
    assert "beside what was in it" in page
    assert cart_of(ref) == {"LAMP": 1, "MUG": 2}
    assert client.post(reverse("cart:undo"), {"undo": undo_of(page)}).status_code == 303
    assert cart_of(ref) == {"LAMP": 1, "MUG": 1}

    client.post(RESTORE)
    replaced = client.post(RESTORE, {"how": "replace"})["Location"]
    page = client.get(replaced).content.decode()
    assert cart_of(ref) == {"MUG": 2}
    assert "and nothing else" in page
    assert "Replace instead" not in page
    client.post(reverse("cart:undo"), {"undo": undo_of(page)})
    assert cart_of(ref) == {"LAMP": 1, "MUG": 2}


def undo_of(page: str) -> str:
    """Read the token of the page's Undo."""
    found = re.search(r'name="undo" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_changes_since_are_told_and_what_is_gone_is_named(owner: User) -> None:
    set_price("MUG", 1_500)
    page = follow(Client())
    assert "£3.00 more" in page
    Sku.objects.update(is_sellable=False)
    client = Client()
    client.get(link("c/r"))
    answer = client.get(RESTORE)
    assert answer.status_code == 410
    assert "Sold out" in answer.content.decode()


def test_a_deleted_item_is_named_and_the_others_come_back() -> None:
    make_sku()
    make_sku("LAMP")
    leave_cart(make_customer(), {"MUG": 2, "LAMP": 1})
    make_campaign()
    run()
    client = Client()
    client.get(link("c/r"))
    StockItem.objects.filter(sku_id="LAMP").update(on_hand=0)
    Sku.objects.filter(sku_id="LAMP").delete()
    page = client.get(RESTORE).content.decode()
    assert "No longer available" in page
    assert "<li>LAMP</li>" in page
    client.post(RESTORE)
    assert guest_cart(client) == {"MUG": 2}


def test_an_ordered_and_an_expired_cart_have_their_pages(owner: User) -> None:
    client = Client()
    client.get(link("c/r"))
    event = Abandonment.objects.get()
    ref = CartRef("u", str(owner.pk))
    pay(fill_checkout(start(ref), ref), ref)
    services.attribute_orders(now=clock.now())
    answer = client.get(RESTORE)
    assert (answer.status_code, "You have ordered already" in answer.content.decode()) == (410, True)
    assert client.post(RESTORE).status_code == 410

    Abandonment.objects.update(ordered_at=None, state="expired")
    found = services.look_at(message=the_message(), visitor=None, now=clock.now() + timedelta(days=31))
    assert found.state == "expired"
    assert event.snapshot is not None


def test_an_ended_link_shows_what_can_still_be_bought_and_nothing_of_its_owner() -> None:
    for sku_id in ("MUG", "LAMP", "BOWL"):
        make_sku(sku_id)
    user = make_customer("ada@example.com", first_name="Augusta")
    leave_cart(user, {"MUG": 2, "LAMP": 1, "BOWL": 1})
    make_campaign()
    run()
    client = Client()
    client.get(link("c/r"))
    Sku.objects.filter(sku_id="LAMP").update(is_sellable=False)
    StockItem.objects.filter(sku_id="BOWL").update(on_hand=0)
    mug = Sku.objects.get(sku_id="MUG")
    for changed in ({"state": "converted", "closed_at": clock.now()}, {"state": "expired", "closed_at": clock.now()}):
        Abandonment.objects.update(**changed)
        if changed["state"] == "expired":
            with pgtrigger.ignore("notifications.Message:message_sent_is_final"):
                Message.objects.update(handed_at=clock.now() - timedelta(days=31))
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(RESTORE)
        page = answer.content.decode()
        assert answer.status_code == 410
        assert ("You have ordered already" in page) is (changed["state"] == "converted")
        assert re.findall(r'<h2><a href="([^"]+)"', page) == [f"/p/{mug.product.slug}/?sku=MUG"]
        assert [word for word in ("£", "12.00", "Augusta", "ada@") if word in page] == []
        assert answer["X-Robots-Tag"] == "noindex"
        assert len(queries) <= 3

    Sku.objects.update(is_sellable=False)
    page = client.get(RESTORE).content.decode()
    assert "can still buy" not in page
    assert "This link has expired" in page


def test_a_click_is_noted_once_and_a_head_request_notes_nothing(owner: User) -> None:
    assert Client().head(link("c/r")).status_code == 302
    assert not Touch.objects.exists()
    Client().get(link("c/r"))
    Client().get(link("c/r"))
    assert Touch.objects.get().kind == "click"


def test_a_program_that_follows_the_link_is_noted_as_one(owner: User) -> None:
    path = link("c/r")
    scanner = Client(headers={"User-Agent": "Mozilla/5.0 (compatible; ExampleMailScanner/2.0)"})
    assert scanner.get(path).status_code == 302
    assert list(Touch.objects.values_list("kind", flat=True)) == ["scan"]
    reader = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    assert reader.get(path).status_code == 302
    assert sorted(Touch.objects.values_list("kind", flat=True)) == ["click", "scan"]


def test_pages_behind_links_are_kept_nowhere_and_tell_nobody(owner: User) -> None:
    for path in (link("c/r"), link("e/u"), link("e/p")):
        answer = Client().get(path)
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "strict-origin"
        assert answer["X-Robots-Tag"] == "noindex"


# ---------------------------------------------------------------- unsubscribing


def test_following_the_unsubscribe_link_changes_nothing_and_the_button_does(owner: User) -> None:
    client = Client()
    assert "List-Unsubscribe" in client.get(link("e/u")).content.decode()
    assert not Suppression.objects.exists()

    page = client.post(link("e/u"), {"List-Unsubscribe": "One-Click"})

    assert page.status_code == 200
    row = Suppression.objects.get()
    assert (row.scope, row.reason) == ("cart_reminder", "unsubscribed")
    assert row.email_hash in links.address_hashes("ADA@example.com")
    assert client.post(link("e/u"), {"List-Unsubscribe": "One-Click"}).status_code == 200


def test_a_mail_program_unsubscribes_with_one_click_without_cookie_or_csrf(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    mail = message_from_bytes(the_mail().message().as_bytes(), policy=policy.default)
    url = str(mail["List-Unsubscribe"]).strip("<>")
    assert str(mail["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    answer = client.post(url.removeprefix("http://testserver"), {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, dict(answer.cookies)) == (200, {})
    assert Suppression.objects.count() == 1


def test_another_body_unsubscribes_nobody(owner: User) -> None:
    assert Client().post(link("e/u"), {"x": "y"}).status_code == 400
    assert not Suppression.objects.exists()


def test_an_unsubscription_stops_the_next_mail_and_can_be_undone_within_the_hour(owner: User) -> None:
    client = Client()
    answer = client.post(link("e/u"), {"List-Unsubscribe": "One-Click"})
    undo = answer.context["undo"]
    again = make_campaign("again")
    Abandonment.objects.update(state="expired", closed_at=clock.now(), cooldown_range=None, content_version=1)
    run()
    second = Message.objects.get(abandonment__closed_at__isnull=False, state="cancelled")
    assert second.reason == "suppressed"
    assert again.state == "running"

    path = link("e/u")
    assert "subscribed again" in client.post(path, {"undo": undo}).content.decode()
    assert not Suppression.objects.exists()
    assert "no longer be undone" in client.post(path, {"undo": undo}).content.decode()
    assert "no longer be undone" in client.post(path, {"undo": undo + "x"}).content.decode()


def test_the_unsubscribe_url_is_whole_and_short_on_the_wire(owner: User) -> None:
    raw = the_mail().message().as_bytes()
    header = next(
        line for line in raw.replace(b"\r\n", b"\n").replace(b"\n ", b" ").split(b"\n") if b"List-Unsubscribe:" in line
    )
    assert b"=?" not in header
    url = header.partition(b"<")[2].partition(b">")[0]
    assert len(url) <= 74
    assert url.decode().endswith(link("e/u"))
    modern = message_from_bytes(raw, policy=policy.SMTP)
    assert url in modern.as_bytes().replace(b"\r\n ", b" ")
    assert len(raw) < 90_000


def test_a_link_base_that_makes_unsubscribe_urls_too_long_stops_the_start(settings: Settings) -> None:
    assert not [found for found in run_checks() if found.id == "notifications.E001"]
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, link_base_url="https://" + "a" * 29)
    assert [found.id for found in run_checks() if found.id] == ["notifications.E001"]


def test_headers_name_the_stream_and_nobody(owner: User) -> None:
    headers = the_mail().message()
    assert headers["List-Id"] == "Cart reminders <cart-reminders.example.com>"
    assert headers["Feedback-ID"] == "cart:a-s1:cartrec:examplecom"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Message-ID"] == f"<{the_message().public_id}@example.com>"


# ---------------------------------------------------------------- preferences


def test_a_customer_turns_reminders_off_and_on(owner: User) -> None:
    client = signed_in(owner)
    assert "checked" in client.get(PREFERENCES).content.decode()
    client.post(PREFERENCES, {})
    assert not selectors.wants_reminders(user_id=owner.pk, email=owner.email)
    Suppression.objects.create(
        email_hash=links.address_hashes(owner.email)[0],
        scope="cart_reminder",
        reason="unsubscribed",
        source="test",
        created_at=clock.now(),
    )
    client.post(PREFERENCES, {"cart_reminder": "1"})
    assert selectors.wants_reminders(user_id=owner.pk, email=owner.email)
    assert list(Preference.objects.order_by("id").values_list("is_granted", flat=True)) == [False, True]


def test_a_dead_mailbox_stays_suppressed_whatever_the_customer_wants(owner: User) -> None:
    services.suppress(
        email_hash=links.address_hashes(owner.email)[0],
        scope=Scope.ALL,
        reason="dead_mailbox",
        source="smtp",
        now=clock.now(),
    )
    services.set_preference(user_id=owner.pk, email=owner.email, is_granted=True, source="test", now=clock.now())
    assert Suppression.objects.count() == 1


def test_preferences_need_a_sign_in_or_the_mail_and_the_mail_only_turns_off(owner: User) -> None:
    assert reverse("account_login") in Client().get(PREFERENCES)["Location"]
    client = Client()
    first = client.get(link("e/p"))
    assert first.status_code == 302
    page = client.get(first["Location"])
    assert "checked" in page.content.decode()
    client.post(first["Location"], {})
    assert "Sign in to turn reminders on" in client.get(first["Location"]).content.decode()
    client.post(first["Location"], {"cart_reminder": "1"})
    assert Suppression.objects.count() == 1


def test_unsubscribing_costs_few_queries(owner: User) -> None:
    client = Client()
    path = link("e/u")
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    assert len(queries) <= 2
