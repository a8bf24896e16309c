"""Discount codes through the API: what they take off, what is told of them, and how often they may be tried."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pricing import services as pricing
from pricing.types import Combining, ReductionKind
from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem, sell

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PASSWORD = "trolley-demo-1"


def brought(**fields: Any) -> int:
    given = {"name": "Welcome", "kind": ReductionKind.PERCENT, "value": 10, "needs_code": True, "valid_from": LONG_AGO}
    return pricing.add_promotion(promotion=pricing.NewPromotion(**{**given, **fields}))


def make_code(text: str = "WELCOME10", *, promotion: dict[str, Any] | None = None, **fields: Any) -> int:
    given = {"valid_from": LONG_AGO, **fields}
    return pricing.publish_code(promotion_id=brought(**(promotion or {})), code=text, **given)


@pytest.fixture
def shopper(api: Api) -> Api:
    """Somebody with a mug of £14.00 in the cart."""
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 1})
    return api


def test_a_code_is_entered_shown_and_taken_out(shopper: Api) -> None:
    make_code()

    answer = shopper("PUT", "cart/codes/welcome10?expand=totals")

    assert answer.status_code == 200
    assert answer.json()["totals"] == {
        "subtotal": {"amount": 1400, "currency": "GBP"},
        "discounts": [
            {
                "kind": "code",
                "name": "Welcome",
                "code": "WELCOME10",
                "amount": {"amount": 140, "currency": "GBP"},
            }
        ],
        "total": {"amount": 1260, "currency": "GBP"},
    }
    again = shopper("PUT", "cart/codes/WELCOME10")
    assert (again.status_code, again.json()["version"]) == (200, answer.json()["version"])
    for _ in range(2):
        gone = shopper("DELETE", "cart/codes/WELCOME10?expand=totals")
        assert (gone.status_code, gone.json()["totals"]["discounts"]) == (200, [])


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"valid_until": datetime(2021, 1, 1, tzinfo=UTC)}, 422, "code_expired"),
        ({"valid_from": datetime(2100, 1, 1, tzinfo=UTC)}, 422, "code_not_yet"),
        ({"max_uses": 0}, 422, "code_used_up"),
        ({"promotion": {"minimum_minor": 1401, "currency": "GBP"}}, 422, "code_minimum"),
        ({"promotion": {"sku_ids": ("OTHER",)}}, 422, "code_not_for_cart"),
    ],
)
def test_a_code_that_takes_nothing_off_is_a_problem_by_name(
    shopper: Api, fields: dict[str, Any], status: int, code: str
) -> None:
    make_code(**fields)
    before = shopper("GET", "cart").json()

    assert_problem(shopper("PUT", "cart/codes/WELCOME10"), status, code)

    assert shopper("GET", "cart").json() == before


@pytest.mark.parametrize(
    "text", ["NONE", "%25", "_________", "WELCOME10'--", "A" * 65, "WEL%20COME10", "WELCOME10%00", "%EF%BC%85", "a/b"]
)
def test_anything_else_is_simply_unknown(shopper: Api, text: str) -> None:
    make_code()

    assert_problem(shopper("PUT", f"cart/codes/{text}"), 422, "code_unknown")


def test_two_exclusive_ones_are_a_conflict(shopper: Api) -> None:
    make_code()
    make_code("ALONE", promotion={"combines": Combining.NOTHING})
    shopper("PUT", "cart/codes/WELCOME10")

    assert_problem(shopper("PUT", "cart/codes/ALONE"), 409, "code_not_combinable")


def test_another_customers_code_is_unknown_and_ones_own_is_shown_by_its_beginning(shopper: Api) -> None:
    owner = User.objects.create_user("ada@example.com", PASSWORD)
    (issued,) = pricing.issue_codes(promotion_id=brought(), count=1, valid_from=LONG_AGO, user_id=owner.pk)

    assert_problem(shopper("PUT", f"cart/codes/{issued.code}"), 422, "code_unknown")
    shopper.sign_in("ada@example.com", PASSWORD)
    answer = shopper("PUT", f"cart/codes/{issued.code}?expand=page")

    assert answer.json()["totals"]["discounts"][0]["code"] == f"{issued.code[:4]}…"
    assert issued.code not in answer.content.decode()


def test_a_code_below_its_minimum_is_a_notice(shopper: Api) -> None:
    entered = make_code(promotion={"minimum_minor": 2800, "currency": "GBP"})
    shopper("PUT", "cart/items/MUG-1", {"quantity": 2})
    shopper("PUT", "cart/codes/WELCOME10")
    before = shopper("GET", "cart?expand=totals,notices")
    shopper("PUT", "cart/items/MUG-1", {"quantity": 1})

    after = shopper("GET", "cart?expand=totals,notices")

    assert (before.json()["notices"], after.json()["totals"]["discounts"]) == ([], [])
    (notice,) = after.json()["notices"]
    assert (notice["kind"], notice["id"], notice["now"]) == (
        "code_off",
        f"code_off:code_minimum:{entered}",
        {"amount": 2800, "currency": "GBP"},
    )
    assert notice["message"].startswith("WELCOME10 takes nothing off now. This discount code needs items worth")


def test_guesses_are_counted_for_the_session_and_the_customer(shopper: Api) -> None:
    answers = [shopper("PUT", f"cart/codes/GUESS{number}") for number in range(6)]

    for answer in answers[:5]:
        assert_problem(answer, 422, "code_unknown")
    assert_problem(answers[5], 429, "rate_limited")
    assert 1 <= int(answers[5].headers["Retry-After"]) <= 60
    assert shopper("PUT", "cart/items/MUG-1", {"quantity": 2}).status_code == 200

    User.objects.create_user("ada@example.com", PASSWORD)
    shopper.sign_in("ada@example.com", PASSWORD)
    assert [shopper("PUT", f"cart/codes/GUESS{number}").status_code for number in range(6)] == [422] * 5 + [429]


def test_whoever_throws_sessions_away_is_counted_by_address(shopper: Api) -> None:
    statuses = []
    for number in range(52):
        shopper.cart_session = ""
        statuses.append(shopper("PUT", f"cart/codes/GUESS{number}").status_code)

    assert statuses == [422] * 50 + [429] * 2
