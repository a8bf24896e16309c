"""Discount codes in a cart: entered once, kept through changes, taken off with a notice, never carried along."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cart import selectors, services
from cart.types import CartRef, CartView
from pricing import services as pricing
from pricing.errors import CodeMinimumError, CodeNotCombinableError, CodeNotForCartError, CodeUnknownError
from pricing.types import Combining, ReductionKind
from shop.core.money import Money
from tests.cart.helpers import NOW, make_sku, new_guest

pytestmark = pytest.mark.django_db


def make_code(
    text: str,
    *,
    percent: int = 10,
    minimum: int = 0,
    combines: Combining = Combining.EVERYTHING,
    skus: tuple[str, ...] = (),
) -> int:
    promotion = pricing.NewPromotion(
        name="Welcome",
        kind=ReductionKind.PERCENT,
        value=percent,
        currency="GBP",
        minimum_minor=minimum,
        combines=combines,
        sku_ids=skus,
        needs_code=True,
        valid_from=NOW - timedelta(days=1),
    )
    promotion_id = pricing.add_promotion(promotion=promotion)
    return pricing.publish_code(promotion_id=promotion_id, code=text, valid_from=NOW - timedelta(days=1))


def see(ref: CartRef) -> CartView:
    return selectors.view_cart(ref=ref, locale="en", now=NOW)


@pytest.fixture
def ref() -> CartRef:
    make_sku("MUG", price=1_000)
    guest = new_guest()
    services.set_quantity(ref=guest, sku_id="MUG", quantity=3, now=NOW)
    return guest


def test_a_code_takes_its_part_off_and_moves_the_version_alone(ref: CartRef) -> None:
    entered = make_code("WELCOME10")
    before = selectors.get_cart(ref=ref)

    change = services.apply_code(ref=ref, code="welcome10", now=NOW)

    assert change.cart.codes == (entered,)
    assert change.cart.version > before.version
    assert change.cart.content_version == before.content_version
    view = see(ref)
    assert (view.subtotal, view.total) == (Money(3_000, "GBP"), Money(2_700, "GBP"))
    assert [(d.label, d.amount.minor) for d in view.discounts] == [("WELCOME10", 300)]


def test_entering_it_again_changes_nothing(ref: CartRef) -> None:
    make_code("WELCOME10")
    once = services.apply_code(ref=ref, code="WELCOME10", now=NOW).cart

    assert services.apply_code(ref=ref, code="WELCOME10", now=NOW).cart == once


@pytest.mark.parametrize("text", [" welcome10", ""])
def test_a_code_is_taken_out_by_itself_or_by_its_id(ref: CartRef, text: str) -> None:
    entered = make_code("WELCOME10")
    services.apply_code(ref=ref, code="WELCOME10", now=NOW)

    for _ in range(2):
        change = services.remove_code(ref=ref, code=text, code_id=None if text else entered)
        assert change.cart.codes == ()
    assert see(ref).total == Money(3_000, "GBP")


def test_what_takes_nothing_off_is_refused_and_not_kept(ref: CartRef) -> None:
    make_code("MUCH", minimum=3_001)
    make_code("OTHER", skus=("SPADE",))

    with pytest.raises(CodeMinimumError) as refused:
        services.apply_code(ref=ref, code="MUCH", now=NOW)
    assert refused.value.minimum == Money(3_001, "GBP")
    with pytest.raises(CodeNotForCartError):
        services.apply_code(ref=ref, code="OTHER", now=NOW)
    with pytest.raises(CodeUnknownError):
        services.apply_code(ref=ref, code="NONE", now=NOW)
    with pytest.raises(CodeNotForCartError):
        services.apply_code(ref=new_guest(), code="MUCH", now=NOW)
    assert selectors.get_cart(ref=ref).codes == ()


@pytest.mark.parametrize("first", [Combining.EVERYTHING, Combining.NOTHING])
def test_two_that_exclude_each_other_are_refused_whoever_came_first(ref: CartRef, first: Combining) -> None:
    second = Combining.NOTHING if first is Combining.EVERYTHING else Combining.EVERYTHING
    kept = make_code("FIRST", combines=first)
    make_code("SECOND", combines=second)
    services.apply_code(ref=ref, code="FIRST", now=NOW)

    with pytest.raises(CodeNotCombinableError):
        services.apply_code(ref=ref, code="SECOND", now=NOW)

    assert selectors.get_cart(ref=ref).codes == (kept,)


def test_below_its_minimum_a_code_stays_with_a_notice_until_that_is_acknowledged(ref: CartRef) -> None:
    entered = make_code("MUCH", minimum=3_000)
    services.apply_code(ref=ref, code="MUCH", now=NOW)
    services.set_quantity(ref=ref, sku_id="MUG", quantity=2, now=NOW)

    view = see(ref)
    (notice,) = view.notices
    assert (notice.kind, notice.title, notice.reason, notice.now) == (
        "code_off",
        "MUCH",
        "code_minimum",
        Money(3_000, "GBP"),
    )
    assert view.total == Money(2_000, "GBP")

    services.set_quantity(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    assert (see(ref).notices, see(ref).total) == ((), Money(2_700, "GBP"))

    services.set_quantity(ref=ref, sku_id="MUG", quantity=2, now=NOW)
    services.acknowledge(ref=ref, notice_ids=[f"code_off:code_minimum:{entered}"])
    assert selectors.get_cart(ref=ref).codes == ()
    assert see(ref).notices == ()


def test_no_more_than_five_are_taken(ref: CartRef) -> None:
    for number in range(6):
        make_code(f"CODE{number}", percent=1)
    for number in range(5):
        services.apply_code(ref=ref, code=f"CODE{number}", now=NOW)

    with pytest.raises(CodeNotCombinableError):
        services.apply_code(ref=ref, code="CODE5", now=NOW)


def test_a_guests_code_does_not_come_along_at_sign_in(ref: CartRef) -> None:
    make_code("WELCOME10")
    services.apply_code(ref=ref, code="WELCOME10", now=NOW)

    merged = services.merge_guest_cart(guest_ref=ref, user_id=7, now=NOW).cart

    assert [line.sku_id for line in merged.lines] == ["MUG"]
    assert merged.codes == ()


def test_an_order_takes_the_codes_with_it(ref: CartRef) -> None:
    make_code("WELCOME10")
    cart = services.apply_code(ref=ref, code="WELCOME10", now=NOW).cart

    services.clear_ordered(ref=ref, content_version=cart.content_version, order_number="ord_1", lines=cart.lines)

    assert selectors.get_cart(ref=ref).codes == ()
