"""The link that no reader sees: what came from the same source within seconds was a program's, and gets no order."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cart.types import CartRef
from notifications import links, reporting, services
from notifications.models import Attribution, Campaign, Message, Touch
from notifications.services import trapping
from notifications.types import AttributionModel
from shop.accounts.models import User
from shop.core import clock
from tests.checkout.helpers import fill, make_sku, pay, start
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run, the_mail, the_message

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SCANNER, READER = "192.0.2.7", "192.0.2.8"


@pytest.fixture
def ada() -> User:
    """Let a customer have been reminded."""
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user, hours=4)
    make_campaign()
    assert run(-3_600) == 1
    return user


def trap() -> str:
    """Give the path of the link that no reader sees."""
    found = re.search(r'href="http://testserver(/e/h/[^"]+)"', str(the_mail().alternatives[0][0]))
    assert found is not None
    return found[1]


def come(path: str, address: str = SCANNER, *, user: User | None = None) -> None:
    """Follow a link as a browser does, from this address."""
    client = Client(headers={"User-Agent": BROWSER}, REMOTE_ADDR=address)
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(path).status_code in (200, 302)


def kinds() -> list[str]:
    """List what was noted, without the traps themselves."""
    return sorted(Touch.objects.exclude(kind="trap").values_list("kind", flat=True))


def age(seconds: float) -> None:
    """Let what was noted have happened so long before."""
    for touch in Touch.objects.all():
        Touch.objects.filter(pk=touch.pk).update(at=touch.at - timedelta(seconds=seconds))


def order(user: User) -> None:
    """Let the customer order."""
    ref = CartRef("u", str(user.pk))
    pay(fill(start(ref), ref), ref)


def test_no_reader_comes_upon_it(ada: User) -> None:
    html = str(the_mail().alternatives[0][0])
    found = re.search(r'<td[^>]*>\s*<a[^>]*href="[^"]*/e/h/[^>]*></a>', html)
    assert found is not None, "there is nothing in it to read or to press"
    assert found[0].count('aria-hidden="true"') == found[0].count("display:none") == 2
    assert 'tabindex="-1"' in found[0]
    assert 'rel="nofollow"' in found[0]
    assert "/e/h/" not in str(the_mail().body)


def test_whoever_finds_it_all_the_same_is_told_that_it_leads_nowhere(ada: User) -> None:
    answer = Client().get(trap())
    assert (answer.status_code, dict(answer.cookies)) == (200, {})
    assert "There is nothing here" in answer.content.decode()
    assert (answer["X-Robots-Tag"], answer["Cache-Control"]) == ("noindex", "no-store")
    assert Client().post(trap()).status_code == 405


@pytest.mark.parametrize("is_before", [True, False])
def test_a_click_from_there_within_seconds_before_or_after_is_a_programs(ada: User, *, is_before: bool) -> None:
    come(link("c/r") if is_before else trap())
    age(4)
    come(trap() if is_before else link("c/r"))
    assert kinds() == ["scan"]
    arm = reporting.report(campaign=Campaign.objects.get(), now=clock.now()).arms[1]
    assert (arm.clicked, arm.scanned) == (0, 1)


@pytest.mark.parametrize("is_before", [True, False])
def test_unless_each_looks_for_the_other_it_would_be_a_readers(
    ada: User, monkeypatch: pytest.MonkeyPatch, *, is_before: bool
) -> None:
    come(link("c/r") if is_before else trap())
    monkeypatch.setattr(trapping, "part_programs", lambda **_: None)
    come(trap() if is_before else link("c/r"))
    assert kinds() == ["click"]


@pytest.mark.parametrize("is_before", [True, False])
def test_a_click_from_elsewhere_or_at_another_time_is_a_readers(ada: User, *, is_before: bool) -> None:
    first, then = (link("c/r"), trap()) if is_before else (trap(), link("c/r"))
    come(first, READER if is_before else SCANNER)
    come(then, SCANNER if is_before else READER)
    assert kinds() == ["click"]
    Touch.objects.all().delete()
    come(first)
    age(6)
    come(then)
    assert kinds() == ["click"]


def test_a_reader_clicks_after_the_scanner_did(ada: User) -> None:
    for path in (link("c/r"), trap(), link("c/r")):
        come(path)
    come(link("c/r"), READER)
    assert kinds() == ["click", "scan"]


def test_a_head_request_a_wrong_link_or_no_known_address_marks_nobody(ada: User) -> None:
    come(link("c/r"))
    Client(REMOTE_ADDR=SCANNER).head(trap())
    for token in ("A" * 34, link("e/u").rpartition("/")[2]):
        assert Client(REMOTE_ADDR=SCANNER).get(f"/e/h/{token}").status_code == 404
    come(trap(), "")
    assert not Touch.objects.filter(kind="trap").exists()
    assert kinds() == ["click"]


def test_an_order_given_to_a_programs_click_is_taken_back_and_goes_to_what_led_to_it(ada: User) -> None:
    message = the_message()
    come(link("c/r"), user=ada)
    order(ada)
    services.attribute_orders(now=clock.now())
    assert Attribution.objects.get().model == AttributionModel.CLICK.value
    come(trap())
    assert kinds() == ["scan"]
    assert not Attribution.objects.exists()
    services.attribute_orders(now=clock.now())
    assert not Attribution.objects.exists()

    an_hour_ago = clock.now() - timedelta(hours=1)
    Touch.objects.create(message=message, kind="click", visitor="somebody", at=an_hour_ago)
    services.attribute_orders(now=clock.now())
    assert Attribution.objects.get().message_id == message.pk


def test_what_readers_clicks_and_restores_got_stays(ada: User) -> None:
    come(link("c/r"), READER, user=ada)
    order(ada)
    services.attribute_orders(now=clock.now())
    come(trap())
    assert Attribution.objects.count() == 1


def test_where_visits_came_from_is_forgotten_within_minutes_and_never_kept_as_an_address(ada: User) -> None:
    come(link("c/r"))
    come(trap(), READER)
    sources = set(Touch.objects.values_list("source", flat=True))
    assert {len(source) for source in sources} == {16}
    assert len(sources) == 2
    assert services.forget_sources(now=clock.now()) == 0
    services.forget_sources(now=clock.now() + timedelta(minutes=2))
    assert list(Touch.objects.values_list("kind", "source")) == [("click", "")]


def test_a_source_is_one_address_or_one_network_of_ipv6() -> None:
    assert links.source_hash("192.0.2.7") == links.source_hash("::ffff:192.0.2.7") != links.source_hash("192.0.2.8")
    assert links.source_hash("2001:db8:0:1::1") == links.source_hash("2001:db8:0:1:ffff::2")
    assert links.source_hash("2001:db8:0:1::1") != links.source_hash("2001:db8:0:2::1")
    assert links.source_hash("") == links.source_hash("unknown") == ""


def test_an_erased_customers_visits_come_from_nowhere(ada: User) -> None:
    come(link("c/r"))
    come(trap())
    ada.delete()
    assert set(Touch.objects.values_list("visitor", "source")) == {("", "")}
    assert Message.objects.get(kind="recovery").link_hash is None


def test_it_costs_few_queries(ada: User) -> None:
    for path, most in ((trap(), 3), (link("c/r"), 4)):
        with CaptureQueriesContext(connection) as queries:
            come(path)
        assert len(queries) <= most


def test_samples_and_previews_have_no_such_link() -> None:
    from django.template.loader import render_to_string  # noqa: PLC0415

    html = render_to_string("notifications/mail/cart_reminder.html", {"urls": {"restore": "/"}})
    assert "mso-hide:all" not in html
    assert reverse("notifications:trap", args=["x"]) == "/e/h/x"
