"""What the API answers to input that is wrong, row by row; nothing is changed by any of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.api.helpers import Api, assert_problem, sell

LINE = "cart/items/MUG-1"


@pytest.fixture
def filled(api: Api) -> Api:
    """Give a guest with two units of one SKU in the cart."""
    sell("MUG-1", on_hand=500)
    api("PUT", LINE, {"quantity": 2})
    return api


def _items(api: Api) -> Any:
    return api("GET", "cart").json()["items"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 5_000 + b"]" * 5_000, "too_deep"),
        (b'{"quantity": ' + b'{"a":' * 2_000, "too_deep"),
        (b'{"quantity": 1', "syntax"),
        (b'{"quantity": "\xff"}', "not_utf8"),
        (b'\xef\xbb\xbf{"quantity": 1}', "byte_order_mark"),
        (b" ", "empty"),
        (b'{"quantity": NaN}', "not_a_number"),
        (b'{"quantity": 1e400}', "number_out_of_range"),
        (b'{"quantity": ' + b"9" * 5_000 + b"}", "number_out_of_range"),
        (b'{"quantity": 1, "quantity": 2}', "duplicate_key"),
    ],
)
def test_bodies_that_are_no_plain_json_are_malformed(filled: Api, body: bytes, code: str) -> None:
    problem = assert_problem(filled("PUT", LINE, raw=body), 400, "malformed")

    assert [error["code"] for error in problem["errors"]] == [code]
    assert "Exceeds the limit" not in json.dumps(problem)
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 2}]


def test_an_empty_body_with_a_json_type_is_malformed(filled: Api) -> None:
    problem = assert_problem(filled("PUT", LINE, raw=b""), 400, "malformed")

    assert [error["code"] for error in problem["errors"]] == ["empty"]


@pytest.mark.parametrize("size", [65_537, 3_000_000])
def test_a_large_body_is_refused_slightly_or_far_over(filled: Api, size: int) -> None:
    body = b'{"quantity": 1, "a": "' + b"a" * size + b'"}'

    assert_problem(filled("PUT", LINE, raw=body), 413, "body_too_large")
    assert filled("PUT", LINE, {"quantity": 3}).status_code == 200


@pytest.mark.parametrize("data", [[], ["a"], "text", 7, True])
def test_only_an_object_may_stand_at_the_top(filled: Api, data: object) -> None:
    problem = assert_problem(filled("PUT", LINE, data), 422, "validation_failed")

    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [("", "expected_object")]


def test_null_at_the_top_is_no_object_either(filled: Api) -> None:
    problem = assert_problem(filled("PUT", LINE, raw=b"null"), 422, "validation_failed")

    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [("", "expected_object")]


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("PUT", LINE, {"quantity": 1}),
        ("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 1}),
        ("PATCH", "cart", {"items": []}),
        ("POST", "cart/undo", {"undo": "x"}),
        ("POST", "cart/moves", {"moves": [{"sku_id": "MUG-1", "to": "saved"}]}),
        ("PUT", "saved-items/MUG-1", {"quantity": 1}),
        ("POST", "checkouts", {}),
        ("PATCH", "checkouts/chk_000000000000000000000000", {}),
        ("POST", "checkouts/chk_000000000000000000000000/payments", {}),
    ],
)
@pytest.mark.parametrize("name", ["price", "total", "discount", "user", "status", "currency", "unit_price"])
def test_a_price_or_any_other_unknown_field_is_refused(
    filled: Api,
    method: str,
    path: str,
    data: dict[str, Any],
    name: str,
) -> None:
    etag = filled("GET", "cart").headers["ETag"]

    problem = assert_problem(
        filled(method, path, {**data, name: 1}, key=True, If_Match=etag),
        400,
        "unknown_parameter",
    )

    assert [error["pointer"] for error in problem["errors"]] == [f"/{name}"]
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 2}]


def test_an_unknown_field_of_a_line_is_refused_too(filled: Api) -> None:
    response = filled("PATCH", "cart", {"items": [{"sku_id": "MUG-1", "quantity": 1, "price": 1}]})

    problem = assert_problem(response, 400, "unknown_parameter")
    assert problem["errors"][0]["pointer"] == "/items/price"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "application/json-patch+json",
        "text/json",
    ],
)
def test_other_media_types_and_charsets_are_refused(filled: Api, content_type: str) -> None:
    response = filled("PUT", LINE, raw=b'{"quantity": 1}', content_type=content_type)

    assert_problem(response, 415, "unsupported_media_type")


def test_a_compressed_body_is_refused(filled: Api) -> None:
    assert_problem(
        filled("PUT", LINE, raw=b'{"quantity": 1}', Content_Encoding="gzip"),
        415,
        "unsupported_media_type",
    )


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml;q=0.9"])
def test_who_takes_no_json_gets_406(api: Api, accept: str) -> None:
    assert_problem(api("GET", "cart", Accept=accept), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/problem+json", "text/html,*/*;q=0.1", "application/*"]
)
def test_who_takes_json_in_any_way_gets_it(api: Api, accept: str) -> None:
    assert api("GET", "cart", Accept=accept).status_code == 200


def test_a_method_that_is_not_there_names_those_that_are(api: Api) -> None:
    response = api("POST", "cart", {"quantity": 1})

    assert_problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}
    assert_problem(api("BREW", "cart"), 405, "method_not_allowed")


def test_a_method_cannot_be_smuggled_in_a_header(filled: Api) -> None:
    response = filled("POST", "cart", X_HTTP_Method_Override="DELETE")

    assert_problem(response, 405, "method_not_allowed")
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 2}]


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/cart",
        "/api/v1/nothing",
        "/api/v1/cart/",
        "/api/v1/cart/nothing",
        "/api/v1/checkouts/..%2F..%2Fadmin",
        "/api/v1/orders/a%2Fb",
        "/api/v1/a%0Ab",
        "/api/v1/%00",
        "/api/v1/auth/app/v1/nothing",
        "/api/v1/auth/browser/v1/config",
    ],
)
def test_an_unknown_path_is_a_problem(api: Api, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert_problem(api(method, path, {} if method == "POST" else None), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("nothing=1", "unknown_parameter"),
        ("quantity=1", "unknown_parameter"),
        ("expand=totals&expand=notices", "repeated_parameter"),
        ("expand=nothing", "unknown_expand"),
        ("expand=totals,,nothing", "unknown_expand"),
        ("%ff=1", "unknown_parameter"),
        ("expand=%00", "unknown_expand"),
    ],
)
def test_unknown_and_repeated_query_parameters_are_refused(api: Api, query: str, code: str) -> None:
    assert_problem(api("GET", f"cart?{query}"), 400, code)


def test_a_change_takes_no_query_but_expand(filled: Api) -> None:
    assert_problem(filled("PUT", f"{LINE}?quantity=9", {"quantity": 1}), 400, "unknown_parameter")
    assert filled("PUT", f"{LINE}?expand=totals", {"quantity": 2}).json()["totals"]["total"]["amount"] == 2800


def test_zero_removes_where_it_is_absolute_and_is_refused_where_it_adds(filled: Api) -> None:
    assert_problem(filled("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 0}, key=True), 422, "validation_failed")

    assert filled("PUT", LINE, {"quantity": 0}).json()["items"] == []
    filled("PUT", LINE, {"quantity": 1})
    assert filled("PATCH", "cart", {"items": [{"sku_id": "MUG-1", "quantity": 0}]}).json()["items"] == []


@pytest.mark.parametrize("raw", ["-1", "-99999999999999999999"])
def test_a_negative_quantity_is_below_the_least(filled: Api, raw: str) -> None:
    problem = assert_problem(
        filled("PUT", LINE, raw=b'{"quantity": %s}' % raw.encode()),
        422,
        "validation_failed",
    )

    assert [(e["pointer"], e["code"], e["limit"]) for e in problem["errors"]] == [("/quantity", "min_value", 0)]


@pytest.mark.parametrize(
    "raw",
    ["1.0", "1.5", '"1"', "true", "false", "1e2", "-0", '"\\u0661"', '"1_0"', '" 1"', "[1]", "{}", '"\\u22121"'],
)
def test_anything_but_a_json_integer_is_no_quantity(filled: Api, raw: str) -> None:
    for method, path, body in (
        ("PUT", LINE, f'{{"quantity": {raw}}}'),
        ("POST", "cart/items", f'{{"sku_id": "MUG-1", "quantity": {raw}}}'),
        ("PATCH", "cart", f'{{"items": [{{"sku_id": "MUG-1", "quantity": {raw}}}]}}'),
        ("PUT", "saved-items/MUG-1", f'{{"quantity": {raw}}}'),
    ):
        problem = assert_problem(filled(method, path, raw=body.encode(), key=True), 422, "validation_failed")
        (error,) = problem["errors"]
        assert error["pointer"].endswith("/quantity")
        assert error["code"] == "not_an_integer"
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 2}]


@pytest.mark.parametrize("quantity", [100, 2**31, 2**63, 2**64 + 1, 10**30])
def test_more_than_the_cap_is_told_the_cap(filled: Api, quantity: int) -> None:
    for method, path, data in (
        ("PUT", LINE, {"quantity": quantity}),
        ("POST", "cart/items", {"sku_id": "MUG-1", "quantity": quantity}),
        ("PATCH", "cart", {"items": [{"sku_id": "MUG-1", "quantity": quantity}]}),
        ("PUT", "saved-items/MUG-1", {"quantity": quantity}),
    ):
        problem = assert_problem(filled(method, path, data, key=True), 422, "quantity_too_large")
        assert [(error["code"], error["limit"]) for error in problem["errors"]] == [("max_value", 99)]
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 2}]


def test_small_steps_past_the_cap_are_refused_per_sku(filled: Api) -> None:
    filled("PUT", LINE, {"quantity": 98})

    assert filled("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 1}, key=True).status_code == 200
    assert_problem(
        filled("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 1}, key=True),
        422,
        "quantity_too_large",
    )
    twice = {"items": [{"sku_id": "MUG-1", "quantity": 60}, {"sku_id": " MUG-1 ", "quantity": 60}]}
    assert_problem(filled("PATCH", "cart", twice), 422, "quantity_too_large")
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 99}]


def test_one_line_more_than_a_cart_takes_is_refused_with_the_limit(api: Api) -> None:
    lines = [{"sku_id": sell(f"SKU-{number}"), "quantity": 1} for number in range(101)]
    assert api("PATCH", "cart", {"items": lines[:100]}).status_code == 200

    problem = assert_problem(api("PUT", "cart/items/SKU-100", {"quantity": 1}), 422, "cart_full")

    assert "100" in problem["detail"]
    assert len(_items(api)) == 100


@pytest.mark.parametrize("sku_id", ["NOPE", "mug-1", "MUG-1x", "МUG-1"])
def test_an_unknown_sku_is_not_found(filled: Api, sku_id: str) -> None:
    assert_problem(filled("PUT", f"cart/items/{sku_id}", {"quantity": 1}), 404, "sku_unknown")
    assert_problem(filled("GET", f"skus/{sku_id}"), 404, "sku_unknown")


def test_blanks_around_a_sku_do_not_count(filled: Api) -> None:
    assert filled("PUT", "cart/items/%20MUG-1%20", {"quantity": 3}).json()["items"] == [
        {"sku_id": "MUG-1", "quantity": 3},
    ]


def test_a_sku_that_is_not_sold_is_refused_by_name(filled: Api) -> None:
    sell("OLD-1", is_sellable=False)

    problem = assert_problem(filled("PUT", "cart/items/OLD-1", {"quantity": 1}), 422, "sku_not_sellable")

    assert [error["code"] for error in problem["errors"]] == ["sku_not_sellable"]


@pytest.mark.parametrize(
    "sku_id",
    [
        "\x00",
        "a\x00b",
        "a\nb",
        "\ud800",
        "\u202egum",
        "😀" * 20,
        "a" * 65,
        "a" * 60_000,
        "@version",
        "@state",
        "__proto__",
        "",
        "   ",
        "../../x",
        "'; DROP TABLE cart_cartrecord; --",
        "a%s%d{0}",
    ],
)
def test_no_sku_id_whatsoever_breaks_anything(filled: Api, sku_id: str) -> None:
    path = "cart/items/" + "".join(f"%{byte:02x}" for byte in sku_id.encode("utf-8", "surrogatepass"))
    answers = [
        filled("POST", "cart/items", {"sku_id": sku_id, "quantity": 1}, key=True),
        filled("PATCH", "cart", {"items": [{"sku_id": sku_id, "quantity": 1}]}),
        filled("PUT", path, {"quantity": 1}),
        filled("GET", path.replace("cart/items", "skus")),
        filled("POST", "cart/moves", {"moves": [{"sku_id": sku_id, "to": "saved"}]}),
    ]

    for answer in answers:
        assert answer.headers["Content-Type"] == "application/problem+json" or answer.json()["items"]
        assert answer.status_code in (404, 405, 413, 422) or answer.request["PATH_INFO"].endswith("/skus/")
    assert _items(filled) == [{"sku_id": "MUG-1", "quantity": 2}]


@pytest.mark.parametrize("sku_id", ["@version", "__proto__"])
def test_the_carts_own_fields_are_no_skus(filled: Api, sku_id: str) -> None:
    assert_problem(filled("PUT", f"cart/items/{sku_id}", {"quantity": 1}), 422, "validation_failed")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=101", 422),
        ("limit=-1", 422),
        ("limit=1.5", 422),
        ("limit=%D9%A1", 422),
        ("limit=" + "9" * 5_000, 422),
        ("limit=", 422),
        ("cursor=%00", 422),
        ("cursor=" + "A" * 5_000, 422),
        ("cursor=AA", 422),
        ("ids=" + ",".join(f"A{n}" for n in range(101)), 422),
        ("ids=A&q=b", 422),
        ("q=%00", 200),
        ("q=" + "%25" * 1_000, 200),
        ("q=%ff%fe", 200),
        ("ids=%00,@x,%0a", 200),
    ],
)
def test_the_list_of_skus_stands_any_query(api: Api, query: str, status: int) -> None:
    response = api("GET", f"skus?{query}")

    if status == 200:
        assert response.json() == {"items": [], "next_cursor": None}
    else:
        assert_problem(response, status, "validation_failed")


def test_problems_never_carry_what_python_says(filled: Api) -> None:
    text = filled("PUT", LINE, raw=b'{"quantity": ' + b"9" * 5_000 + b"}").content.decode()

    for word in ("Traceback", "ValueError", "sys.set_int", "django", "psycopg"):
        assert word not in text


@pytest.mark.parametrize("host", ["evil.example", "testserver:abc", "a b", "testserver,evil.example"])
def test_an_unknown_host_is_a_problem(db: None, host: str) -> None:
    response = Client().get("/api/v1/cart", headers={"Host": host})

    assert_problem(response, 400, "bad_request")


def test_a_forwarded_host_changes_nothing(filled: Api) -> None:
    etag = filled("GET", "cart").headers["ETag"]

    response = filled("POST", "checkouts", {}, key=True, If_Match=etag, X_Forwarded_Host="evil.example")

    assert response.status_code == 201
    assert "evil" not in response.content.decode() + str(response.headers)


@pytest.mark.parametrize("value", ["", "x", "a" * 4_000, "é" * 10, "../../etc", "{}", "A" * 42, "A" * 44])
def test_a_cookie_that_is_garbage_counts_as_no_cart(db: None, value: str) -> None:
    client = Client()
    client.cookies["cart_session"] = value

    response = client.get("/api/v1/cart")

    assert (response.status_code, response.json()["items"]) == (200, [])
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
