"""Who can still do what while a server is away: one test a row of the table in docs/operations.md, all its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cart import recorder
from cart.models import CartRecord
from cart.types import CartRef
from notifications.models import Message
from notifications.tasks import dispatch_messages
from shop.accounts.models import User
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import GatewayDownError, Outcome
from shop.checkout.models import FakeCharge, Order, WebhookEvent
from shop.checkout.types import CheckoutView
from shop.core import clock
from shop.core.ids import hash_token, new_token
from tests.api.helpers import Api
from tests.api.test_codes import make_code
from tests.checkout.helpers import offline, outcome_of, pay, ready
from tests.web.helpers import sell
from tests.web.shopper import Shopper

pytestmark = [pytest.mark.fault, pytest.mark.django_db]

NOBODY = "redis://127.0.0.1:1/0"


@dataclass(slots=True)
class World:
    """A guest with a cart, by pages and by API, another at the pay button, a payment that waits, and staff."""

    pages: Shopper
    api: Api
    payer: Api
    to_pay: CheckoutView
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
        """Look at the cart; what is in it stands there, whatever it is called."""
        page = self.pages.open("/cart/")
        assert page.status != 200 or page.sees("Enamel mug") or page.sees("MUG Quantity: 1")
        return page.status

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

    def pay(self, key: str = "pay-once") -> int:
        """Press the pay button of a checkout that began before."""
        wish = {"method": "fake", "provider_token": "ok", "expected_total": self.to_pay.total.minor}
        self.answer = self.payer("POST", f"checkouts/{self.to_pay.checkout_id}/payments", wish, key=key)
        return int(self.answer.status_code)

    def webhook(self) -> int:
        """Let the provider report that the payment succeeded."""
        body, headers = offline().message(self.outcome, event_id="evt_1", at=clock.now())
        named = {name.replace("-", "_"): value for name, value in headers.items()}
        return self.ask("POST", "webhooks/fake", raw=body, **named)

    def admin(self) -> int:
        """Open staff's first page."""
        return self.staff.get("/admin/").status_code

    def row(self) -> dict[str, int]:
        """Try it all: what each gets."""
        return {act: getattr(self, act)() for act in ACTS}


@pytest.fixture
def world() -> World:
    """Make it, with all servers there."""
    sell("MUG", "Enamel mug", price=1_400, on_hand=20)
    make_code("SPRING")
    pages = Shopper().open("/p/enamel-mug/").press("Add to cart")
    api = Api(cart_session=pages.client.cookies["cart_session"].value)
    token = new_token()
    _, to_pay = ready(CartRef("g", hash_token(token)))
    ref, view = ready()
    payment = pay(view, ref, "slow")
    staff = Client(raise_request_exception=False)
    staff.force_login(User.objects.create_superuser("staff@example.com", "x"))
    recorder.drain()
    return World(pages, api, Api(cart_session=token), to_pay, staff, outcome_of(payment.payment_id))


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
    yield


@contextmanager
def mail_server(settings: Settings) -> Iterator[None]:
    """Let nobody answer where mail is handed over."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        1,
    )
    yield


@contextmanager
def payment_provider(_settings: Settings) -> Iterator[None]:
    """Let the provider's server be out of reach, as its port sees it. What it had to say before still arrives."""

    def gone(*_: object) -> Outcome:
        raise GatewayDownError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeGateway, "charge", gone)
        yield


DOWN: dict[str, Callable[[Settings], AbstractContextManager[None]]] = {
    "carts_redis": carts_redis,
    "cache_redis": cache_redis,
    "postgresql": postgresql,
    "broker": broker,
    "recorder": recorder_,
    "mail_server": mail_server,
    "payment_provider": payment_provider,
}
# What a shopper takes out comes last: what comes before needs it in the cart.
ACTS = ("browse", "see", "see_minimal", "change", "code", "start", "pay", "webhook", "admin", "remove")
ALL_WELL = (200, 200, 200, 200, 200, 201, 201, 200, 200, 200)
STATUSES = {
    "carts_redis": (200, 200, 200, 503, 503, 503, 201, 200, 200, 503),
    "cache_redis": ALL_WELL,
    "postgresql": (503, 200, 200, 503, 503, 503, 503, 503, 503, 200),
    "broker": ALL_WELL,
    "recorder": ALL_WELL,
    "mail_server": ALL_WELL,
    "payment_provider": (200, 200, 200, 200, 200, 201, 503, 200, 200, 200),
}


@pytest.mark.parametrize("down", DOWN)
def test_a_row(world: World, settings: Settings, down: str) -> None:
    with DOWN[down](settings):
        assert world.row() == dict(zip(ACTS, STATUSES[down], strict=True))
    # One order is of the webhook, which was processed and not only stored, and one of the payment.
    made = {"postgresql": 0, "payment_provider": 1}.get(down, 2)
    assert Order.objects.count() == made
    assert WebhookEvent.objects.count() == (0 if down == "postgresql" else 1)
    if down == "postgresql":
        assert world.webhook() == 200  # the provider repeats it
    if made < 2:
        assert world.pay("again") == 201  # the checkout stayed, and was not charged before
        assert (Order.objects.count(), FakeCharge.objects.count()) == (2, 2)


def test_while_the_mail_server_is_away_messages_wait_as_rows(world: World, settings: Settings) -> None:
    with mail_server(settings):
        world.webhook()
        world.pay()
        dispatch_messages()
    assert list(Message.objects.values_list("state", "attempts")) == [("due", 0)] * 2


def test_while_no_recorder_runs_staff_see_how_far_it_is_behind(world: World) -> None:
    def read() -> str:
        record = CartRecord.objects.get(owner="g:" + hash_token(world.api.cart_session))
        return world.staff.get(reverse("admin:cart_cartrecord_change", args=[record.pk])).content.decode()

    assert "The record is as new as the live cart." in read()
    world.change()
    assert "The record is behind: the live cart is " in read()
    recorder.drain()
    assert "The record is as new as the live cart." in read()


@pytest.mark.parametrize("act", ["change", "code", "start"])
def test_what_is_refused_says_when_to_try_again_and_works_after(world: World, settings: Settings, act: str) -> None:
    for down in ("carts_redis", "postgresql"):
        with DOWN[down](settings):
            getattr(world, act)()
            assert world.answer.headers["Content-Type"] == "application/problem+json"
            assert int(world.answer.headers["Retry-After"]) > 0
    assert getattr(world, act)() in (200, 201)
