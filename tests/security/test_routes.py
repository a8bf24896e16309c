"""Every address of the shop × everybody who may ask; read from the URL configuration, so a new one is judged too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from django.urls import URLPattern, get_resolver

from cart import recorder
from shop.accounts.models import User
from shop.checkout.models import Checkout, Order, Payment
from tests.tables import all_keys, rows_of
from tests.web.helpers import sell, shopper_with, to_review
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db

PASSWORD = "long enough to be safe"
SHAPES = {"checkout_id": "chk_", "number": "ord_", "payment_id": "pay_"}
ABSENT = "0" * 24
METHODS = ("GET", "POST", "PATCH", "DELETE")


def _routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for entry in patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path
        else:
            yield from _routes(entry.url_patterns, path)


ROUTES = sorted({f"/{path}" for path in _routes(get_resolver().url_patterns) if not path.startswith("admin/")})
OWNED = [path for path in ROUTES if any(f":{name}>" in path for name in SHAPES)]


def _fill(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"<\w+:(\w+)>", lambda found: ids[found[1]], path)


def _customer(email: str, *, is_staff: bool = False) -> Client:
    client = Client(headers={"Sec-Fetch-Site": "same-origin"})
    user = User.objects.create_user(email, PASSWORD, is_staff=is_staff, is_superuser=is_staff)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def owner() -> Shopper:
    """Give somebody with an order and a checkout that is open."""
    sell("MUG", "Enamel mug")
    owner = to_review(shopper_with("MUG"))
    owner.press("Pay £10.00")
    owner.open("/p/enamel-mug/?sku=MUG").press("Add to cart")
    return to_review(owner)


@pytest.fixture
def strangers(owner: Shopper) -> dict[str, Client]:
    """Give everybody else."""
    return {
        "nobody": Client(headers={"Sec-Fetch-Site": "same-origin"}),
        "another guest": shopper_with("MUG").client,
        "another customer": _customer("bob@example.com"),
        "staff": _customer("boss@example.com", is_staff=True),
    }


def _ids() -> dict[str, str]:
    return {
        "checkout_id": Checkout.objects.get(state="open").checkout_id,
        "number": Order.objects.get().number,
        "payment_id": Payment.objects.get().payment_id,
    }


def _ask(client: Client, method: str, path: str) -> tuple[int, str]:
    headers = {"Idempotency-Key": "one-key-for-all", "If-Match": "*"}
    kind = "application/json" if path.startswith("/api/") else "application/x-www-form-urlencoded"
    body = b"{}" if path.startswith("/api/") and method in ("POST", "PATCH") else b""
    csrf = client.cookies.get("csrftoken")
    if csrf is not None:
        headers["X-CSRFToken"] = csrf.value
    answer = client.generic(method, path, body, content_type=kind, headers=headers)
    said = re.sub(r'urn:request:[^"]+|value="[A-Za-z0-9]{64}"', "", answer.content.decode())
    return answer.status_code, said


def test_there_are_addresses_of_things_that_belong_to_somebody() -> None:
    assert len(OWNED) >= 19


def test_what_is_anothers_answers_on_every_address_as_what_does_not_exist(
    owner: Shopper, strangers: dict[str, Client]
) -> None:
    theirs = _ids()
    absent = {name: shape + ABSENT for name, shape in SHAPES.items()}
    before = (Checkout.objects.get(state="open").version, Order.objects.count(), Payment.objects.count())

    for who, client in strangers.items():
        for path in OWNED:
            for method in METHODS:
                status, said = _ask(client, method, _fill(path, theirs))
                assert status >= 300, (who, method, path, status)  # a few lead on to the page that then answers
                empty, told = _ask(client, method, _fill(path, absent))
                for name, value in absent.items():
                    told = told.replace(value, theirs[name])
                assert (status, said) == (empty, told), (who, method, path)

    assert before == (Checkout.objects.get(state="open").version, Order.objects.count(), Payment.objects.count())


def test_its_owner_gets_it(owner: Shopper) -> None:
    ids = _ids()
    seen = {path: _ask(owner.client, "GET", _fill(path, ids))[0] for path in OWNED}
    # Those which only take changes, and the payment of the order under the checkout that is open.
    assert set(seen.values()) <= {200, 302, 303, 404, 405}, seen
    got = {path for path, status in seen.items() if status in (200, 302, 303)}
    assert got >= {
        "/api/v1/checkouts/<str:checkout_id>",
        "/api/v1/orders/<str:number>",
        "/checkout/<str:checkout_id>/delivery/",
        "/checkout/<str:checkout_id>/review/",
        "/orders/<str:number>/",
    }


def test_an_address_without_an_id_shows_nothing_of_anybody(owner: Shopper) -> None:
    personal = ["ada@example.org", "Ada Byron", "Analytical Row", *_ids().values()]
    for path in ROUTES:
        if "<" not in path and "(" not in path:
            answer = Client().get(path)
            assert answer.status_code < 500 or path == "/readyz", path
            said = "" if answer.streaming else answer.content.decode()
            assert not [text for text in personal if text in said], path


def _kept(cart_redis: redis.Redis) -> list[str]:
    """Read all that is kept, but for sessions (an opened page may note which order was shown) and signs of life."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) - {"django_session"}
    keys = [line for line in all_keys(cart_redis).splitlines() if not line.startswith(("readyz ", "cart_recorder "))]
    return sorted(rows_of(tables).splitlines() + keys)


def test_opening_an_address_changes_nothing(owner: Shopper, cart_redis: redis.Redis) -> None:
    recorder.drain()
    ids = {**_ids(), "sku_id": "MUG", "slug": "enamel-mug"}
    before = _kept(cart_redis)

    for path in ROUTES:
        for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
            filled = re.sub(r"<\w+:(\w+)>", lambda found: ids.get(found[1], "x"), path)
            owner.client.generic(method, filled, headers={"Sec-Fetch-Site": "cross-site"})

    recorder.drain()
    assert _kept(cart_redis) == before


def test_no_personal_page_answers_under_the_name_of_a_file_that_caches_keep(owner: Shopper) -> None:
    for path in ("/cart/x.css", "/orders/x.css/", "/checkout/x.css", "/accounts/login/x.css", "/cart/lines/x.css"):
        answer = owner.client.get(path, follow=True)
        assert answer.status_code in (404, 405), path
        assert "public" not in answer["Cache-Control"]
