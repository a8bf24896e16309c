"""Entity tags, keys, limits and origins: what the protocol promises on every address."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from shop.accounts.models import User
from shop.core import limits
from tests.api.helpers import Api, assert_problem, sell

LINE = "cart/items/MUG-1"


@pytest.fixture
def filled(api: Api) -> Api:
    """Give a guest with two units of one SKU in the cart."""
    sell("MUG-1", on_hand=500)
    api("PUT", LINE, {"quantity": 2})
    return api


# ---------------------------------------------------------------- reads make nothing


@pytest.mark.parametrize("path", ["cart", "cart?expand=page", "cart/count", "saved-items", "orders", "skus"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_read_makes_no_cart_cookie_or_session(api: Api, cart_redis: Any, path: str, method: str) -> None:
    response = Client().generic(method, f"/api/v1/{path}")

    assert response.status_code == (204 if method == "OPTIONS" else 200)
    assert not response.cookies
    assert "Cart-Session" not in response.headers
    assert cart_redis.keys() == []


def test_no_header_of_cors_is_ever_sent(api: Api) -> None:
    for method in ("GET", "OPTIONS"):
        response = api(method, "cart", Origin="https://evil.example", Access_Control_Request_Method="PUT")
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


# ---------------------------------------------------------------- cache headers


def test_the_catalog_is_public_and_knows_no_cookie(api: Api) -> None:
    sell("MUG-1")
    client = Client()
    client.cookies["sessionid"] = "x" * 32

    for path in ("skus", "skus/MUG-1", "skus?ids=MUG-1"):
        response = client.get(f"/api/v1/{path}")
        assert response.headers["Cache-Control"] == "public, s-maxage=60, stale-while-revalidate=300"
        assert "Cookie" not in response.headers["Vary"]
        assert not response.cookies
        again = client.get(f"/api/v1/{path}", headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_carts_and_orders_are_private_and_changes_are_stored_nowhere(filled: Api) -> None:
    for path in ("cart", "cart/count", "saved-items", "orders"):
        response = filled("GET", path)
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert {"Cookie", "Cart-Session", "X-Session-Token"} <= set(response.headers["Vary"].split(", "))
    for response in (filled("PUT", LINE, {"quantity": 1}), filled("DELETE", LINE), filled("GET", "nothing")):
        assert response.headers["Cache-Control"] == "no-store"


# ---------------------------------------------------------------- entity tags


@pytest.mark.parametrize("path", ["cart", "cart?expand=page", "cart/count", "saved-items"])
def test_an_unchanged_answer_is_304_and_repeats_its_headers(filled: Api, path: str) -> None:
    first = filled("GET", path)

    for tag in (first.headers["ETag"], "W/" + first.headers["ETag"], f'"c1", {first.headers["ETag"]}'):
        again = filled("GET", path, If_None_Match=tag)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary"):
            assert again.headers[name] == first.headers[name]
    filled("PUT", LINE, {"quantity": 5})
    assert filled("GET", path, If_None_Match=first.headers["ETag"]).status_code == 200


def test_the_tag_of_an_expanded_answer_moves_with_price_and_stock(filled: Api) -> None:
    from tests.api.helpers import set_price  # noqa: PLC0415

    minimal, expanded = filled("GET", "cart").headers["ETag"], filled("GET", "cart?expand=totals").headers["ETag"]
    assert expanded.startswith(minimal[:-1] + ".")

    set_price("MUG-1", 1500)

    assert filled("GET", "cart").headers["ETag"] == minimal
    changed = filled("GET", "cart?expand=totals", If_None_Match=expanded)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != expanded


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("PUT", LINE, {"quantity": 9}),
        ("DELETE", LINE, None),
        ("PATCH", "cart", {"items": [{"sku_id": "MUG-1", "quantity": 9}]}),
        ("PATCH", "cart", {"items": [], "mode": "replace"}),
        ("DELETE", "cart", None),
        ("POST", "cart/moves", {"moves": [{"sku_id": "MUG-1", "to": "saved"}]}),
    ],
)
def test_a_stale_version_changes_nothing_and_is_told_the_present_one(
    filled: Api,
    method: str,
    path: str,
    data: object,
) -> None:
    stale = filled("GET", "cart").headers["ETag"]
    filled("PUT", LINE, {"quantity": 3})
    present = filled("GET", "cart").json()

    for tag in (stale, "W/" + stale, '"c1"', '"something-else"'):
        problem = assert_problem(filled(method, path, data, If_Match=tag), 412, "cart_changed")
        assert problem["current"]["cart_version"] == present["version"]
        assert problem["current"]["etag"] == present["etag"]
        assert problem["current"]["items"] == [{"sku_id": "MUG-1", "quantity": 3}]
    assert filled("GET", "cart").json() == present


@pytest.mark.parametrize("form", ["{}", "W/{}", "*"])
def test_a_fresh_version_lets_the_change_through_also_expanded_or_weak(filled: Api, form: str) -> None:
    tag = filled("GET", "cart?expand=page").headers["ETag"]

    assert filled("PUT", LINE, {"quantity": 4}, If_Match=form.format(tag)).status_code == 200


def test_replacing_the_whole_cart_needs_a_version(filled: Api) -> None:
    wish = {"items": [], "mode": "replace"}

    assert_problem(filled("PATCH", "cart", wish), 428, "precondition_required")

    tag = filled("GET", "cart").headers["ETag"]
    answer = filled("PATCH", "cart", wish, If_Match=tag)
    assert answer.json()["items"] == []
    assert filled("POST", "cart/undo", {"undo": answer.json()["undo"]}).json()["items"] == [
        {"sku_id": "MUG-1", "quantity": 2},
    ]


# ---------------------------------------------------------------- many lines at once


def test_one_bad_line_refuses_all_and_every_bad_line_is_named(filled: Api) -> None:
    sell("MUG-2", on_hand=1)
    sell("MUG-3", on_hand=0)
    lines = [("MUG-1", 5), ("MUG-2", 4), ("MUG-3", 1)]

    problem = assert_problem(
        filled("PATCH", "cart", {"items": [{"sku_id": s, "quantity": q} for s, q in lines]}),
        409,
        "insufficient_stock",
    )

    assert [(e["pointer"], e["code"], e["requested"], e["buyable"]) for e in problem["errors"]] == [
        ("/items/MUG-2", "short", 4, 1),
        ("/items/MUG-3", "short", 1, 0),
    ]
    assert filled("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 2}]


def test_lenient_handling_takes_what_is_there_and_warns(filled: Api) -> None:
    sell("MUG-2", on_hand=3)
    wish = {"items": [{"sku_id": "MUG-2", "quantity": 7}]}

    answer = filled("PATCH", "cart", wish, Prefer="respond-async, handling=lenient")

    assert answer.json()["items"][1] == {"sku_id": "MUG-2", "quantity": 3}
    (warning,) = answer.json()["warnings"]
    assert (warning["code"], warning["sku_id"], warning["requested"], warning["buyable"]) == ("clamped", "MUG-2", 7, 3)
    assert "3" in warning["detail"]


# ---------------------------------------------------------------- keys


def test_a_repeated_key_has_one_effect_and_the_same_answer(filled: Api) -> None:
    wish = {"sku_id": "MUG-1", "quantity": 3}

    first = filled("POST", "cart/items", wish, key="k-1")
    second = filled("POST", "cart/items", wish, key="k-1")

    assert first.json()["items"] == second.json()["items"] == [{"sku_id": "MUG-1", "quantity": 5}]
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert filled("POST", "cart/items", wish, key="k-2").json()["items"] == [{"sku_id": "MUG-1", "quantity": 8}]


def test_a_key_with_another_body_is_refused(filled: Api) -> None:
    filled("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 3}, key="k-1")

    assert_problem(
        filled("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 4}, key="k-1"),
        422,
        "idempotency_key_reused",
    )


def test_keys_of_two_people_or_two_addresses_do_not_meet(filled: Api) -> None:
    filled("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 1}, key="k-1")
    stranger = Api()

    other = stranger("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 1}, key="k-1")

    assert other.json()["items"] == [{"sku_id": "MUG-1", "quantity": 1}]
    assert "Idempotent-Replayed" not in other.headers
    assert filled("PUT", LINE, {"quantity": 9}, key="k-1").json()["items"] == [{"sku_id": "MUG-1", "quantity": 9}]


@pytest.mark.parametrize(
    "path",
    ["cart/items", "checkouts", "checkouts/chk_000000000000000000000000/payments"],
)
def test_a_missing_or_impossible_key_is_refused_where_one_is_needed(filled: Api, path: str) -> None:
    tag = filled("GET", "cart").headers["ETag"]

    assert_problem(filled("POST", path, {}, If_Match=tag), 400, "idempotency_key_missing")
    for key in ("", "a" * 256, "é", "one, two", "one,one", "\x7f"):
        response = filled("POST", path, {}, If_Match=tag, Idempotency_Key=key)
        assert_problem(response, 400, "idempotency_key_invalid")


def test_a_repeated_checkout_or_payment_key_answers_from_the_record(filled: Api) -> None:
    tag = filled("GET", "cart").headers["ETag"]

    first = filled("POST", "checkouts", {}, key="k-1", If_Match=tag)
    second = filled("POST", "checkouts", {}, key="k-1", If_Match=tag)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert_problem(
        filled("POST", "checkouts", {"email": "a@example.com"}, key="k-1", If_Match=tag),
        422,
        "idempotency_key_reused",
    )


def test_nobody_is_given_the_answer_stored_under_anothers_key(filled: Api) -> None:
    stranger = Api()
    stranger("PUT", LINE, {"quantity": 1})

    mine = filled("POST", "checkouts", {}, key="k-1", If_Match="*")
    theirs = stranger("POST", "checkouts", {}, key="k-1", If_Match="*")

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "Idempotent-Replayed" not in theirs.headers


def test_a_refused_checkout_is_not_stored_under_its_key(filled: Api) -> None:
    tag = filled("GET", "cart").headers["ETag"]
    assert_problem(filled("POST", "checkouts", {}, key="k-1", If_Match='"c1"'), 412, "cart_changed")

    assert filled("POST", "checkouts", {}, key="k-1", If_Match=tag).status_code == 201


# ---------------------------------------------------------------- limits


@pytest.fixture
def tight(settings: Settings) -> None:
    """Allow three changes and one checkout start a minute, and twice that from one address."""
    settings.API = dataclasses.replace(
        settings.API,
        cart_writes_per_minute=3,
        checkout_starts_per_minute=1,
        address_factor=2,
    )


def test_too_many_changes_are_refused_with_the_time_to_wait(api: Api, tight: None) -> None:
    sell("MUG-1")
    answers = [api("PUT", LINE, {"quantity": quantity}) for quantity in (1, 2, 3, 4)]

    # The first one had no session yet and counts for its address alone.
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert answers[3].headers["RateLimit-Policy"] == '"cart_writes";q=3;w=60'
    assert answers[3].headers["RateLimit"].startswith('"cart_writes";r=0;t=')
    over = api("PUT", LINE, {"quantity": 5})
    assert_problem(over, 429, "rate_limited")
    assert 1 <= int(over.headers["Retry-After"]) <= 60
    assert api("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 4}]


def test_whoever_throws_sessions_away_is_counted_by_address(api: Api, tight: None) -> None:
    sell("MUG-1")

    statuses = [Api()("PUT", LINE, {"quantity": 1}).status_code for _ in range(7)]

    assert statuses == [201] * 6 + [429]


def test_limits_of_two_people_are_apart(api: Api, tight: None) -> None:
    sell("MUG-1")
    for quantity in (1, 2, 3, 4):
        api("PUT", LINE, {"quantity": quantity})

    assert Api()("PUT", LINE, {"quantity": 1}).status_code == 201


def test_checkout_starts_have_a_limit_of_their_own(filled: Api, tight: None) -> None:
    tag = filled("GET", "cart").headers["ETag"]

    assert filled("POST", "checkouts", {}, key=True, If_Match=tag).status_code == 201
    assert_problem(filled("POST", "checkouts", {}, key=True, If_Match=tag), 429, "rate_limited")


def test_a_limit_of_nought_is_none(api: Api, settings: Settings) -> None:
    settings.API = dataclasses.replace(settings.API, cart_writes_per_minute=0)
    sell("MUG-1")

    assert "RateLimit" not in api("PUT", LINE, {"quantity": 1}).headers


def test_a_cache_that_does_not_answer_refuses_nobody(
    api: Api,
    settings: Settings,
    tight: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sell("MUG-1")
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }

    statuses = [api("PUT", LINE, {"quantity": quantity}).status_code for quantity in (1, 2, 3, 4, 5, 6, 7, 8)]

    assert statuses == [201] + [200] * 7
    monkeypatch.setattr(limits, "_resting_until", 0.0)


# ---------------------------------------------------------------- origins


def _with_cookie(api: Api) -> Client:
    """Give a browser that holds the guest's session as a cookie."""
    client = Client(enforce_csrf_checks=True)
    client.cookies["cart_session"] = api.cart_session
    return client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "https://testserver"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"X-CSRFToken": "a" * 32},
    ],
)
def test_a_guests_cookie_alone_changes_nothing(filled: Api, headers: dict[str, str]) -> None:
    client = _with_cookie(filled)

    for method, path, body in (
        ("PUT", LINE, b'{"quantity": 9}'),
        ("DELETE", "cart", b""),
        ("POST", "cart/items", b'{"sku_id": "MUG-1", "quantity": 1}'),
        ("POST", "checkouts", b"{}"),
    ):
        response = client.generic(
            method,
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "k", "If-Match": "*", **headers},
        )
        assert_problem(response, 403, "csrf_failed")
    assert filled("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 2}]


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}])
def test_a_guests_cookie_from_our_own_pages_is_taken(filled: Api, headers: dict[str, str]) -> None:
    response = _with_cookie(filled).generic(
        "PUT",
        f"/api/v1/{LINE}",
        b'{"quantity": 9}',
        content_type="application/json",
        headers=headers,
    )

    assert response.status_code == 200
    assert filled("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 9}]


def test_a_guests_cookie_with_the_csrf_token_is_taken(filled: Api) -> None:
    client = _with_cookie(filled)
    token = "a" * 32
    client.cookies["csrftoken"] = token

    response = client.generic(
        "PUT",
        f"/api/v1/{LINE}",
        b'{"quantity": 9}',
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )

    assert response.status_code == 200


def test_another_site_cannot_plant_a_first_cart(api: Api) -> None:
    sell("MUG-1")

    response = api("PUT", LINE, {"quantity": 1}, Sec_Fetch_Site="cross-site", Origin="https://evil.example")

    assert_problem(response, 403, "csrf_failed")
    assert not response.cookies


def test_a_pages_session_needs_its_csrf_token(api: Api) -> None:
    sell("MUG-1")
    user = User.objects.create_user("ada@example.com", "trolley-demo-1")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    token = "b" * 32
    client.cookies["csrftoken"] = token

    def put(**headers: str) -> Any:
        return client.generic(
            "PUT",
            f"/api/v1/{LINE}",
            b'{"quantity": 1}',
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    assert_problem(put(), 403, "csrf_failed")
    assert_problem(put(Sec_Fetch_Site="same-origin"), 403, "csrf_failed")
    assert put(X_CSRFToken=token).status_code == 201


@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_the_session_of_a_customer_who_is_no_more_is_anonymous_and_the_guests_cart_intact(
    filled: Api, how: str
) -> None:
    user = User.objects.create_user("ada@example.com", "trolley-demo-1")
    client = _with_cookie(filled)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    if how == "disabled":
        User.objects.update(is_active=False)
    else:
        User.objects.all().delete()

    response = client.get("/api/v1/cart")
    page = client.get("/cart/")

    assert response.json()["items"] == [{"sku_id": "MUG-1", "quantity": 2}]
    assert page.status_code == 200
    assert 'name="quantity" value="2"' in page.content.decode()
    assert "/accounts/login/" in page.content.decode()
