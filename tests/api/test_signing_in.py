"""Signing in through allauth's app client keeps the rules of the rest of the API."""

from __future__ import annotations

import pytest
from django.test import Client

from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem
from tests.security.test_routes import ROUTES


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"[" * 30_000, 400, "malformed"),
        (b'{"email": "a@example.com", "email": "b@example.com"}', 400, "malformed"),
        (b'{"email": NaN}', 400, "malformed"),
        (b"[]", 422, "validation_failed"),
        (b"{", 400, "malformed"),
        (b'{"a": "' + b"a" * 70_000 + b'"}', 413, "body_too_large"),
        (b"{}", 422, "validation_failed"),
        (b'{"email": "a@example.com", "password": "\\ud800"}', 422, "validation_failed"),
    ],
)
def test_signing_in_is_as_strict_as_the_rest(api: Api, raw: bytes, status: int, code: str) -> None:
    assert_problem(api("POST", "auth/app/v1/auth/login", raw=raw), status, code)


@pytest.mark.parametrize("key", ["", "-", "-1", "1-", "1-x", "0-0", "zzzzzzzzzzzzzzzzzzzz-1", "-1-1", "\x00", "é-é"])
def test_a_key_of_a_reset_that_is_none_is_refused(api: Api, key: str) -> None:
    path = "auth/app/v1/auth/password/reset"
    assert_problem(api("POST", path, {"key": key, "password": "long enough to be safe"}), 422, "validation_failed")
    if key.isprintable() and key.isascii():
        assert_problem(api("GET", path, X_Password_Reset_Key=key), 422, "validation_failed")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS"])
def test_no_address_of_signing_in_breaks_over_a_method(method: str, db: None) -> None:
    for path in ROUTES:
        if path.startswith("/api/v1/auth/"):
            assert Client().generic(method, path).status_code < 500, path


def test_signing_in_takes_no_form(api: Api) -> None:
    response = api(
        "POST",
        "auth/app/v1/auth/login",
        raw=b"email=a@example.com&password=x",
        content_type="application/x-www-form-urlencoded",
    )

    assert_problem(response, 415, "unsupported_media_type")


def test_a_wrong_password_and_an_unknown_address_look_alike(api: Api) -> None:
    User.objects.create_user("ada@example.com", "trolley-demo-1")

    known = assert_problem(api.sign_in("ada@example.com", "wrong"), 422, "validation_failed")
    unknown = assert_problem(api.sign_in("bob@example.com", "wrong"), 422, "validation_failed")

    assert {**known, "instance": ""} == {**unknown, "instance": ""}
    assert [error["pointer"] for error in known["errors"]] == ["/password"]


def test_guessing_passwords_is_limited(api: Api) -> None:
    statuses = [api.sign_in("ada@example.com", f"wrong-{number}").status_code for number in range(7)]

    assert statuses == [422] * 5 + [429] * 2
    response = api.sign_in("ada@example.com", "wrong")
    assert_problem(response, 429, "rate_limited")
    assert int(response.headers["Retry-After"]) > 0
