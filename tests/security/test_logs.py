"""What is logged of a purchase: enough to follow it, and nothing that opens anything or names anybody."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from django.core import mail
from django.db import IntegrityError
from django.test import Client

from notifications import services as notifications
from shop.accounts.models import User
from shop.core import clock
from shop.settings.logs import configure
from tests.api.helpers import Api
from tests.web.helpers import sell, shopper_with, to_review

pytestmark = pytest.mark.django_db

PASSWORD = "long enough to be safe"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Give what production's formatter writes, from the finest level of ours on."""
    config = configure(is_json=True, level="DEBUG")
    formatter = logging.config.DictConfigurator(config).configure_formatter(  # type: ignore[attr-defined]
        config["formatters"]["line"]
    )
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    quiet = [logging.getLogger(name) for name in ("django.db.backends", "django.template")]
    for logger in quiet:
        logger.setLevel(logging.WARNING)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for logger in quiet:
            logger.setLevel(logging.NOTSET)
        configure(is_json=False, level="WARNING")


def test_a_purchase_leaves_no_token_mail_address_or_password_in_the_logs(logged: io.StringIO) -> None:
    sell("MUG", "Enamel mug")
    shopper = to_review(shopper_with("MUG"))
    shopper.press("Pay £10.00")
    notifications.queue_order_mails(now=clock.now())
    notifications.dispatch_messages(now=clock.now())
    (letter,) = mail.outbox
    links = [word for word in letter.body.split() if "/orders/link/" in word]
    token = links[0].rstrip("/").rpartition("/")[2]
    shopper.open(f"/orders/link/{token}/")
    User.objects.create_user("ada@example.org", PASSWORD)
    app = Api(cart_session="B" * 43)
    app("GET", "cart")
    app.sign_in("ada@example.org", "wrong and secret")
    assert app.sign_in("ada@example.org", PASSWORD).status_code == 200

    said = logged.getvalue()

    assert said.count("request_finished") > 8
    secrets = [cookie.value for name, cookie in shopper.client.cookies.items() if name not in ("cart_n", "cart_v")]
    secrets = [value for value in secrets if len(value) >= 32]
    assert len(secrets) >= 2
    for secret in (*secrets, token, app.token, "B" * 43, PASSWORD, "wrong and secret", "ada@example.org", "Ada Byron"):
        assert secret not in said, secret


def test_what_goes_wrong_at_a_links_address_leaves_its_token_out_of_the_logs(
    logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "Zq" * 17
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def broken(**_: object) -> object:
        raise IntegrityError("DETAIL:  Key (lower(email))=(ada@example.org) already exists.")

    assert client.get(f"/c/r/{token}").status_code == 404
    assert client.post(f"/c/r/{token}").status_code == 403
    assert client.put(f"/e/u/{token}").status_code == 405
    monkeypatch.setattr("notifications.selectors.find_by_link", lambda **_: broken())
    monkeypatch.setattr("notifications.links.read_token", lambda *_: "hash")
    assert client.get(f"/e/u/{token}").status_code == 500

    said = logged.getvalue()
    assert "already exists" in said
    assert said.count("/c/r/…") >= 2
    assert token not in said
    assert "ada@example.org" not in said


def test_wrong_passwords_are_noted_at_every_door_by_account_and_without_its_address(logged: io.StringIO) -> None:
    User.objects.create_user("ada@example.org", PASSWORD)
    for door, name in (("/accounts/login/", "login"), ("/admin/login/", "username"), ("/accounts/login/", "login")):
        for _ in range(2):
            Client().post(door, {name: "Ada@Example.org", "password": "wrong and secret"})
    Api().sign_in("ada@example.org", "wrong and secret")

    noted = [json.loads(line) for line in logged.getvalue().splitlines() if "sign_in_" in line]
    assert [line["event"] for line in noted] == ["sign_in_failed"] * 5 + ["sign_in_limited"] * 2
    assert len({line["account"] for line in noted}) == 1
    assert {line["door"] for line in noted} == {"/accounts/login/", "/admin/login/", "/api/v1/auth/app/v1/auth/login"}
    for secret in ("wrong and secret", "ada@example.org", "Ada@Example.org"):
        assert secret not in logged.getvalue()


def test_a_line_break_in_an_address_starts_no_line_of_its_own(logged: io.StringIO) -> None:
    Api()("GET", "/cart/%0A%0Dforged%1b[31m/")
    said = logged.getvalue()
    assert "forged" in said
    assert all(line.startswith("{") for line in said.splitlines())
    assert "\x1b" not in said
