"""Uses of codes and promotions under a burst: never more than there are, none lost, whoever dies in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from cart import services as carts
from pricing import services as pricing
from pricing.models import DiscountCode, Promotion, PromotionUse, Redemption
from pricing.services import uses
from pricing.types import ReductionKind
from shop.checkout.models import Order
from shop.core import clock
from shop.core.errors import Refusal
from tests.checkout.helpers import cart_of, fill, make_sku, new_guest, pay, put, start
from tests.races.rivals import held_open, meet

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

THREADS, EACH = 20, 10
"""Two hundred checkouts in all; that many connections at once are none of the fault that is looked for."""
BUYERS = 12
_CHECKS = {
    "pricing_discountcode": "code_used_within_its_limit",
    "pricing_promotion": "promotion_used_within_its_limit",
}


def make_code(text: str = "ONCE20", *, max_uses: int | None = 1, max_uses_each: int | None = None) -> int:
    yesterday = clock.now() - timedelta(days=1)
    promotion = pricing.NewPromotion(
        name="First come", kind=ReductionKind.PERCENT, value=20, needs_code=True, valid_from=yesterday
    )
    return pricing.publish_code(
        promotion_id=pricing.add_promotion(promotion=promotion),
        code=text,
        valid_from=yesterday,
        max_uses=max_uses,
        max_uses_each=max_uses_each,
    )


def make_promotion(*, max_uses: int | None = 1) -> int:
    promotion = pricing.NewPromotion(
        name="First come",
        kind=ReductionKind.PERCENT,
        value=20,
        valid_from=clock.now() - timedelta(days=1),
        max_uses=max_uses,
    )
    return pricing.add_promotion(promotion=promotion)


def claim_promotion(promotion_id: int, checkout_id: str) -> None:
    owner = f"g:{checkout_id}"
    with transaction.atomic():
        pricing.claim_uses(promotion_ids=[promotion_id], checkout_id=checkout_id, owner=owner, customer_key=owner)


def claim(code_id: int, checkout_id: str, customer: str = "") -> None:
    owner = customer or f"g:{checkout_id}"
    with transaction.atomic():
        pricing.claim_uses(code_ids=[code_id], checkout_id=checkout_id, owner=owner, customer_key=owner)


def burst(act: Callable[[str], object]) -> Counter[str]:
    """Let two hundred checkouts act, as many at once as there are threads; count what they were told."""

    def some(number: int) -> list[str]:
        told = []
        for turn in range(EACH):
            try:
                act(f"chk_{number}_{turn}")
                told.append("ok")
            except Refusal as refusal:
                told.append(refusal.code)
        return told

    answers = meet(THREADS, some)
    return Counter(word for answer in answers for word in (answer if isinstance(answer, list) else [repr(answer)]))


@contextmanager
def without_check() -> Iterator[None]:
    """Take away what the database itself refuses, while the block runs."""
    with connection.cursor() as cursor:
        for table, check in _CHECKS.items():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(_CHECKS)}, pricing_redemption, pricing_promotionuse CASCADE")
            for table, check in _CHECKS.items():
                cursor.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (max_uses IS NULL OR used <= max_uses)"
                )


def used(code_id: int) -> tuple[int, int]:
    """Tell how many uses are counted, and how many claims are alive: always the same."""
    live = Redemption.objects.filter(code_id=code_id, released_at=None).count()
    return DiscountCode.objects.get(pk=code_id).used, live


@pytest.mark.parametrize("uses", [1, 7])
def test_of_two_hundred_checkouts_as_many_get_a_use_as_there_are(uses: int) -> None:
    code = make_code(max_uses=uses)

    assert burst(lambda checkout_id: claim(code, checkout_id)) == {"ok": uses, "code_used_up": 200 - uses}

    assert used(code) == (uses, uses)


def test_of_two_hundred_checkouts_as_many_get_a_limited_promotion_as_there_are() -> None:
    promotion = make_promotion(max_uses=7)

    told = burst(lambda checkout_id: claim_promotion(promotion, checkout_id))

    assert told == {"ok": 7, "promotion_used_up": 193}
    live = PromotionUse.objects.filter(promotion_id=promotion, released_at=None).count()
    assert (Promotion.objects.get(pk=promotion).used, live) == (7, 7)


def test_twin_without_the_condition_gives_both_to_many(monkeypatch: pytest.MonkeyPatch) -> None:
    code, promotion = make_code(), make_promotion()
    guard = "(max_uses IS NULL OR used < max_uses)"
    assert guard in uses._COUNT
    monkeypatch.setattr(uses, "_COUNT", uses._COUNT.replace(guard, "true"))
    with without_check():
        assert burst(lambda checkout_id: claim(code, checkout_id))["ok"] > 1
        assert burst(lambda checkout_id: claim_promotion(promotion, checkout_id))["ok"] > 1


def test_one_customer_at_many_windows_gets_one_use() -> None:
    code = make_code(max_uses=None, max_uses_each=1)

    assert burst(lambda checkout_id: claim(code, checkout_id, "u:42"))["ok"] == 1

    assert used(code) == (1, 1)


def test_twin_that_does_not_count_the_customers_uses_gives_more(monkeypatch: pytest.MonkeyPatch) -> None:
    code = make_code(max_uses=None, max_uses_each=1)
    monkeypatch.setattr(uses, "_MINE", "SELECT 0 WHERE %(id)s > 0")

    assert burst(lambda checkout_id: claim(code, checkout_id, "u:42"))["ok"] > 1


def test_one_checkout_that_asks_many_times_has_one_use_and_gives_one_back() -> None:
    code = make_code(max_uses=None)

    assert burst(lambda _: claim(code, "chk_1"))["ok"] == 200
    assert used(code) == (1, 1)

    def release(_: int) -> int:
        with transaction.atomic():
            return pricing.release_claims(checkout_id="chk_1")

    assert sum(answer for answer in meet(THREADS, release) if isinstance(answer, int)) == 1
    assert used(code) == (0, 0)


def test_claims_and_releases_in_any_order_wait_for_each_other_and_add_up() -> None:
    both = [make_code("ONE", max_uses=None), make_code("TWO", max_uses=None)]

    def act(checkout_id: str) -> None:
        owner = f"g:{checkout_id}"
        order = both if checkout_id.endswith("0") else both[::-1]
        with transaction.atomic():
            pricing.claim_uses(code_ids=order, checkout_id=checkout_id, owner=owner, customer_key=owner)
        if not checkout_id.endswith("5"):
            with transaction.atomic():
                pricing.release_claims(checkout_id=checkout_id)

    assert burst(act) == {"ok": 200}

    assert [used(code) for code in both] == [(THREADS, THREADS)] * 2


def test_a_worker_that_dies_between_claim_and_commit_leaves_the_use_to_the_next() -> None:
    code = make_code()

    with (
        pytest.raises(OperationalError),
        held_open(lambda: claim(code, "chk_dead")) as pid,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    claim(code, "chk_next")

    assert used(code) == (1, 1)
    assert Redemption.objects.get().checkout_id == "chk_next"


def test_of_many_shoppers_one_pays_with_the_code_and_the_others_are_told_which_and_keep_all_else() -> None:
    make_sku("MUG", price=1_000, on_hand=BUYERS)
    code = make_code()
    views = {}
    for _ in range(BUYERS):
        ref = new_guest()
        put(ref, "MUG")
        carts.apply_code(ref=ref, code="ONCE20", now=clock.now())
        views[ref] = fill(start(ref), ref)
    refs = list(views)

    def buy(number: int) -> str:
        try:
            return pay(views[refs[number]], refs[number]).state.value
        except Refusal as refusal:
            return refusal.code

    assert Counter(map(str, meet(BUYERS, buy))) == {"succeeded": 1, "code_used_up": BUYERS - 1}

    assert used(code) == (1, 1)
    assert Order.objects.get().total_minor == 800
    assert sum(cart_of(ref) == {"MUG": 1} for ref in refs) == BUYERS - 1
    for ref in refs:
        if cart_of(ref):
            pay(start(ref, accepted_total=1_000), ref)
    assert sorted(Order.objects.values_list("total_minor", flat=True)) == [800, *[1_000] * (BUYERS - 1)]
