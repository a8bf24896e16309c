"""What holds everywhere: secrets are kept as hashes, nothing foreign is fetched, no text is taken for a program."""

from __future__ import annotations

import re
from pathlib import Path

import pgtrigger
import pytest
import redis
from django.contrib import admin
from django.core import mail
from django.test import RequestFactory

from cart import recorder
from cart.identity import COOKIE, SECURE_COOKIE
from notifications import services as notifications
from notifications.models import Step
from shop.accounts.models import User
from shop.catalog.models import Product, Sku
from shop.core import clock
from tests.checkout.helpers import make_sku, pay, ready
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run, the_mail
from tests.tables import all_keys, all_rows
from tests.web.helpers import shopper_with

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path for app in ("cart", "inventory", "notifications", "pricing", "shop") for path in (ROOT / app).rglob("*.py")
]
CLIENTS = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "telnetlib", "urllib", "urllib3"}


@pytest.mark.django_db
def test_no_secret_that_was_handed_out_stands_anywhere(cart_redis: redis.Redis) -> None:
    make_sku("MUG")
    cookies = shopper_with("MUG").client.cookies
    leave_cart(make_customer())
    make_campaign()
    assert run() == 1
    reminder = {kind: link(kind).rsplit("/", 1)[1] for kind in ("c/r", "e/u", "e/p")}
    hidden = re.search(r"/e/h/([\w-]+)", str(the_mail().alternatives[0][0]))
    guest, view = ready()
    pay(view, guest)
    notifications.queue_order_mails(now=clock.now())
    notifications.dispatch_messages(now=clock.now())
    found = re.search(r"/orders/link/([\w-]+)/", str(mail.outbox[-1].body))
    recorder.drain()
    assert found
    assert hidden

    secrets = [
        next(cookies[name].value for name in (SECURE_COOKIE, COOKIE) if name in cookies),
        found[1],
        hidden[1],
        *reminder.values(),
        reminder["c/r"][:22],
    ]

    kept = all_rows() + all_keys(cart_redis)
    assert [secret for secret in secrets if secret in kept] == []
    # 6 bits a character: at least 128 bits each, and none is a UUID.
    assert min(len(secret) for secret in secrets) * 6 >= 128
    assert view.checkout_id in kept


def _imports(path: Path) -> set[str]:
    found = re.findall(r"^ *(?:import|from) ([\w.]+)", path.read_text(), re.MULTILINE)
    harmless = ("urllib.parse", "requests.exceptions", "urllib3.exceptions")  # call nobody
    return {name for name in found if name.partition(".")[0] in CLIENTS and name not in harmless}


def test_only_providers_that_settings_name_are_called_and_no_address_from_outside_is_fetched() -> None:
    """The servers of one's own machine apart, and a mail provider's, which a library calls."""
    callers = {
        str(path.relative_to(ROOT)): names
        for path in SOURCES
        if "embedded" not in path.parts and (names := _imports(path))
    }

    assert callers == {
        "cart/recorder.py": {"socket"},  # the machine's name
        "notifications/admin/campaigns.py": {"smtplib"},  # here and below: its errors
        "notifications/services/dispatching.py": {"smtplib"},
        "notifications/services/handing.py": {"smtplib"},
        "notifications/services/reminding.py": {"smtplib"},
        "notifications/services/telling.py": {"smtplib"},
        "shop/checkout/gateways/stripe_api.py": {"requests"},
    }


@pytest.mark.django_db
def test_no_search_of_staff_takes_text_for_a_program(rf: RequestFactory) -> None:
    make_sku("MUG")
    request = rf.get("/")
    request.user = User.objects.create_superuser("boss@example.com", None)

    for page in admin.site._registry.values():
        rows = page.get_queryset(request)
        for text in ("' OR 1=1 --", "%_\\'\"); DROP TABLE catalog_sku; --", "u:99999999999999999999", "{{7*7}}"):
            found, _ = page.get_search_results(request, rows, text)
            assert list(found[:1]) == [] or not page.get_search_fields(request), (page, text)

    assert Sku.objects.get().sku_id == "MUG"


@pytest.mark.django_db
def test_words_of_staff_and_titles_are_no_templates() -> None:
    make_sku("MUG")
    Product.objects.update(title="Mug {shop} {{ 7|add:7 }} {% now 'Y' %} %(x)s")
    leave_cart(make_customer())
    make_campaign()
    words = "{item} | {shop} {item.__class__} {0} {{ 7|add:7 }} {% load static %} %s"
    with pgtrigger.ignore("notifications.Step:step_frozen"):
        Step.objects.update(subject=words, heading=words)

    assert run() == 1

    title = "Mug {shop} {{ 7|add:7 }} {% now 'Y' %} %(x)s, MUG"
    filled = f"{title} | Trolley {{item.__class__}} {{0}} {{{{ 7|add:7 }}}} {{% load static %}} %s"
    assert the_mail().subject == filled
    assert filled in str(the_mail().body)
