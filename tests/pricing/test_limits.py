"""Promotions with a limit: how often in all, how often a customer, with a code or without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from pricing import selectors, services
from pricing.errors import PromotionUsedUpError
from pricing.models import Promotion, PromotionUse
from pricing.types import Demand, PriceQuote, ReductionKind
from tests.cart.helpers import make_sku
from tests.pricing.helpers import check_shop

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ADA, GUEST = "u:42", "g:abc"


def promotion(**fields: Any) -> int:
    given = {"name": "First 2", "kind": ReductionKind.PERCENT, "value": 10, "valid_from": NOW - DAY, **fields}
    return services.add_promotion(promotion=services.NewPromotion(**given))


def quote(*code_ids: int, owner: str = GUEST, key: str = "") -> PriceQuote:
    return selectors.quote(
        demands=[Demand("MUG", 1)], currency="GBP", now=NOW, owner=owner, code_ids=code_ids, customer_key=key
    )


def claim(promotion_id: int, checkout_id: str = "chk_1", owner: str = GUEST, key: str = "") -> None:
    with transaction.atomic():
        services.claim_uses(
            promotion_ids=[promotion_id], checkout_id=checkout_id, owner=owner, customer_key=key or owner
        )


def finish(promotion_id: int, checkout_id: str, number: str, key: str = GUEST) -> None:
    services.finish_claims(
        promotion_ids=[promotion_id], checkout_id=checkout_id, owner=GUEST, customer_key=key, order_number=number
    )


def used(promotion_id: int) -> int:
    return Promotion.objects.get(pk=promotion_id).used


@pytest.fixture(autouse=True)
def _mug() -> None:
    make_sku("MUG", price=1_000)


def test_it_applies_until_its_uses_are_gone_and_to_whoever_has_claimed_one() -> None:
    one = promotion(max_uses=1)
    assert (quote().total.minor, quote().reductions[0].is_counted) == (900, True)

    claim(one)

    assert (quote().total.minor, quote(owner="g:other").total.minor) == (900, 1_000)


def test_one_without_a_limit_is_not_counted() -> None:
    promotion()

    assert not quote().reductions[0].is_counted


def test_a_claim_beyond_the_limit_is_refused_by_name_and_one_made_twice_counts_once() -> None:
    two = promotion(max_uses=2)
    claim(two)
    claim(two)
    claim(two, "chk_2", "g:2")

    with pytest.raises(PromotionUsedUpError) as refused:
        claim(two, "chk_3", "g:3")

    assert refused.value.label == "First 2"
    assert (used(two), PromotionUse.objects.count()) == (2, 2)


def test_what_is_given_back_goes_to_the_next_and_what_was_ordered_is_never_given_back() -> None:
    one = promotion(max_uses=1)
    claim(one)
    assert [services.release_claims(checkout_id="chk_1") for _ in range(2)] == [1, 0]
    claim(one, "chk_2")

    finish(one, "chk_2", "ord_2")

    assert services.release_claims(checkout_id="chk_2") == 0
    assert (used(one), PromotionUse.objects.get(released_at=None).order_number) == (1, "ord_2")


def test_an_order_claims_anew_what_was_given_back_if_there_is_one_left() -> None:
    one = promotion(max_uses=1)
    claim(one)
    services.release_claims(checkout_id="chk_1")

    finish(one, "chk_1", "ord_1")

    assert used(one) == 1
    with pytest.raises(PromotionUsedUpError), transaction.atomic():
        finish(one, "chk_2", "ord_2")
    assert used(one) == 1


def test_each_customer_has_so_many_and_a_guest_is_known_by_their_key() -> None:
    each = promotion(max_uses_each=1)
    claim(each, "chk_1", GUEST, "m:ada")
    finish(each, "chk_1", "ord_1", "m:ada")

    assert (quote(key="m:ada").total.minor, quote(key="m:bob").total.minor) == (1_000, 900)
    with pytest.raises(PromotionUsedUpError):
        claim(each, "chk_2", "g:other", "m:ada")
    claim(each, "chk_3", "g:other", "m:bob")
    assert used(each) == 2


def test_all_codes_of_a_promotion_share_its_limit() -> None:
    one = promotion(max_uses=1, needs_code=True)
    first, second = (
        services.publish_code(promotion_id=one, code=text, valid_from=NOW - DAY) for text in ("ONE", "TWO")
    )
    claim(one)

    off = quote(second, owner="g:other").codes_off

    assert [discount.code_id for discount in quote(first).discounts] == [first]
    assert [(o.code_id, o.reason) for o in off] == [(second, "code_used_up")]


def test_the_table_itself_refuses_more_uses_than_there_are() -> None:
    one = promotion(max_uses=1)

    with pytest.raises(IntegrityError, match="promotion_used_within_its_limit"), transaction.atomic():
        Promotion.objects.filter(pk=one).update(used=2)


def test_a_wrong_counter_and_a_lost_claim_are_found_and_repaired() -> None:
    one = promotion(max_uses=5)
    claim(one, "chk_0000000000000000000000AA")
    assert check_shop() == "all is well\n"
    Promotion.objects.update(used=3)
    PromotionUse.objects.update(claimed_at=timezone.now() - timedelta(minutes=5))

    assert f"WRONG  codes  promotion {one}: First 2: counted 3, used 1" in check_shop()
    check_shop("--fix")
    assert (used(one), check_shop()) == (0, "all is well\n")
