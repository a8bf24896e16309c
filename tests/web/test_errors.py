"""What shoppers see when something is wrong with the request, with the shop, or with a server behind it."""

from __future__ import annotations

import dataclasses

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.urls import reverse

from cart import recorder
from shop.core.web import errors
from tests.web.helpers import sell, shopper_with, to_review
from tests.web.shopper import Shopper


def test_the_error_pages_ask_no_server() -> None:
    request = RequestFactory().get("/anything/")  # without session, user or cookies
    for answer, status in (
        (errors.bad_request(request, ValueError()), 400),
        (errors.permission_denied(request, PermissionError()), 403),
        (errors.page_not_found(request, LookupError()), 404),
        (errors.server_error(request), 500),
    ):
        assert answer.status_code == status
        assert b"shop.css" in answer.content
        assert b"<h1>" in answer.content
        assert answer["Cache-Control"] == "no-store"
        assert b"oops" not in answer.content.lower()
        assert b"!" not in answer.content.split(b"<main", 1)[1].split(b"</main>", 1)[0]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/p/enamel-mug/", "/cart/", "/orders/"])
def test_without_postgresql_a_page_says_try_again(client: Client, path: str) -> None:
    client.cookies["cart_session"] = "A" * 43

    def no_server(*_: object) -> None:
        raise OperationalError

    with connection.execute_wrapper(no_server):
        answer = client.get(path)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert answer["Cache-Control"] == "no-store"
    assert b"Please try again in a minute." in answer.content
    assert f'href="{path}"'.encode() in answer.content


@pytest.mark.django_db
def test_without_redis_the_cart_is_shown_as_last_saved_and_cannot_be_changed(settings: LazySettings) -> None:
    sell("MUG", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG")
    form = shopper.fields_of("Remove Enamel mug")
    recorder.drain()
    settings.CART = dataclasses.replace(settings.CART, redis_url="redis://127.0.0.1:1/0")
    shopper.open("/cart/")
    assert shopper.status == 200
    assert shopper.sees("This is your cart as last saved. It cannot be changed right now.")
    assert shopper.sees("£14.00")
    assert not shopper.can_press("Check out")
    shopper.post("/cart/lines/MUG/remove/", form)
    assert shopper.status == 503
    shopper.open("/p/enamel-mug/").press("Add to cart")
    assert shopper.status == 503
    assert shopper.sees("try again")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/checkout/chk_000000000000000000000000/delivery/", "/orders/ord_000000000000000000000000/"]
)
def test_what_is_not_ones_own_looks_like_what_does_not_exist(path: str) -> None:
    sell("MUG", "Enamel mug")
    owner = to_review(shopper_with("MUG"))
    theirs = owner.url
    other = shopper_with("MUG")
    assert other.open(theirs).status == 404
    foreign = other.text
    assert other.open(path).status == 404
    if "checkout" in path:
        assert other.text == foreign


@pytest.mark.django_db
@pytest.mark.parametrize("step", ["delivery", "payment", "review", "waiting"])
def test_private_pages_are_kept_nowhere(step: str) -> None:
    sell("MUG", "Enamel mug")
    shopper = to_review(shopper_with("MUG"))
    checkout = shopper.url.split("/")[2]
    answer = shopper.client.get(f"/checkout/{checkout}/{step}/")
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_the_cart_may_be_kept_for_back_but_is_asked_for_again() -> None:
    sell("MUG", "Enamel mug")
    assert shopper_with("MUG").client.get("/cart/")["Cache-Control"] == "private, no-cache"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "/\n/evil.example",
        "javascript:1",
    ],
)
def test_sign_in_leads_to_no_other_host(client: Client, target: str) -> None:
    get_user_model().objects.create_user(email="ada@example.org", password="long enough to be safe")
    typed = {"login": "ada@example.org", "password": "long enough to be safe", "next": target}
    answer = client.post(reverse("account_login"), typed)
    assert answer.status_code == 302
    assert answer["Location"] == "/"


@pytest.mark.django_db
def test_getting_a_page_that_changes_something_is_refused() -> None:
    for path in ("/cart/add/", "/cart/lines/MUG/", "/cart/empty/", "/cart/undo/", "/cart/notices/ack/"):
        assert Client().get(path).status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize("did", ["x", "W10:1:x", "a" * 5000, "%00"])
def test_a_forged_message_is_not_shown(did: str) -> None:
    assert Shopper().open(f"/cart/?did={did}&stop=%3Cscript%3E&edit=%00&quantity=9").status == 200
