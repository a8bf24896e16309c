"""Whose cart a request is about, and its cookies."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from cart import identity, middleware, selectors, services, store
from cart.errors import CartsUnavailableError
from cart.types import CartRef
from shop.core.ids import hash_token, new_token
from tests.cart.helpers import NOW, customer, make_sku, quantities

pytestmark = pytest.mark.django_db


def _request(user_id: int | None = None, *, secure: bool = False, header: str = "", **cookies: str) -> HttpRequest:
    request = RequestFactory().post("/", secure=secure, headers={"Cart-Session": header} if header else {})
    request.user = get_user_model()(pk=user_id) if user_id else AnonymousUser()
    request.COOKIES.update({name.replace("host_", "__Host-"): value for name, value in cookies.items()})
    return request


def _guest(token: str) -> CartRef:
    return CartRef("g", hash_token(token))


def test_the_first_that_fits_wins() -> None:
    token, other = new_token(), new_token()
    assert identity.cart_ref(_request(7, header=token)) == customer(7)
    assert identity.cart_ref(_request(header=token, cart_session=other)) == _guest(token)
    assert identity.cart_ref(_request(cart_session=other)) == _guest(other)
    assert identity.cart_ref(_request(secure=True, host_cart_session=token)) == _guest(token)
    assert identity.cart_ref(_request()) is None


def test_over_https_only_the_cookie_that_nobody_else_can_set_counts() -> None:
    mine, planted = new_token(), new_token()
    assert identity.cart_ref(_request(secure=True, cart_session=planted)) is None
    assert identity.cart_ref(_request(secure=True, host_cart_session=mine, cart_session=planted)) == _guest(mine)
    assert identity.cart_ref(_request(secure=True, host_cart_session="x", cart_session=planted)) is None
    assert identity.cart_ref(_request(secure=True, header=planted, cart_session=mine)) == _guest(planted)
    _ref, fresh = identity.require_cart_ref(_request(secure=True, cart_session=planted))
    assert fresh not in ("", None, planted)


@pytest.mark.parametrize("garbage", ["", "x", "x" * 4_096, "u:7", "é" * 43, "a" * 44, "../" * 14 + "a"])
def test_garbage_counts_as_no_cart(garbage: str) -> None:
    request = _request(cart_session=garbage)
    assert identity.cart_ref(request) is None
    ref, token = identity.require_cart_ref(request)
    assert token is not None
    assert ref == _guest(token)
    assert ref.is_new


def test_a_new_session_goes_out_as_cookie_and_header(settings: Any) -> None:
    make_sku()
    request = _request()
    done = identity.perform(request, lambda ref: services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW))
    response = HttpResponse()

    identity.attach_session(response, request, new_token=done.new_token, cart=done.result.cart)

    assert response["Cart-Session"] == done.new_token
    cookie = response.cookies["cart_session"]
    assert (cookie.value, cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (
        done.new_token,
        True,
        "Lax",
        "/",
        "",
    )
    assert cookie["max-age"] == 30 * 86_400
    assert response.cookies["cart_n"].value == "3"
    assert response.cookies["cart_v"].value == str(done.result.cart.version)
    assert not response.cookies["cart_n"]["httponly"]


def test_over_https_the_cookie_has_the_host_prefix() -> None:
    request, response = _request(secure=True), HttpResponse()
    identity.attach_session(response, request, new_token=new_token())
    assert response.cookies["__Host-cart_session"]["secure"]
    assert "cart_session" not in response.cookies


def test_a_write_with_a_merged_guests_token_gets_a_new_session() -> None:
    make_sku()
    token = new_token()
    services.add_line(ref=_guest(token), sku_id="MUG", quantity=3, now=NOW)
    services.merge_guest_cart(guest_ref=_guest(token), user_id=7, now=NOW)

    done = identity.perform(
        _request(cart_session=token), lambda ref: services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    )

    assert done.new_token not in ("", token)
    assert quantities(done.result.cart) == {"MUG": 1}


def test_a_guest_who_meets_a_merge_half_done_finishes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    token = new_token()
    services.add_line(ref=_guest(token), sku_id="MUG", quantity=3, now=NOW)
    store.freeze(owner=_guest(token).owner, into="u:7", merge_id="m", policy="max")

    done = identity.perform(
        _request(cart_session=token), lambda ref: services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    )

    assert done.new_token
    assert quantities(done.result.cart) == {"MUG": 1}
    assert quantities(selectors.get_cart(ref=customer())) == {"MUG": 3}


def _sign_in(request: HttpRequest, user_id: int = 7) -> HttpResponse:
    """Sign in as Django does: the signal, then the answer through the middleware."""

    def view(request: HttpRequest) -> HttpResponse:
        user_logged_in.send(sender=None, request=request, user=get_user_model()(pk=user_id, last_login=None))
        return HttpResponse()

    user_logged_in.disconnect(dispatch_uid="update_last_login")
    response = middleware.cart_cookies(view)(request)
    assert isinstance(response, HttpResponse)
    return response


def test_signing_in_joins_the_carts_and_ends_the_guests_session() -> None:
    make_sku()
    token = new_token()
    services.add_line(ref=_guest(token), sku_id="MUG", quantity=3, now=NOW)

    response = _sign_in(_request(cart_session=token))

    assert quantities(selectors.get_cart(ref=customer())) == {"MUG": 3}
    assert response.cookies["cart_session"]["max-age"] == 0
    assert response.cookies["cart_n"].value == "3"


def test_signing_in_without_a_guests_cart_shows_the_customers_number() -> None:
    make_sku()
    services.add_line(ref=customer(), sku_id="MUG", quantity=2, now=NOW)
    response = _sign_in(_request())
    assert response.cookies["cart_n"].value == "2"
    assert "cart_session" not in response.cookies


def test_a_failure_to_join_never_spoils_the_sign_in_and_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    token = new_token()
    services.add_line(ref=_guest(token), sku_id="MUG", quantity=3, now=NOW)

    def die(**_: object) -> None:
        raise CartsUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(store, "freeze", die)
        response = _sign_in(_request(cart_session=token))
    assert "cart_session" not in response.cookies

    later = _request(7, cart_session=token)
    result = identity.finish_pending_merge(later)
    assert result is not None
    assert quantities(result.cart) == {"MUG": 3}
    answer = HttpResponse()
    identity.attach_session(answer, later)
    assert answer.cookies["cart_session"]["max-age"] == 0


def test_another_customers_guest_token_brings_nothing_and_is_dropped() -> None:
    make_sku()
    token = new_token()
    services.add_line(ref=_guest(token), sku_id="MUG", quantity=3, now=NOW)
    services.merge_guest_cart(guest_ref=_guest(token), user_id=7, now=NOW)

    response = _sign_in(_request(cart_session=token), user_id=8)

    assert selectors.get_cart(ref=customer(8)).lines == ()
    assert response.cookies["cart_session"]["max-age"] == 0


def test_signing_out_forgets_the_number() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        user_logged_out.send(sender=None, request=request, user=None)
        return HttpResponse()

    response = middleware.cart_cookies(view)(_request(cart_n="3", cart_v="1"))

    assert isinstance(response, HttpResponse)
    assert (response.cookies["cart_n"]["max-age"], response.cookies["cart_v"]["max-age"]) == (0, 0)


def test_other_answers_set_no_cookie() -> None:
    response = middleware.cart_cookies(lambda _: HttpResponse())(_request(cart_n="3"))
    assert isinstance(response, HttpResponse)
    assert not response.cookies


def test_a_second_identity_is_noticed() -> None:
    assert identity.is_second_identity(_request(7, cart_session=new_token()))
    assert not identity.is_second_identity(_request(7))
    assert not identity.is_second_identity(_request(cart_session=new_token()))
