"""Nobody sees or touches what is another's: it looks exactly as if it did not exist."""

from __future__ import annotations

from typing import Any

import pytest

from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem, sell
from tests.journeys.test_api_guest_buys import fill_in, pay, start

PASSWORD = "trolley-demo-1"
ABSENT = "0" * 24


def _customer(email: str, *, is_staff: bool = False) -> Api:
    User.objects.create_user(email, PASSWORD, is_staff=is_staff, is_superuser=is_staff)
    api = Api()
    assert api.sign_in(email, PASSWORD).status_code == 200
    return api


def _guest() -> Api:
    api = Api()
    api("PUT", "cart/items/MUG-2", {"quantity": 1})
    return api


@pytest.fixture(params=["guest", "customer"])
def owner(db: None, request: pytest.FixtureRequest) -> Api:
    """Give somebody with a checkout that is waiting for a confirmation at the bank, and an order."""
    sell("MUG-1")
    sell("MUG-2")
    return Api() if request.param == "guest" else _customer("owner@example.com")


@pytest.fixture
def strangers(owner: Api) -> list[Api]:
    """Give everybody else: nobody known, another guest, another customer, staff."""
    return [Api(), _guest(), _customer("other@example.com"), _customer("staff@example.com", is_staff=True)]


def _bare(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "instance"}


def test_a_strangers_checkout_is_absent_on_every_address(owner: Api, strangers: list[Api]) -> None:
    owner("PUT", "cart/items/MUG-1", {"quantity": 1})
    checkout = fill_in(owner, start(owner).json())
    theirs, absent, malformed = checkout["id"], f"chk_{ABSENT}", "../x'\"%00"
    routes: list[tuple[str, str, object]] = [
        ("GET", "", None),
        ("PATCH", "", {"email": "evil@example.com"}),
        ("DELETE", "", None),
        ("POST", "/reservation-renewals", None),
        ("POST", "/reservations", {}),
        ("POST", "/payments", {"method": "fake", "provider_token": "ok", "expected_total": 1400}),
    ]

    for stranger in strangers:
        for method, rest, data in routes:
            bodies = [
                _bare(
                    assert_problem(
                        stranger(method, f"checkouts/{name}{rest}", data, key=True, If_Match="*"),
                        404,
                        "checkout_unknown",
                    ),
                )
                for name in (theirs, absent, "chk_x", f"ord_{ABSENT}")
            ]
            assert bodies == [bodies[0]] * 4
        assert_problem(stranger("GET", f"checkouts/{malformed}"), 404, "not_found")

    still = owner("GET", f"checkouts/{theirs}").json()
    assert (still["state"], still["email"]) == ("open", "ada@example.com")


def test_a_strangers_payment_and_order_are_absent(owner: Api, strangers: list[Api]) -> None:
    owner("PUT", "cart/items/MUG-1", {"quantity": 1})
    checkout = fill_in(owner, start(owner).json())
    payment = pay(owner, checkout).json()
    number = payment["order_number"]

    for stranger in strangers:
        for path in (
            f"checkouts/{checkout['id']}/payments/{payment['id']}",
            f"checkouts/{checkout['id']}/payments/pay_{ABSENT}",
            f"checkouts/chk_{ABSENT}/payments/{payment['id']}",
        ):
            code = stranger("GET", path).json()["code"]
            assert code in ("payment_unknown", "checkout_unknown")
        payments = [
            _bare(stranger("GET", f"checkouts/{checkout['id']}/payments/{name}").json())
            for name in (payment["id"], f"pay_{ABSENT}", "x")
        ]
        assert payments == [payments[0]] * 3
        orders = [
            _bare(assert_problem(stranger("GET", f"orders/{name}", Order_Token=token), 404, "order_unknown"))
            for name in (number, f"ord_{ABSENT}", "x", "1")
            for token in ("", "A" * 43, "x")
        ]
        assert orders == [orders[0]] * 12
        again = [
            _bare(assert_problem(stranger("POST", f"orders/{name}/reorders", key=True), 404, "order_unknown"))
            for name in (number, f"ord_{ABSENT}", "x")
        ]
        assert again == [again[0]] * 3
        assert stranger("GET", "orders").json()["items"] == []

    assert owner("GET", f"orders/{number}").status_code == 200
    assert owner("GET", f"checkouts/{checkout['id']}/payments/{payment['id']}").json()["state"] == "succeeded"


def test_the_secret_of_an_orders_mail_opens_that_order_alone(owner: Api) -> None:
    from shop.checkout.access import issue_token  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    numbers = []
    for _ in range(2):
        owner("PUT", "cart/items/MUG-1", {"quantity": 1})
        numbers.append(pay(owner, fill_in(owner, start(owner).json())).json()["order_number"])
    token = issue_token(number=numbers[0], now=clock.now())

    assert Api()("GET", f"orders/{numbers[0]}", Order_Token=token).json()["number"] == numbers[0]
    assert_problem(Api()("GET", f"orders/{numbers[1]}", Order_Token=token), 404, "order_unknown")


def test_nothing_personal_or_internal_stands_in_a_cart(owner: Api) -> None:
    owner("PUT", "cart/items/MUG-1", {"quantity": 1})
    fill_in(owner, start(owner).json())

    body = owner("GET", "cart?expand=page")

    text = body.content.decode()
    for secret in ("@example.com", "SW1Y", "Lovelace", "owner", "on_hand", "cost", '"u:', '"g:'):
        assert secret not in text
    known = "version etag currency items saved_count updated_at totals notices merge_question saved can_check_out"
    assert set(body.json()) == set(known.split())
    known = "sku_id quantity title options image url price line_total availability"
    assert set(body.json()["items"][0]) == set(known.split())


def test_staff_have_no_special_sight_through_the_api(owner: Api) -> None:
    owner("PUT", "cart/items/MUG-1", {"quantity": 1})
    staff = _customer("staff@example.com", is_staff=True)

    assert staff("GET", "cart").json()["items"] == []


def test_what_is_charged_is_computed_anew_and_equals_the_order(owner: Api) -> None:
    owner("PUT", "cart/items/MUG-1", {"quantity": 3})
    checkout = fill_in(owner, start(owner).json())
    wish = {"method": "fake", "provider_token": "ok", "expected_total": 1}

    problem = assert_problem(
        owner("POST", f"checkouts/{checkout['id']}/payments", wish, key=True),
        409,
        "price_changed",
    )

    assert problem["current"]["quote"]["totals"]["total"]["amount"] == 4200
    payment = pay(owner, checkout).json()
    order = owner("GET", f"orders/{payment['order_number']}").json()
    assert payment["amount"] == order["totals"]["total"] == {"amount": 4200, "currency": "GBP"}
