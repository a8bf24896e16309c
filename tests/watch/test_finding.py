"""The search box of staff's first page."""

from __future__ import annotations

import pytest
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import resolve

from shop.checkout.models import Order
from shop.core.staff import change_page
from tests.checkout.helpers import make_sku, pay, ready

pytestmark = pytest.mark.django_db

FIND = "/admin/find/"


@pytest.fixture
def order() -> Order:
    make_sku("MUG", on_hand=3)
    guest, view = ready()
    pay(view, guest)
    return Order.objects.get()


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def test_what_names_one_row_opens_it(staff: Client, order: Order) -> None:
    for term, url in {
        "MUG": "/admin/availability/MUG/",
        order.number: change_page("checkout_order", order.pk),
        order.checkout_id: change_page("checkout_checkout", order.checkout_id),
        order.payment_id: change_page("checkout_payment", order.payment_id),
    }.items():
        response = staff.post(FIND, {"q": f" {term} "})
        assert (response.status_code, response["Location"]) == (302, url)
        assert staff.get(url).status_code == 200


@pytest.mark.parametrize("key", ["ord_23REM0BMHP", "chk_5FX", "pay_3A0", "res_ABC"])
def test_an_address_of_a_page_leads_back_to_its_row(key: str) -> None:
    page = resolve(change_page("checkout_order", key))
    assert unquote(page.kwargs["object_id"]) == key


def test_a_mail_address_is_found_in_all_lists_and_stands_in_no_address(staff: Client, order: Order) -> None:
    response = staff.post(FIND, {"q": order.email})
    text = response.content.decode()
    assert response.status_code == 200
    assert change_page("checkout_order", order.pk) in text
    assert change_page("checkout_checkout", order.checkout_id) in text
    assert f"={order.email}" not in text


@pytest.mark.parametrize("term", ["nobody@example.org", "%", "\\", "g:zz"])
def test_nothing_found_says_what_is_looked_for(staff: Client, order: Order, term: str) -> None:
    response = staff.post(FIND, {"q": term})
    assert response.status_code == 200
    assert "Nothing was found" in response.content.decode()


@pytest.mark.parametrize("term", ["", " ", "x" * 255, "\0"])
def test_what_cannot_be_looked_for_is_told(staff: Client, term: str) -> None:
    response = staff.post(FIND, {"q": term})
    assert response.status_code == 422
    assert "Enter what to find." in response.content.decode()


def test_nobody_finds_what_they_may_not_see(order: Order) -> None:
    user = get_user_model().objects.create_user("some@example.com", "secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_sku"))
    client = Client()
    client.force_login(user)
    assert "Nothing was found" in client.post(FIND, {"q": order.number}).content.decode()
    # Stock is closed to them: the SKU's own page, not its availability.
    assert client.post(FIND, {"q": "MUG"})["Location"].startswith("/admin/catalog/sku/")


def test_who_is_not_staff_is_asked_to_sign_in(client: Client) -> None:
    assert client.post(FIND, {"q": "MUG"}).status_code == 302
    assert client.get(FIND)["Location"].startswith("/admin/login/")
