"""How much each address asks of PostgreSQL and Redis: the same for one line as for a hundred."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.accounts.models import User
from tests.api.helpers import Api, commands, sell

PASSWORD = "trolley-demo-1"
ADDRESS = {"name": "Ada", "line1": "1 Test Row", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}


@pytest.fixture
def shelf(db: None) -> list[str]:
    """Put a hundred SKUs on the shelf."""
    return [sell(f"SKU-{number:03}") for number in range(100)]


def _fill(api: Api, shelf: list[str], lines: int) -> None:
    answer = api("PATCH", "cart", {"items": [{"sku_id": sku_id, "quantity": 1} for sku_id in shelf[:lines]]})
    assert answer.status_code == 200


@pytest.mark.parametrize("lines", [1, 99])
def test_a_minimal_read_of_a_guest_is_one_command_and_no_sql(
    api: Api,
    shelf: list[str],
    cart_redis: Any,
    lines: int,
) -> None:
    _fill(api, shelf, lines)

    with CaptureQueriesContext(connection) as queries, commands(cart_redis) as sent:
        assert len(api("GET", "cart").json()["items"]) == lines
    assert (len(queries), sent) == (0, ["HGETALL"])

    with CaptureQueriesContext(connection) as queries, commands(cart_redis) as sent:
        assert api("GET", "cart/count").json() == {"units": lines}
    assert (len(queries), sent) == (0, ["HGETALL"])


@pytest.mark.parametrize("lines", [1, 99])
def test_an_expanded_read_is_one_pipeline_and_two_queries(
    api: Api,
    shelf: list[str],
    cart_redis: Any,
    lines: int,
) -> None:
    _fill(api, shelf, lines)

    with CaptureQueriesContext(connection) as queries, commands(cart_redis) as sent:
        api("GET", "cart?expand=page")

    assert (len(queries), sent) == (2, ["HGETALL", "HGETALL"])


@pytest.mark.parametrize("lines", [1, 99])
def test_a_change_is_one_script_and_at_most_one_query(
    api: Api,
    shelf: list[str],
    cart_redis: Any,
    lines: int,
) -> None:
    _fill(api, shelf, lines)

    for method, path, data, most in (
        ("PUT", f"cart/items/{shelf[0]}", {"quantity": 2}, 1),
        ("PATCH", "cart", {"items": [{"sku_id": sku_id, "quantity": 3} for sku_id in shelf]}, 1),
        ("DELETE", f"cart/items/{shelf[0]}", None, 0),
        ("DELETE", "cart", None, 0),
    ):
        with CaptureQueriesContext(connection) as queries, commands(cart_redis) as sent:
            assert api(method, path, data).status_code == 200
        assert (len(queries) <= most, sent) == (True, ["EVALSHA"]), [q["sql"] for q in queries]


def test_a_customer_costs_one_query_more(api: Api, shelf: list[str], cart_redis: Any) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    api.sign_in("ada@example.com", PASSWORD)
    _fill(api, shelf, 5)

    with CaptureQueriesContext(connection) as queries, commands(cart_redis) as sent:
        api("GET", "cart")
    assert (len(queries), sent) == (1, ["HGETALL"])

    with CaptureQueriesContext(connection) as queries, commands(cart_redis) as sent:
        api("DELETE", "cart")
    assert (len(queries), sent) == (1, ["EVALSHA"])


def _buy(api: Api, shelf: list[str], lines: int) -> dict[str, int]:
    """Buy so many SKUs; count all statements of each step, those that begin and end transactions too."""
    _fill(api, shelf, lines)
    counts: dict[str, int] = {}

    def ask(step: str, *asked: Any, **more: Any) -> Any:
        with CaptureQueriesContext(connection) as queries:
            answer = api(*asked, **more)
        assert answer.status_code in (200, 201), answer.content
        counts[step] = len(queries)
        return answer

    tag = api("GET", "cart").headers["ETag"]
    started = ask("start", "POST", "checkouts", {}, key=True, If_Match=tag)
    path = f"checkouts/{started.json()['id']}"
    typed = {"email": "ada@example.com", "shipping_address": ADDRESS}
    filled = ask("address", "PATCH", path, typed, If_Match=started.headers["ETag"])
    ask("look", "GET", path)
    total = filled.json()["totals"]["total"]["amount"]
    payment = {"method": "fake", "provider_token": "ok", "expected_total": total}
    paid = ask("pay", "POST", f"{path}/payments", payment, key=True)
    assert paid.json()["order_number"]
    return counts


@pytest.mark.parametrize("lines", [1, 40])
def test_a_purchase_costs_as_much_for_one_line_as_for_many(api: Api, shelf: list[str], lines: int) -> None:
    _buy(api, shelf, 1)  # from now on somebody has started from this network address
    api.cart_session = ""

    assert _buy(api, shelf, lines) == {"start": 14, "address": 5, "look": 1, "pay": 16}


def test_a_customers_purchase_costs_one_query_a_step_more(api: Api, shelf: list[str]) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    api.sign_in("ada@example.com", PASSWORD)
    _buy(api, shelf, 1)

    assert _buy(api, shelf, 3) == {"start": 15, "address": 6, "look": 2, "pay": 17}


@pytest.mark.parametrize("limit", [1, 100])
def test_the_list_of_skus_is_three_queries(api: Api, shelf: list[str], limit: int) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert len(api("GET", f"skus?limit={limit}").json()["items"]) == limit

    assert len(queries) == 3
