"""What a checkout answers to totals that were agreed to, and once it is over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.helpers import Api, assert_problem, sell

pytestmark = pytest.mark.django_db

ADDRESS = {"name": "Ada", "line1": "1 Test Row", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}


def begin(api: Api, **body: Any) -> Any:
    """Start a checkout of one mug at £14.00."""
    tag = api("PUT", "cart/items/MUG", {"quantity": 1}).headers["ETag"]
    return api("POST", "checkouts", {"email": "ada@example.com", **body}, key=True, If_Match=tag)


def payment(total: int) -> dict[str, Any]:
    return {"method": "fake", "provider_token": "ok", "expected_total": total}


@pytest.mark.parametrize("agreed", [1_400, 5_000])
def test_whoever_agreed_to_as_much_or_more_is_charged_the_quote(api: Api, agreed: int) -> None:
    sell("MUG")

    answer = begin(api, accepted_total=agreed)

    assert (answer.status_code, answer.json()["totals"]["total"]["amount"]) == (201, 1_400)


def test_whoever_agreed_to_less_is_shown_the_quote_and_nothing_is_reserved(api: Api) -> None:
    sell("MUG")

    problem = assert_problem(begin(api, accepted_total=1_399), 409, "price_changed")

    assert problem["current"]["quote"]["totals"]["total"]["amount"] == 1_400
    assert begin(api).status_code == 201


@pytest.mark.parametrize("total", [1_399, 5_000])
def test_a_payment_of_another_total_than_the_quotes_is_refused(api: Api, total: int) -> None:
    sell("MUG")
    begun = begin(api)
    path = f"checkouts/{begun.json()['id']}"
    api("PATCH", path, {"shipping_address": ADDRESS}, If_Match=begun.headers["ETag"])

    problem = assert_problem(api("POST", f"{path}/payments", payment(total), key=True), 409, "price_changed")

    assert problem["current"]["quote"]["totals"]["total"]["amount"] == 1_400
    assert api("POST", f"{path}/payments", payment(1_400), key=True).status_code == 201


def test_what_is_paid_is_not_cancelled_and_what_is_cancelled_is_not_paid(api: Api) -> None:
    sell("MUG")
    begun = begin(api)
    path = f"checkouts/{begun.json()['id']}"
    assert api("DELETE", path).status_code == 204
    assert_problem(api("POST", f"{path}/payments", payment(1_400), key=True), 410, "checkout_cancelled")

    begun = begin(api)
    path = f"checkouts/{begun.json()['id']}"
    api("PATCH", path, {"shipping_address": ADDRESS}, If_Match=begun.headers["ETag"])
    assert api("POST", f"{path}/payments", payment(1_400), key=True).status_code == 201
    assert_problem(api("DELETE", path), 410, "checkout_cancelled")
    assert api("GET", path).json()["state"] == "completed"
