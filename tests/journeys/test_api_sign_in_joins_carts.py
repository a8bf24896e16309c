"""Signing in through the API joins the guest's cart to the customer's."""

from __future__ import annotations

import pytest

from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem, sell

PASSWORD = "trolley-demo-1"


@pytest.fixture
def ada(db: None) -> User:
    """Make a customer."""
    return User.objects.create_user("ada@example.com", PASSWORD)


def test_the_carts_are_joined_and_the_receipt_tells(ada: User) -> None:
    for sku_id in ("MUG-1", "MUG-2", "MUG-3"):
        sell(sku_id)
    at_home = Api()
    at_home.sign_in(ada.email, PASSWORD)
    at_home("PUT", "cart/items/MUG-1", {"quantity": 3})
    at_home("PUT", "cart/items/MUG-2", {"quantity": 1})
    on_the_phone = Api()
    on_the_phone("PUT", "cart/items/MUG-1", {"quantity": 2})
    on_the_phone("PUT", "cart/items/MUG-3", {"quantity": 1})
    guest_session = on_the_phone.cart_session

    assert on_the_phone.sign_in(ada.email, PASSWORD).status_code == 200

    cart = on_the_phone("GET", "cart?expand=notices").json()
    assert {line["sku_id"]: line["quantity"] for line in cart["items"]} == {"MUG-1": 3, "MUG-2": 1, "MUG-3": 1}
    assert [notice["kind"] for notice in cart["notices"]] == ["merged"]
    assert at_home("GET", "cart").json()["items"] == on_the_phone("GET", "cart").json()["items"]

    with_the_old_session = Api(cart_session=guest_session)
    assert with_the_old_session("GET", "cart").json()["items"] == []
    written = with_the_old_session("PUT", "cart/items/MUG-2", {"quantity": 9})
    assert written.status_code == 201
    assert written.headers["Cart-Session"] != guest_session
    assert at_home("GET", "cart").json()["items"] == on_the_phone("GET", "cart").json()["items"]


def test_signing_up_takes_the_cart_along_without_waiting_for_a_mail(db: None) -> None:
    sell("MUG-1")
    api = Api()
    api("PUT", "cart/items/MUG-1", {"quantity": 2})

    response = api("POST", "auth/app/v1/auth/signup", {"email": "new@example.com", "password": PASSWORD})

    assert response.status_code == 200, response.content
    api.token, api.cart_session = response.json()["meta"]["session_token"], ""
    assert api("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 2}]


def test_the_same_guest_session_beside_a_customers_is_left_alone_and_said_so(ada: User) -> None:
    sell("MUG-1")
    guest = Api()
    guest("PUT", "cart/items/MUG-1", {"quantity": 2})
    customer = Api()
    customer.sign_in(ada.email, PASSWORD)

    answer = customer("PUT", "cart/items/MUG-1", {"quantity": 1}, Cart_Session=guest.cart_session)

    assert answer.json()["items"] == [{"sku_id": "MUG-1", "quantity": 1}]
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["cart_session_ignored"]
    assert guest("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 2}]


def test_a_cart_can_be_joined_later_and_once(ada: User) -> None:
    sell("MUG-1")
    guest = Api()
    guest("PUT", "cart/items/MUG-1", {"quantity": 2})
    customer = Api()
    customer.sign_in(ada.email, PASSWORD)
    customer("PUT", "cart/items/MUG-1", {"quantity": 3})
    wish = {"source": {"cart_session": guest.cart_session}, "policy": "sum", "merge_id": "m-1"}

    first = customer("POST", "cart/merge", wish)
    second = customer("POST", "cart/merge", wish)

    assert first.status_code == 200, first.content
    assert first.json()["cart"]["items"] == [{"sku_id": "MUG-1", "quantity": 5}]
    assert first.json()["receipt"] == [
        {"sku_id": "MUG-1", "outcome": "summed", "account": 3, "guest": 2, "result": 5},
    ]
    assert second.json()["receipt"] == first.json()["receipt"]
    assert second.json()["cart"]["items"] == first.json()["cart"]["items"]
    assert second.headers["Idempotent-Replayed"] == "true"
    undone = customer("POST", "cart/undo", {"undo": first.json()["undo"]})
    assert undone.json()["items"] == [{"sku_id": "MUG-1", "quantity": 3}]


def test_a_cart_that_the_app_kept_itself_is_joined_without_its_prices(ada: User) -> None:
    sell("MUG-1")
    customer = Api()
    customer.sign_in(ada.email, PASSWORD)

    joined = customer(
        "POST",
        "cart/merge",
        {"source": {"items": [{"sku_id": "MUG-1", "quantity": 2}]}, "merge_id": "m-2"},
    )

    assert joined.status_code == 200, joined.content
    assert joined.json()["cart"]["items"] == [{"sku_id": "MUG-1", "quantity": 2}]
    priced = {"source": {"items": [{"sku_id": "MUG-1", "quantity": 2, "price_at_add": 1}]}, "merge_id": "m-3"}
    assert_problem(customer("POST", "cart/merge", priced), 400, "unknown_parameter")


def test_a_foreign_or_made_up_guest_session_is_gone_all_the_same(ada: User) -> None:
    sell("MUG-1")
    other = User.objects.create_user("bob@example.com", PASSWORD)
    guest = Api()
    guest("PUT", "cart/items/MUG-1", {"quantity": 2})
    token = guest.cart_session
    assert guest.sign_in(other.email, PASSWORD).status_code == 200
    customer = Api()
    customer.sign_in(ada.email, PASSWORD)

    bodies = [
        assert_problem(
            customer("POST", "cart/merge", {"source": {"cart_session": session}, "merge_id": "m"}),
            409,
            "merge_source_gone",
        )
        for session in (token, "A" * 43, "short")
    ]

    for body in bodies:
        body.pop("instance")
    assert bodies[0] == bodies[1] == bodies[2]
    assert customer("GET", "cart").json()["items"] == []


def test_only_a_signed_in_customer_can_join_carts(db: None) -> None:
    response = Api()("POST", "cart/merge", {"source": {"items": []}, "merge_id": "m"})

    assert_problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "X-Session-Token"


def test_a_dead_session_token_is_refused_and_no_guest(ada: User) -> None:
    customer = Api()
    customer.sign_in(ada.email, PASSWORD)

    assert customer("DELETE", "auth/app/v1/auth/session").status_code == 401  # allauth's way to say: signed out

    assert_problem(customer("GET", "cart"), 401, "unauthenticated")


def test_a_disabled_customers_token_is_refused(ada: User) -> None:
    customer = Api()
    customer.sign_in(ada.email, PASSWORD)
    User.objects.update(is_active=False)

    assert_problem(customer("GET", "cart"), 401, "unauthenticated")
