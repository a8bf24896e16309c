"""Merges that are none: refused as problems, and nothing of the customer's cart changes."""

from __future__ import annotations

from typing import Any

import pytest

from cart import services
from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem, sell
from tests.cart.helpers import NOW, customer

pytestmark = pytest.mark.django_db

LINE: dict[str, Any] = {"sku_id": "MUG", "quantity": 3}


def kept(*lines: object) -> dict[str, Any]:
    """Write a wish to merge lines that a client kept."""
    return {"source": {"items": list(lines)}, "merge_id": "m1"}


def session(text: str) -> dict[str, Any]:
    """Write a wish to merge a guest's cart."""
    return {"source": {"cart_session": text}, "merge_id": "m1"}


NO_SOURCES: tuple[object, ...] = (
    *({}, [], None, "x"),
    *({"items": [], "cart_session": "x"}, {"items": "MUG"}, {"items": None}),
)
NO_LINES: tuple[object, ...] = ("MUG", None, [], {"sku_id": "MUG"}, {"quantity": 1})
WISHES: tuple[tuple[object, int, str], ...] = (
    ({"merge_id": "m1"}, 422, "validation_failed"),
    ([], 422, "validation_failed"),
    *(({"source": odd, "merge_id": "m1"}, 422, "validation_failed") for odd in NO_SOURCES),
    *((kept(odd), 422, "validation_failed") for odd in NO_LINES),
    *((kept({**LINE, "quantity": odd}), 422, "validation_failed") for odd in (-1, 0, 1.5, "2", True, None)),
    *((kept({**LINE, "quantity": odd}), 422, "quantity_too_large") for odd in (100, 2**63, 10**30)),
    (kept(*[LINE] * 34), 422, "quantity_too_large"),  # summed per SKU
    (kept(*({**LINE, "sku_id": f"S{n}"} for n in range(101))), 422, "validation_failed"),
    *((kept({**LINE, "sku_id": odd}), 422, "validation_failed") for odd in ("@version", "a\0b", "", 7, "a" * 300)),
    (kept({**LINE, "price_at_add": 1}), 400, "unknown_parameter"),
    ({**kept(LINE), "user": 8}, 400, "unknown_parameter"),
    *(({**kept(LINE), "policy": odd}, 422, "validation_failed") for odd in ("most", "", None, 1)),
    ({"source": {"items": [LINE]}}, 422, "validation_failed"),
    *(({**kept(LINE), "merge_id": odd}, 422, "validation_failed") for odd in ("", "x" * 101, 7, None)),
    *((session(odd), 409, "merge_source_gone") for odd in ("x", "../../etc", "A" * 42, "A" * 43)),
    (session("A" * 4_096), 422, "validation_failed"),
)


def test_a_merge_that_is_none_is_refused_whole(api: Api) -> None:
    sell("MUG", on_hand=500)
    user = User.objects.create_user("ada@example.com", "trolley-demo-1")
    api.sign_in("ada@example.com", "trolley-demo-1")
    services.add_line(ref=customer(user.pk), sku_id="MUG", quantity=2, now=NOW)
    before = api("GET", "cart?expand=page").json()

    for wish, status, code in WISHES:
        problem = assert_problem(api("POST", "cart/merge", wish), status, code)
        assert problem.get("errors") or status == 409, wish
    assert api("GET", "cart?expand=page").json() == before


def test_a_guests_cart_that_went_to_another_customer_is_as_one_that_never_was(api: Api) -> None:
    sell("MUG")
    User.objects.create_user("ada@example.com", "trolley-demo-1")
    guest = Api()
    guest("PUT", "cart/items/MUG", {"quantity": 1})
    token = guest.cart_session
    first = Api(cart_session=token)
    User.objects.create_user("bob@example.com", "trolley-demo-1")
    first.sign_in("bob@example.com", "trolley-demo-1")
    api.sign_in("ada@example.com", "trolley-demo-1")

    theirs = assert_problem(api("POST", "cart/merge", session(token)), 409, "merge_source_gone")
    absent = assert_problem(api("POST", "cart/merge", session("A" * 43)), 409, "merge_source_gone")
    assert {**theirs, "instance": ""} == {**absent, "instance": ""}
    assert api("GET", "cart").json()["items"] == []
