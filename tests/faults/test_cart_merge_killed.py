"""Sign-ins whose process is killed in the middle of a merge, and sign-ins while Redis is away."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cart import identity, receivers, selectors, services
from cart.errors import CartFrozenError, CartMergedError, CartsUnavailableError
from cart.types import CartRef, CartState
from shop.accounts.models import User, WebSession
from shop.core.ids import hash_token, new_token
from tests.cart.helpers import NOW, customer, make_sku, quantities
from tests.conftest import RunProcess
from tests.ports import free_port

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

PASSWORD = "trolley-demo-1"

MERGE_AND_DIE = """
import os, signal, sys
import django
django.setup()
from cart import services, store
from cart.types import CartRef, MergePolicy
from shop.core import clock
step, owner, user_id, policy = sys.argv[1:]
real = getattr(store, step)
def done_and_dead(**arguments):
    answer = real(**arguments)
    if getattr(answer, "status", "ok") != "absent":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(store, step, done_and_dead)
services.merge_guest_cart(guest_ref=CartRef("g", owner[2:]), user_id=int(user_id), policy=MergePolicy(policy),
                          now=clock.now())
"""

SIGN_IN_AND_DIE = """
import os, signal, sys
import django
django.setup()
from django.test import Client
from cart import services
services.merge_guest_cart = lambda **_: os.kill(os.getpid(), signal.SIGKILL)
token, password = sys.argv[1:]
client = Client(headers={"Host": "localhost"})
client.cookies["cart_session"] = token
client.post("/accounts/login/", {"login": "ada@example.com", "password": password})
"""

END_THE_GUEST_FIRST_AND_DIE = SIGN_IN_AND_DIE.replace(
    "services.merge_guest_cart = lambda **_: os.kill(os.getpid(), signal.SIGKILL)",
    """
from cart import store
def hasty(*, guest_ref, user_id, **_):
    store.freeze(owner=guest_ref.owner, into=f"u:{user_id}", merge_id="m", policy="max")
    store.tombstone(owner=guest_ref.owner, merge_id="m", receipt="[]")
    os.kill(os.getpid(), signal.SIGKILL)
services.merge_guest_cart = hasty
""",
)


def guest_with(token: str, **lines: int) -> CartRef:
    """Make a guest's cart."""
    ref = CartRef("g", hash_token(token))
    for sku_id, quantity in lines.items():
        services.set_quantity(ref=ref, sku_id=sku_id, quantity=quantity, now=NOW)
    return ref


@pytest.mark.parametrize("policy", ["sum", "prompt"])
@pytest.mark.parametrize("step", ["freeze", "change", "tombstone"])
def test_a_sign_in_killed_after_any_step_is_finished_by_the_next_and_joins_once(
    run_process: RunProcess, step: str, policy: str
) -> None:
    make_sku("MUG")
    make_sku("LAMP")
    guest = guest_with(new_token(), MUG=2, LAMP=3)
    services.add_line(ref=customer(7), sku_id="MUG", quantity=1, now=NOW)

    with run_process([sys.executable, "-c", MERGE_AND_DIE, step, guest.owner, "7", policy]) as process:
        assert process.wait() in (-9, 137), process.output()
    refusal = CartMergedError if step == "tombstone" else CartFrozenError
    with pytest.raises(refusal):
        services.add_line(ref=guest, sku_id="MUG", quantity=1, now=NOW)
    result = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)

    cart = selectors.get_cart(ref=customer(7))
    assert quantities(cart) == {"MUG": 3 if policy == "sum" else 1, "LAMP": 3}
    assert sorted(line.guest for line in result.receipt) == [2, 3]
    assert (cart.question is not None) == (policy == "prompt")
    assert selectors.get_cart(ref=guest).state is CartState.MERGED
    again = services.merge_guest_cart(guest_ref=guest, user_id=7, now=NOW)
    assert (again.was_replayed, again.receipt) == (True, result.receipt)
    assert selectors.get_cart(ref=customer(7)).lines == cart.lines


def test_a_sign_in_killed_before_it_joined_anything_leaves_the_guest_a_guest_and_the_next_one_joins_once(
    run_process: RunProcess,
) -> None:
    make_sku("MUG")
    token = new_token()
    guest = guest_with(token, MUG=2)
    user = User.objects.create_user("ada@example.com", PASSWORD)
    with run_process([sys.executable, "-c", SIGN_IN_AND_DIE, token, PASSWORD]) as process:
        assert process.wait() in (-9, 137), process.output()

    # The browser got no answer: it has its guest's cookie still, and no session that was signed in.
    assert not any("_auth_user_id" in session.get_decoded() for session in WebSession.objects.all())
    client = Client()
    client.cookies[identity.COOKIE] = token
    assert client.get("/api/v1/cart/count").json() == {"units": 2}
    assert selectors.get_cart(ref=guest).state is CartState.ACTIVE

    for _ in range(2):
        client.post(reverse("account_login"), {"login": "ada@example.com", "password": PASSWORD})
        assert quantities(selectors.get_cart(ref=customer(user.pk))) == {"MUG": 2}
        client.logout()
        client.cookies[identity.COOKIE] = token  # sent once more all the same
    assert client.get("/api/v1/cart/count").json() == {"units": 0}


