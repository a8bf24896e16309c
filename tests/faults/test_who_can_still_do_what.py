"""Who can still do what while a server is away: one test a cell of the table in docs/operations.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from cart import recorder, services
from shop.accounts.models import User
from shop.checkout.gateways.port import Outcome
from shop.checkout.models import Order, WebhookEvent
from shop.core import clock
from tests.api.helpers import Api
from tests.api.test_codes import make_code
from tests.cart.helpers import customer
from tests.checkout.helpers import offline, outcome_of, pay, ready
from tests.web.helpers import sell
from tests.web.shopper import Shopper

pytestmark = [pytest.mark.fault, pytest.mark.django_db]

NOBODY = "redis://127.0.0.1:1/0"


@dataclass(slots=True)
class World:
    """A guest with a cart, by pages and by API, a payment that waits for its provider's word, and staff."""

    pages: Shopper
    api: Api
    staff: Client
    outcome: Outcome
    answer: Any = None

    def ask(self, *given: Any, **more: Any) -> int:
        """Ask the API, keep its answer, give its status."""
        self.answer = self.api(*given, **more)
        return int(self.answer.status_code)

    def browse(self) -> int:
        """Look at a product."""
        return self.pages.client.get("/p/enamel-mug/").status_code

    def see(self) -> int:
        """Look at the cart."""
        return self.pages.client.get("/cart/").status_code

    def see_minimal(self) -> int:
        """Look at what a program asks for: SKUs and quantities."""
        return self.ask("GET", "cart")

    def change(self) -> int:
        """Set another quantity."""
        return self.ask("PUT", "cart/items/MUG", {"quantity": 3})

    def remove(self) -> int:
        """Take a line out, which needs no price."""
        return self.ask("DELETE", "cart/items/MUG")

    def code(self) -> int:
        """Enter a discount code."""
        return self.ask("PUT", "cart/codes/SPRING")

    def start(self) -> int:
        """Start a checkout."""
        return self.ask("POST", "checkouts", {}, key=True, If_Match="*")

    def webhook(self) -> int:
        """Let the provider report that the payment succeeded."""
        body, headers = offline().message(self.outcome, event_id="evt_1", at=clock.now())
        named = {name.replace("-", "_"): value for name, value in headers.items()}
        return self.ask("POST", "webhooks/fake", raw=body, **named)

    def admin(self) -> int:
        """Open staff's first page."""
        return self.staff.get("/admin/").status_code


@pytest.fixture
def world() -> World:
    """Make it, with all servers there."""
    sell("MUG", "Enamel mug", price=1_400)
    make_code("SPRING")
    pages = Shopper().open("/p/enamel-mug/").press("Add to cart")
    api = Api(cart_session=pages.client.cookies["cart_session"].value)
    ref, view = ready(sku_id="MUG")
    payment = pay(view, ref, "slow")
    staff = Client(raise_request_exception=False)
    staff.force_login(User.objects.create_superuser("staff@example.com", "x"))
    recorder.drain()
    return World(pages, api, staff, outcome_of(payment.payment_id))


@contextmanager
def carts_redis(settings: Settings) -> Iterator[None]:
    """Let nobody answer where the carts were."""
    there, settings.CART = settings.CART, replace(settings.CART, redis_url=NOBODY)
    yield
    settings.CART = there


@contextmanager
def cache_redis(settings: Settings) -> Iterator[None]:
    """Let nobody answer where cache and sessions were."""
    there, settings.CACHES = settings.CACHES, {"default": {**settings.CACHES["default"], "LOCATION": NOBODY}}
    yield
    settings.CACHES = there


@contextmanager
def postgresql(_settings: Settings) -> Iterator[None]:
    """Let every statement fail as it does when the server is gone."""

    def gone(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(gone):
        yield


@contextmanager
def broker(settings: Settings) -> Iterator[None]:
    """Let nobody answer where tasks are announced. Neither worker nor beat runs in a test."""
    settings.CELERY_BROKER_URL = NOBODY
    yield


@contextmanager
def recorder_(_settings: Settings) -> Iterator[None]:
    """Let changes pile up: no recorder runs in a test."""
    services.set_quantity(ref=customer(), sku_id="MUG", quantity=1, now=clock.now())
    yield


DOWN: dict[str, Callable[[Settings], AbstractContextManager[None]]] = {
    "carts_redis": carts_redis,
    "cache_redis": cache_redis,
    "postgresql": postgresql,
    "broker": broker,
    "recorder": recorder_,
}
ACTS = ("browse", "see", "see_minimal", "change", "remove", "code", "start", "webhook", "admin")
ALL_WELL = (200, 200, 200, 200, 200, 200, 201, 200, 200)
STATUSES = {
    "carts_redis": (200, 200, 200, 503, 503, 503, 503, 200, 200),
    "cache_redis": ALL_WELL,
    "postgresql": (503, 503, 200, 503, 200, 503, 503, 503, 503),
    "broker": ALL_WELL,
    "recorder": ALL_WELL,
}


@pytest.mark.parametrize(
    ("down", "act", "status"),
    [(down, act, status) for down, statuses in STATUSES.items() for act, status in zip(ACTS, statuses, strict=True)],
)
def test_a_cell(world: World, settings: Settings, down: str, act: str, status: int) -> None:
    with DOWN[down](settings):
        assert getattr(world, act)() == status
    if act == "webhook" and status == 200:
        assert Order.objects.count() == 1  # processed, not only stored
    if act == "webhook" and status == 503:
        assert not WebhookEvent.objects.exists()
        assert world.webhook() == 200  # the provider repeats it
        assert Order.objects.count() == 1


@pytest.mark.parametrize("act", ["change", "code", "start"])
def test_what_is_refused_says_when_to_try_again_and_works_after(world: World, settings: Settings, act: str) -> None:
    for down in ("carts_redis", "postgresql"):
        with DOWN[down](settings):
            getattr(world, act)()
            assert world.answer.headers["Content-Type"] == "application/problem+json"
            assert int(world.answer.headers["Retry-After"]) > 0
    assert getattr(world, act)() in (200, 201)
