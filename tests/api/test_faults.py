"""What callers of the API see when a server is away, or when the shop itself has a bug."""

from __future__ import annotations

import dataclasses
import json

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError
from django.test import Client
from psycopg.errors import LockNotAvailable
from pytest_django import Settings

from cart import selectors
from tests.api.helpers import Api, assert_problem, sell

LINE = "cart/items/MUG-1"


@pytest.fixture
def filled(api: Api) -> Api:
    """Give a guest with two units of one SKU in the cart."""
    sell("MUG-1", on_hand=50)
    api("PUT", LINE, {"quantity": 2})
    return api


@pytest.fixture
def no_cart_redis(settings: Settings) -> None:
    """Let nobody answer where the carts were."""
    settings.CART = dataclasses.replace(settings.CART, redis_url="redis://127.0.0.1:1/0")


@pytest.mark.fault
def test_without_the_carts_redis_reads_are_copies_and_changes_503(filled: Api, no_cart_redis: None) -> None:
    read = filled("GET", "cart")

    assert read.status_code == 200
    assert [warning["code"] for warning in read.json()["warnings"]] == ["cart_is_copy"]
    assert read.headers["Cache-Control"] == "no-store"
    assert filled("GET", "skus/MUG-1").status_code == 200
    for method, path, data in (
        ("PUT", LINE, {"quantity": 3}),
        ("POST", "cart/items", {"sku_id": "MUG-1", "quantity": 1}),
        ("DELETE", "cart", None),
        ("POST", "checkouts", {}),
    ):
        answer = filled(method, path, data, key=True, If_Match="*")
        assert_problem(answer, 503, "carts_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.fault
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("server closed the connection"), 503, "unavailable"),
        (InterfaceError("connection already closed"), 503, "unavailable"),
        (IntegrityError("duplicate key value violates unique constraint"), 409, "conflict"),
    ],
)
def test_what_the_database_says_never_reaches_the_client(
    filled: Api,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(selectors, "get_cart", fail)

    answer = filled("GET", "cart")

    assert_problem(answer, status, code)
    assert str(error) not in answer.content.decode()
    assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.fault
def test_a_lock_that_is_not_to_be_had_is_busy(filled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OperationalError("canceling statement due to lock timeout") from LockNotAvailable()

    monkeypatch.setattr(selectors, "get_cart", fail)

    answer = filled("GET", "cart")

    assert_problem(answer, 503, "busy")
    assert answer.headers["Retry-After"] == "2"


@pytest.fixture
def quiet() -> Client:
    """Give a client that does not raise the server's errors."""
    return Client(raise_request_exception=False)


@pytest.mark.fault
def test_a_crash_is_a_problem_without_trace(quiet: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def crash(**_: object) -> None:
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr(selectors, "get_cart", crash)

    response = quiet.get("/api/v1/cart", headers={"X-Request-ID": "abc-123"})

    body = assert_problem(response, 500, "internal_error")
    assert "abc-123" not in body["instance"]  # a client cannot write into our logs
    text = response.content.decode()
    for word in ("RuntimeError", "SELECT", "Traceback", "File "):
        assert word not in text


@pytest.mark.fault
def test_a_crash_is_told_to_whoever_listens_for_crashes(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def crash(**_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(selectors, "get_cart", crash)

    with pytest.raises(RuntimeError):
        Client().get("/api/v1/cart")


@pytest.mark.fault
def test_a_crash_outside_of_the_rest_framework_is_a_problem_too(
    quiet: Client,
    monkeypatch: pytest.MonkeyPatch,
    db: None,
) -> None:
    from allauth.headless.account import views  # noqa: PLC0415

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(views.LoginView, "dispatch", crash)

    response = quiet.post(
        "/api/v1/auth/app/v1/auth/login",
        json.dumps({"email": "a@example.com", "password": "x"}),
        content_type="application/json",
    )

    assert_problem(response, 500, "internal_error")


@pytest.mark.fault
def test_a_crash_in_a_middleware_is_a_problem_too(quiet: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    from django.middleware.common import CommonMiddleware  # noqa: PLC0415

    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(CommonMiddleware, "process_request", crash)

    assert_problem(quiet.get("/api/v1/skus"), 500, "internal_error")


@pytest.mark.parametrize("name", ["a b", "x" * 200, "<script>", "", "ü"])
def test_a_request_id_that_is_not_plain_is_replaced(api: Api, name: str) -> None:
    body = assert_problem(api("GET", "nothing", X_Request_ID=name), 404, "not_found")

    assert name == "" or name not in body["instance"]
    assert len(body["instance"]) == len("urn:request:") + 36
