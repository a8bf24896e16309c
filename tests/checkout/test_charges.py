"""Orders whose charge differs from the prices at add are explained, and what cannot be is found."""

from __future__ import annotations

import io
from datetime import timedelta

import pgtrigger
import pytest
from django.core.management import CommandError, call_command

from cart import services as carts
from pricing.models import PriceDelta
from shop.checkout.charges import explain_charges
from shop.checkout.models import Order
from shop.core import clock
from tests.checkout.helpers import fill, make_sku, new_guest, pay, put, set_price, start
from tests.checkout.test_discounts import code, promotion

pytestmark = pytest.mark.django_db


def found() -> list[tuple[str, str]]:
    since = clock.now() - timedelta(days=1)
    return [(finding.sku_id, finding.fault) for finding in explain_charges(placed_from=since)]


def order(sku_id: str = "MUG", *, text: str = "", accepted: int | None = None) -> str:
    ref = new_guest()
    put(ref, sku_id)
    if text:
        carts.apply_code(ref=ref, code=text, now=clock.now())
    if accepted is not None:
        set_price(sku_id, accepted)
    return pay(fill(start(ref, accepted_total=accepted), ref), ref).order_number


@pytest.fixture(autouse=True)
def _goods() -> None:
    make_sku("MUG", price=1_000)
    make_sku("CUP", price=333)


def test_orders_without_a_difference_say_nothing() -> None:
    order()

    assert found() == []


def test_each_difference_is_explained() -> None:
    promotion(sku_ids=("CUP",))
    code()
    order("CUP")
    order("MUG", text="ONCE20")
    number = order("MUG", accepted=1_200)

    assert sorted(found()) == [("CUP", ""), ("MUG", ""), ("MUG", "")]
    out = io.StringIO()
    call_command("reconcile_prices", stdout=out)
    assert f"{number} MUG 1000 → 1200 → 1200 → 1200 GBP: price\n" in out.getvalue()
    assert out.getvalue().endswith("3 differences explained, 0 not.\n")


def test_a_difference_that_nobody_wrote_down_is_found() -> None:
    order("MUG", accepted=1_200)
    PriceDelta.objects.update(order_number="", charged_minor=None)

    assert found() == [("MUG", "unexplained")]
    with pytest.raises(CommandError, match="1 charges"):
        call_command("reconcile_prices", stdout=io.StringIO())


def test_an_explanation_of_another_charge_is_found() -> None:
    order("MUG", accepted=1_200)
    PriceDelta.objects.update(charged_minor=1_100)

    assert found() == [("MUG", "explained_wrongly")]


def test_a_sum_that_is_wrong_is_found() -> None:
    order()
    with pgtrigger.ignore("checkout.Order:order_never_changed"):
        Order.objects.update(total_minor=1)

    assert found() == [("", "lines_differ"), ("", "charge_differs")]
