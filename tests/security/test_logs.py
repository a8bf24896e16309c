"""What is logged of a purchase: enough to follow it, and nothing that opens anything or names anybody."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from django.core import mail

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


def test_a_line_break_in_an_address_starts_no_line_of_its_own(logged: io.StringIO) -> None:
    Api()("GET", "/cart/%0A%0Dforged%1b[31m/")
    said = logged.getvalue()
    assert "forged" in said
    assert all(line.startswith("{") for line in said.splitlines())
    assert "\x1b" not in said
