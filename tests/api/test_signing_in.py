"""Signing in through allauth's app client keeps the rules of the rest of the API."""

from __future__ import annotations

import pytest

from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem


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
    ],
)
def test_signing_in_is_as_strict_as_the_rest(api: Api, raw: bytes, status: int, code: str) -> None:
    assert_problem(api("POST", "auth/app/v1/auth/login", raw=raw), status, code)


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
