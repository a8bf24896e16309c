"""PostgreSQL answers, but takes no changes: each is told to come back, the provider too, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.utils import DatabaseErrorWrapper

from cart.types import CartRef
from shop.checkout.gateways.port import Outcome
from shop.checkout.models import FakeCharge, Order, WebhookEvent
from shop.checkout.services import webhooks
from shop.core import clock
from shop.core.db import rows
from shop.core.ids import hash_token, new_token
from shop.core.postgresql.base import DatabaseWrapper
from tests.api.helpers import Api, assert_problem
from tests.checkout.helpers import counters, make_sku, offline, outcome_of, pay, put, ready
from tests.faults.test_stock_database import altered
from tests.inventory.helpers import assert_balanced

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

NO_SPACE = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
DO $$ DECLARE the_name text; BEGIN
  FOR the_name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON %I EXECUTE FUNCTION no_space()', the_name);
  END LOOP;
END $$
"""


@contextmanager
def disk_full() -> Iterator[None]:
    """Let every table refuse to grow, as it does when the disk is full."""
    with connection.cursor() as cursor:
        cursor.execute(NO_SPACE)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION no_space() CASCADE")


@contextmanager
def read_only() -> Iterator[None]:
    """Let every session find a server that was demoted, or may only be read."""
    with altered("SET default_transaction_read_only = on", "RESET default_transaction_read_only"):
        connection.close()
        yield
    connection.close()


class Shop:
    """A guest with a cart, another whose payment waits for the provider's word."""

    def __init__(self) -> None:
        make_sku()
        token = new_token()
        self.api = Api(cart_session=token)
        put(CartRef("g", hash_token(token)), "MUG")
        ref, view = ready()
        self.outcome: Outcome = outcome_of(pay(view, ref, "slow").payment_id)

    def start(self) -> Any:
        """Start a checkout, under the same key each time."""
        return self.api("POST", "checkouts", {}, key="start-once", If_Match="*")

    def webhook(self) -> Any:
        """Let the provider report that the payment succeeded."""
        body, headers = offline().message(self.outcome, event_id="evt_1", at=clock.now())
        return self.api(
            "POST", "webhooks/fake", raw=body, **{name.replace("-", "_"): value for name, value in headers.items()}
        )


@pytest.mark.parametrize("refusing", [disk_full, read_only])
def test_all_are_told_to_come_back_and_then_it_goes_on(refusing: Callable[[], AbstractContextManager[None]]) -> None:
    shop = Shop()

    with refusing():
        for act in (shop.start, shop.webhook, shop.start):
            answer = act()
            assert_problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert shop.api("GET", "cart").status_code == 200

    assert not WebhookEvent.objects.exists()
    assert counters() == (50, 1)
    assert shop.start().status_code == 201
    assert shop.webhook().status_code == 200
    assert counters() == (49, 1)
    assert Order.objects.count() == 1
    assert_balanced()


def test_twin_by_the_drivers_name_for_it_a_demoted_server_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.api.client.raise_request_exception = False
    monkeypatch.setattr(DatabaseWrapper, "wrap_database_errors", property(DatabaseErrorWrapper))

    with read_only():
        assert shop.start().status_code == 500


def test_twin_a_provider_that_is_told_ok_before_its_word_is_kept_never_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop()

    def careless(*given: Any) -> list[tuple[Any, ...]]:
        try:
            return rows(*given)
        except OperationalError:
            return []

    monkeypatch.setattr(webhooks, "rows", careless)
    with disk_full():
        assert shop.webhook().status_code == 200

    assert not WebhookEvent.objects.exists()
    assert not Order.objects.exists()
    assert FakeCharge.objects.count() == 1