def test_a_sign_in_that_ended_the_guests_cart_before_it_joined_it_would_lose_it(run_process: RunProcess) -> None:
    """The twin: what the guest still sends is the mark by which the next sign-in finishes it."""
    make_sku("MUG")
    token = new_token()
    guest_with(token, MUG=2)
    user = User.objects.create_user("ada@example.com", PASSWORD)
    with run_process([sys.executable, "-c", END_THE_GUEST_FIRST_AND_DIE, token, PASSWORD]) as process:
        assert process.wait() in (-9, 137), process.output()

    client = Client()
    client.cookies[identity.COOKIE] = token
    client.post(reverse("account_login"), {"login": "ada@example.com", "password": PASSWORD})
    assert quantities(selectors.get_cart(ref=customer(user.pk))) == {}


@pytest.fixture
def there(settings: Settings) -> str:
    """Tell where the carts' Redis is."""
    return str(settings.CART.redis_url)


@pytest.fixture
def guest_without_redis(settings: Settings, there: str) -> Client:
    """Give the browser of a guest with two mugs, and let the carts' Redis be where nothing answers."""
    make_sku("MUG")
    token = new_token()
    guest_with(token, MUG=2)
    User.objects.create_user("ada@example.com", PASSWORD)
    client = Client()
    client.cookies[identity.COOKIE] = token
    settings.CART = replace(settings.CART, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    return client


def test_redis_away_at_sign_in_lets_the_customer_in_and_the_merge_follows(
    guest_without_redis: Client, settings: Settings, there: str
) -> None:
    client, token = guest_without_redis, guest_without_redis.cookies[identity.COOKIE].value
    answer = client.post(reverse("account_login"), {"login": "ada@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    assert "_auth_user_id" in client.session
    assert client.cookies[identity.COOKIE].value == token

    settings.CART = replace(settings.CART, redis_url=there)
    page = client.get("/cart/")
    assert page.status_code == 200
    user = User.objects.get()
    assert quantities(selectors.get_cart(ref=customer(user.pk))) == {"MUG": 2}
    assert client.cookies[identity.COOKIE].value == ""


def test_a_merge_whose_failure_is_not_caught_would_spoil_the_sign_in(
    guest_without_redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(identity, "CartsUnavailableError", ZeroDivisionError)
    monkeypatch.setattr(receivers, "Refusal", ZeroDivisionError)
    with pytest.raises(CartsUnavailableError):
        guest_without_redis.post(reverse("account_login"), {"login": "ada@example.com", "password": PASSWORD})
    assert "_auth_user_id" not in guest_without_redis.session


def _signed_out_in_the_middle(run_process: RunProcess) -> tuple[Client, User, str]:
    """Kill a merge right after it began, sign the customer out, and change the cart with the guest's cookie."""
    make_sku("MUG")
    user = User.objects.create_user("ada@example.com", PASSWORD)
    token = new_token()
    guest = guest_with(token, MUG=2)
    with run_process([sys.executable, "-c", MERGE_AND_DIE, "freeze", guest.owner, str(user.pk), "max"]) as process:
        process.wait()
    client = Client(headers={"Sec-Fetch-Site": "same-origin"})
    client.force_login(user)
    client.logout()
    client.cookies[identity.COOKIE] = token
    answer = client.put("/api/v1/cart/items/MUG", {"quantity": 1}, content_type="application/json")
    assert answer.status_code == 201
    return client, user, token


def test_signing_out_in_the_middle_leaves_both_carts_whole_for_the_next_sign_in(run_process: RunProcess) -> None:
    client, user, token = _signed_out_in_the_middle(run_process)
    # Whoever has the guest's cookie meets the half-done merge with the next change; it is finished, not undone.
    assert quantities(selectors.get_cart(ref=customer(user.pk))) == {"MUG": 2}
    assert client.cookies[identity.COOKIE].value != token


def test_a_merge_that_nobody_finishes_would_cost_the_guests_lines(
    run_process: RunProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(services, "finish_merge", lambda **_: False)
    _, user, _ = _signed_out_in_the_middle(run_process)
    assert selectors.get_cart(ref=customer(user.pk)).lines == ()
