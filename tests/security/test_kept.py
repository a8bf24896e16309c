"""What caches may keep, and what a browser is told with every answer: each address of the shop, read from its paths."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from shop.accounts.models import User
from shop.checkout.models import Checkout, Order, Payment
from tests.security.test_admin_rights import ADDRESSES
from tests.security.test_routes import ROUTES
from tests.web.helpers import sell, shopper_with, to_review

pytestmark = pytest.mark.django_db

# The same for everybody: any cache may keep it.
PUBLIC = {
    "/",
    "/p/<slug:slug>/",
    "/pictures/<str:name>.png",
    "/pictures/<str:name>.svg",
    "/api/v1/problems/<str:code>",
    "/api/v1/regions",
    "/api/v1/schema",
    "/api/v1/skus",
    "/api/v1/skus/<path:sku_id>",
}
# Somebody's own: the browser may keep it, and asks before it shows it again. Everything else is kept nowhere.
PRIVATE = {
    "/cart/",
    "/cart/codes/",
    "/cart/merge/",
    "/api/v1/cart",
    "/api/v1/cart/count",
    "/api/v1/orders",
    "/api/v1/orders/<str:number>",
    "/api/v1/saved-items",
}
POLICY = {
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
}


def _filled(path: str) -> str:
    values = {
        "checkout_id": Checkout.objects.get(state="open").checkout_id,
        "number": Order.objects.get().number,
        "payment_id": Payment.objects.get().payment_id,
        "sku_id": "MUG",
        "slug": "enamel-mug",
        "code": "not_found",
    }
    path = path.replace("^", "").removesuffix("$")
    path = re.sub(r"\(\?P<\w+>[^)]+\)", "x", path)
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values.get(found[1], "x"), path)


def _signed_in(email: str, *, is_staff: bool) -> Client:
    client = Client()
    user = User.objects.create_user(email, "secret", is_staff=is_staff, is_superuser=is_staff)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def everybody() -> dict[str, Client]:
    """Give a visitor, a guest with an order and an open checkout, a customer and a member of staff."""
    sell("MUG", "Enamel mug")
    guest = to_review(shopper_with("MUG"))
    guest.press("Pay £10.00")
    guest.open("/p/enamel-mug/?sku=MUG").press("Add to cart")
    return {
        "visitor": Client(),
        "guest": to_review(guest).client,
        "customer": _signed_in("bob@example.com", is_staff=False),
        "staff": _signed_in("boss@example.com", is_staff=True),
    }


def _get(client: Client, path: str) -> HttpResponse:
    client.raise_request_exception = False
    answer = client.get(path)
    assert isinstance(answer, HttpResponse)
    return answer


def test_caches_keep_what_is_everybodys_and_nothing_else(everybody: dict[str, Client]) -> None:
    kept: dict[str, set[str]] = {"public": set(), "private": set()}
    for who, client in everybody.items():
        for path in ROUTES:
            answer = _get(client, _filled(path))
            said = {word.strip().partition("=")[0] for word in answer["Cache-Control"].split(",")}
            if "no-store" in said:
                continue
            kind = "public" if "public" in said else "private"
            assert kind in said, (who, path, said)
            kept[kind].add(path)
            if kind == "private":
                assert "no-cache" in said, (who, path)
                assert answer.status_code != 200 or "Cookie" in answer["Vary"], (who, path)
    assert (kept["public"] ^ PUBLIC, kept["private"] ^ PRIVATE) == (set(), set())


def test_what_is_everybodys_is_the_same_for_everybody_and_sets_no_cookie(everybody: dict[str, Client]) -> None:
    for path in PUBLIC:
        answers = {who: _get(client, _filled(path)) for who, client in everybody.items()}
        assert {answer.status_code for answer in answers.values()} == {200}, path
        assert len({answer.content for answer in answers.values()}) == 1, path
        for who, answer in answers.items():
            assert not answer.cookies, (who, path)
            assert {word.strip() for word in answer["Vary"].split(",")} <= {"Accept-Language"}, (who, path)


def test_every_answer_tells_the_browser_what_it_may_do(everybody: dict[str, Client]) -> None:
    tried = [(everybody["guest"], _filled(path)) for path in ROUTES]
    tried += [(everybody["staff"], path) for path in ADDRESSES]
    tried += [(everybody["visitor"], path) for path in ("/nothing/", "/api/nothing", "/admin/", "/p/%00/")]
    seen = set()
    for client, path in tried:
        answer = _get(client, path)
        seen.add(answer.status_code)
        assert set(answer["Content-Security-Policy"].split("; ")) == POLICY, path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["X-Frame-Options"] == "DENY", path
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", path
        # `strict-origin` stands where a path may hold a token: of such an address nothing leaves but the host.
        assert answer["Referrer-Policy"] in ("same-origin", "strict-origin", "no-referrer"), path
        assert "Access-Control-Allow-Origin" not in answer, path
        if path.startswith("/admin/"):
            assert "no-store" in answer["Cache-Control"], path
    assert seen >= {200, 302, 303, 401, 403, 404, 405}


@pytest.mark.parametrize("host", ["testserver", "evil.example.com"])
def test_refusals_say_the_same(db: None, host: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Host": host})
    for path in ("/accounts/login/", "/cart/add/", "/orders/find/", "/admin/login/"):
        answer = client.post(path, {"a": "b"})
        assert answer.status_code in (400, 403), path
        assert set(answer["Content-Security-Policy"].split("; ")) == POLICY, path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["Cache-Control"] == "no-store", path
