"""Promotions in force, codes, and who may use them how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from pricing import selectors, services
from pricing.errors import CodeTakenError, CodeUsedUpError
from pricing.models import DiscountCode, Redemption
from pricing.types import Combining, Demand, PriceQuote, ReductionKind
from shop.core.money import Money
from tests.cart.helpers import make_sku
from tests.pricing.helpers import check_shop

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ADA, GUEST = "u:42", "g:abc"


def promotion(**fields: Any) -> int:
    given = {"name": "Sale", "kind": ReductionKind.PERCENT, "value": 10, "valid_from": NOW - DAY, **fields}
    return services.add_promotion(promotion=services.NewPromotion(**given))


def code(text: str = "WELCOME10", *, promotion_fields: dict[str, Any] | None = None, **fields: Any) -> int:
    brought = promotion(needs_code=True, **(promotion_fields or {}))
    return services.publish_code(promotion_id=brought, code=text, **{"valid_from": NOW - DAY, **fields})


def quote(*code_ids: int, owner: str = GUEST, now: datetime = NOW, quantity: int = 1) -> PriceQuote:
    return selectors.quote(demands=[Demand("MUG", quantity)], currency="GBP", now=now, owner=owner, code_ids=code_ids)


def why_off(*code_ids: int, **more: Any) -> list[str]:
    return [off.reason for off in quote(*code_ids, **more).codes_off]


def claim(code_id: int, checkout_id: str = "chk_1", owner: str = GUEST, key: str = "") -> None:
    with transaction.atomic():
        services.claim_uses(code_ids=[code_id], checkout_id=checkout_id, owner=owner, customer_key=key or owner)


def used(code_id: int) -> int:
    return DiscountCode.objects.get(pk=code_id).used


@pytest.fixture(autouse=True)
def _mug() -> None:
    make_sku("MUG", price=1_000)


@pytest.mark.parametrize(
    ("fields", "total"),
    [
        ({}, 900),
        ({"sku_ids": ("MUG",)}, 900),
        ({"products": ("enamel-mug",)}, 900),
        ({"categories": ("Kitchen",)}, 900),
        ({"categories": ("Garden",), "products": ("spade",), "sku_ids": ("SPADE",)}, 1_000),
        ({"valid_until": NOW}, 1_000),
        ({"valid_until": NOW + DAY}, 900),
        ({"valid_from": NOW + DAY}, 1_000),
        ({"segment": "trade"}, 1_000),
        ({"currency": "GBP"}, 900),
        ({"currency": "EUR"}, 1_000),
        ({"needs_code": True}, 1_000),
        ({"minimum_minor": 1_001, "currency": "GBP"}, 1_000),
    ],
)
def test_a_promotion_applies_where_and_when_it_says(fields: dict[str, Any], total: int) -> None:
    promotion(**fields)

    assert quote().total == Money(total, "GBP")


def test_a_segment_has_its_own_promotion() -> None:
    promotion(segment="trade", value=30)
    services.set_segment(user_id=42, segment="trade")

    assert (quote(owner=ADA).total.minor, quote(owner="u:7").total.minor, quote().total.minor) == (700, 1_000, 1_000)


def test_the_highest_priority_comes_first() -> None:
    promotion(name="Later", combines=Combining.NOTHING)
    promotion(name="First", combines=Combining.NOTHING, value=20, priority=5)

    assert [discount.name for discount in quote().discounts] == ["First"]


def test_a_code_takes_its_part_off_and_is_found_as_people_type_it() -> None:
    welcome = code()

    assert selectors.find_code(text=" welcome10", owner=GUEST) == welcome
    assert quote(welcome).total == Money(900, "GBP")
    assert [(d.kind, d.label, d.amount.minor) for d in quote(welcome).discounts] == [("code", "WELCOME10", 100)]
    assert selectors.find_code(text="WELCOME1", owner=GUEST) is None


@pytest.mark.parametrize("text", ["%", "WELCOME__", "' OR 1=1 --", "WELCOME10\x00", "W" * 65, "WEL COME10", "\ud800"])
def test_what_is_no_code_is_found_nowhere(text: str) -> None:
    code()

    assert selectors.find_code(text=text, owner=GUEST) is None


@pytest.mark.parametrize(
    ("fields", "promotion_fields", "reason"),
    [
        ({"valid_from": NOW + DAY}, {}, "code_not_yet"),
        ({"valid_until": NOW}, {}, "code_expired"),
        ({}, {"valid_until": NOW}, "code_expired"),
        ({}, {"valid_from": NOW + DAY}, "code_not_yet"),
        ({}, {"minimum_minor": 1_001, "currency": "GBP"}, "code_minimum"),
        ({}, {"currency": "EUR"}, "code_not_for_cart"),
        ({}, {"sku_ids": ("SPADE",)}, "code_not_for_cart"),
        ({}, {"segment": "trade"}, "code_not_for_cart"),
        ({"max_uses": 0}, {}, "code_used_up"),
    ],
)
def test_a_code_that_takes_nothing_off_says_why(
    fields: dict[str, Any], promotion_fields: dict[str, Any], reason: str
) -> None:
    entered = code(promotion_fields=promotion_fields, **fields)

    assert why_off(entered) == [reason]
    assert quote(entered).total == quote(entered).subtotal


def test_a_revoked_code_takes_nothing_off() -> None:
    entered = code()

    assert services.revoke_codes(code_ids=[entered], now=NOW) == 1
    assert services.revoke_codes(code_ids=[entered], now=NOW) == 0
    assert why_off(entered) == ["code_expired"]
    with pytest.raises(CodeUsedUpError):
        claim(entered)


def test_a_personal_code_is_its_customers_alone_and_kept_as_a_hash() -> None:
    brought = promotion(needs_code=True)
    (issued,) = services.issue_codes(promotion_id=brought, count=1, valid_from=NOW - DAY, user_id=42)

    assert selectors.find_code(text=issued.code.lower(), owner=ADA) == issued.code_id
    assert selectors.find_code(text=issued.code, owner="u:7") is None
    assert selectors.find_code(text=issued.code, owner=GUEST) is None
    assert why_off(issued.code_id, owner="u:7") == why_off(issued.code_id) == ["code_unknown"]
    assert quote(issued.code_id, owner=ADA).total == Money(900, "GBP")
    row = DiscountCode.objects.get(pk=issued.code_id)
    assert len(issued.code) == 16
    assert issued.code not in {str(value) for value in vars(row).values()}
    assert row.label == issued.label == f"{issued.code[:4]}…"


def test_a_batch_is_made_of_different_codes() -> None:
    issued = services.issue_codes(promotion_id=promotion(needs_code=True), count=50, valid_from=NOW - DAY)

    assert len({entry.code for entry in issued}) == 50


def test_the_same_code_is_not_made_twice() -> None:
    code()

    with pytest.raises(CodeTakenError):
        code("ｗｅｌｃｏｍｅ10")
    with pytest.raises(CodeTakenError):
        code("A B")


def test_one_use_is_one_checkouts() -> None:
    once = code("ONCE20", max_uses=1)

    claim(once)
    claim(once)
    with pytest.raises(CodeUsedUpError) as refused:
        claim(once, "chk_2", "g:other")

    assert refused.value.label == "ONCE20"
    assert (used(once), Redemption.objects.count()) == (1, 1)
    assert why_off(once) == []
    assert why_off(once, owner="g:other") == ["code_used_up"]


def test_what_is_released_can_be_claimed_again_and_a_release_twice_counts_once() -> None:
    once = code("ONCE20", max_uses=1)
    claim(once)

    assert services.release_claims(checkout_id="chk_1") == 1
    assert services.release_claims(checkout_id="chk_1") == 0
    assert used(once) == 0
    claim(once, "chk_2")
    assert used(once) == 1


def finish(code_id: int, checkout_id: str, number: str) -> None:
    services.finish_claims(
        code_ids=[code_id], checkout_id=checkout_id, owner=GUEST, customer_key=GUEST, order_number=number
    )


def test_what_was_ordered_is_never_released() -> None:
    once = code("ONCE20", max_uses=1)
    claim(once)

    finish(once, "chk_1", "ord_1")

    assert services.release_claims(checkout_id="chk_1") == 0
    assert (used(once), Redemption.objects.get().order_number) == (1, "ord_1")
    assert why_off(once) == ["code_used_up"]


def test_an_order_claims_anew_what_was_released_if_there_is_a_use_left() -> None:
    once = code("ONCE20", max_uses=1)
    claim(once)
    services.release_claims(checkout_id="chk_1")

    finish(once, "chk_1", "ord_1")
    assert used(once) == 1

    with pytest.raises(CodeUsedUpError), transaction.atomic():
        finish(once, "chk_2", "ord_2")
    assert used(once) == 1


def test_each_customer_has_so_many_uses() -> None:
    each = code("EACH", max_uses_each=1)
    claim(each, "chk_1", ADA)
    finish(each, "chk_1", "ord_1")

    assert why_off(each, owner=ADA) == ["code_used_up"]
    with pytest.raises(CodeUsedUpError):
        claim(each, "chk_2", ADA)
    claim(each, "chk_3", "u:7")
    assert used(each) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 101},
        {"value": 0},
        {"kind": ReductionKind.BUY_X_GET_Y, "value": 2},
        {"free": 1},
        {"kind": ReductionKind.AMOUNT},
        {"minimum_minor": 5},
        {"currency": "gbp"},
        {"valid_until": NOW - DAY},
    ],
)
def test_the_table_refuses_a_promotion_without_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        promotion(**fields)


def test_the_table_refuses_more_uses_than_there_are() -> None:
    once = code("ONCE20", max_uses=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        DiscountCode.objects.filter(pk=once).update(used=2)


@pytest.mark.parametrize("lines", [1, 100])
def test_a_cart_with_three_promotions_and_a_code_is_two_queries(django_assert_num_queries: Any, lines: int) -> None:
    for number in range(lines):
        make_sku(f"SKU-{number}", on_hand=0)
    for _ in range(3):
        promotion(categories=("Kitchen",))
    demands = [Demand(f"SKU-{number}", 2) for number in range(lines)]
    entered = code()

    with django_assert_num_queries(2):
        found = selectors.quote(demands=demands, currency="GBP", now=NOW, owner=ADA, code_ids=[entered])

    assert len(found.discounts) == 4


def test_a_counter_that_is_wrong_is_found_and_set_right() -> None:
    entered = code()
    claim(entered, "chk_1")
    finish(entered, "chk_1", "ord_1")
    assert check_shop() == "all is well\n"
    DiscountCode.objects.update(used=3)

    assert f"WRONG  codes  code {entered}: WELCOME10: counted 3, used 1" in check_shop()
    assert check_shop("--fix").startswith("fixed  codes")
    assert (used(entered), check_shop()) == (1, "all is well\n")


def test_a_claim_of_a_checkout_that_is_over_is_found_and_given_back() -> None:
    entered = code()
    claim(entered, "chk_0000000000000000000000AA")
    assert check_shop() == "all is well\n"
    Redemption.objects.update(claimed_at=timezone.now() - timedelta(minutes=5))

    assert "WRONG  claims  chk_0000000000000000000000AA" in check_shop()
    check_shop("--fix")
    assert (used(entered), check_shop()) == (0, "all is well\n")
