"""Staff's pages of promotions, codes and segments: what they show, cost and refuse."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pricing import selectors, services
from pricing.admin.promotions import PromotionForm
from pricing.models import DiscountCode, PriceDelta, Promotion
from pricing.types import ReductionKind
from shop.core import clock
from shop.core.ids import new_token
from tests.cart.helpers import make_sku

pytestmark = pytest.mark.django_db

LISTS = (
    *("pricing_promotion", "pricing_promotionuse", "pricing_discountcode", "pricing_redemption"),
    "pricing_customersegment",
)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def promotion(**fields: Any) -> int:
    begun = clock.now() - timedelta(days=1)
    given = {"name": "Sale", "kind": ReductionKind.PERCENT, "value": 10, "needs_code": True, "valid_from": begun}
    return services.add_promotion(promotion=services.NewPromotion(**{**given, **fields}))


def promotion_fields(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Spring",
        "kind": "percent",
        "value": "10",
        "free": "0",
        "minimum_minor": "0",
        "combines": "everything",
        "priority": "0",
        "is_active": "on",
        "valid_from_0": "2026-03-01",
        "valid_from_1": "00:00",
        **fields,
    }


def issue_fields(**fields: Any) -> dict[str, Any]:
    return {"promotion": str(promotion()), "count": "1", "form_id": new_token(), **fields}


@pytest.mark.parametrize("name", LISTS)
def test_lists_cost_the_same_for_few_rows_as_for_many(staff: Client, name: str) -> None:
    costs = []
    for rows in (1, 20):
        for number in range(rows):
            brought = promotion(name=f"Sale {rows} {number}")
            (code,) = services.issue_codes(promotion_id=brought, count=1, valid_from=clock.now(), max_uses=9)
            owner = f"u:{rows}{number}"
            checkout = f"chk_{rows}_{number}"
            services.claim_uses(
                code_ids=[code.code_id],
                promotion_ids=[brought],
                checkout_id=checkout,
                owner=owner,
                customer_key=owner,
            )
            services.set_segment(user_id=rows * 100 + number, segment="trade")
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(reverse(f"admin:{name}_changelist")).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_staff_make_a_promotion(staff: Client) -> None:
    make_sku("MUG")

    answer = staff.post(reverse("admin:pricing_promotion_add"), promotion_fields(sku_ids="MUG", categories="Kitchen"))

    assert answer.status_code == 302
    made = Promotion.objects.get()
    assert (made.sku_ids, made.categories, made.value) == (["MUG"], ["Kitchen"], 10)
    assert LogEntry.objects.get().object_id == str(made.pk)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"value": "150"}, "value"),
        ({"value": "0"}, "value"),
        ({"valid_until_0": "2026-02-01", "valid_until_1": "00:00"}, "valid_until"),
        ({"kind": "amount"}, "currency"),
        ({"minimum_minor": "500"}, "currency"),
        ({"kind": "buy_x_get_y", "value": "2"}, "free"),
        ({"free": "1"}, "free"),
        ({"sku_ids": "NONE"}, "sku_ids"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(staff: Client, fields: dict[str, Any], field: str) -> None:
    answer = staff.post(reverse("admin:pricing_promotion_add"), promotion_fields(**fields))

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not Promotion.objects.exists()


def test_a_limit_below_what_is_used_is_refused_and_saving_leaves_the_counter_alone(staff: Client) -> None:
    limited = promotion(max_uses=5, needs_code=False)
    url = reverse("admin:pricing_promotion_change", args=[limited])
    token = staff.get(url).context["adminform"].form["opened_with"].value()
    for number in range(3):
        services.claim_uses(promotion_ids=[limited], checkout_id=f"chk_{number}", owner="g:a", customer_key="g:a")
    fields = promotion_fields(opened_with=token, name="Sale")

    low = staff.post(url, {**fields, "max_uses": "2"})
    assert low.context["adminform"].form.errors["max_uses"] == ["It has been used 3 times already."]
    assert staff.post(url, {**fields, "max_uses": "4"}).status_code == 302

    row = Promotion.objects.get(pk=limited)
    assert (row.max_uses, row.used) == (4, 3)


def test_a_form_saves_what_was_changed_in_it_and_no_counter_that_moved_meanwhile(staff: Client) -> None:
    limited = promotion(max_uses=5, needs_code=False)
    request = RequestFactory().post("/")
    stale = Promotion.objects.get(pk=limited)
    form = PromotionForm.__new__(PromotionForm)
    form.changed_data = ["name"]
    services.claim_uses(promotion_ids=[limited], checkout_id="chk_1", owner="g:a", customer_key="g:a")
    stale.name = "Other"

    admin.site.get_model_admin(Promotion).save_model(request, stale, form, change=True)

    row = Promotion.objects.get(pk=limited)
    assert (row.name, row.used) == ("Other", 1)


def test_a_promotion_that_ran_is_kept(staff: Client) -> None:
    old, later = promotion(), promotion(valid_from=clock.now() + timedelta(days=9))

    answers = [
        staff.post(reverse("admin:pricing_promotion_delete", args=[pk]), {"post": "yes"}).status_code
        for pk in (old, later)
    ]

    assert answers == [403, 302]


def test_a_named_code_is_issued(staff: Client) -> None:
    answer = staff.post(
        reverse("admin:pricing_discountcode_add"),
        issue_fields(code="spring5", max_uses="5", valid_until="2099-12-31T18:30"),
    )

    assert b"<code>SPRING5</code>" in answer.content
    found = selectors.find_code(text="SPRING5", owner="g:1")
    made = DiscountCode.objects.get(pk=found or 0)
    assert (made.max_uses, made.valid_until) == (5, datetime(2099, 12, 31, 18, 30, tzinfo=UTC))
    again = staff.post(reverse("admin:pricing_discountcode_add"), issue_fields(code="Spring5"))
    assert b"There is such a code already" in again.content


def test_random_codes_are_shown_once_and_kept_as_hashes(staff: Client) -> None:
    answer = staff.post(reverse("admin:pricing_discountcode_add"), issue_fields(user_id="42"))

    (code,) = re.findall(r"<code>([2-9A-Z]{16})</code>", answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    found = selectors.find_code(text=code, owner="u:42")
    pages = [
        reverse("admin:pricing_discountcode_changelist"),
        reverse("admin:pricing_discountcode_change", args=[found]),
    ]
    for url in pages:
        assert code not in staff.get(url).content.decode()
    assert all(code not in str(entry.__dict__) for entry in LogEntry.objects.all())


def test_a_form_that_is_sent_twice_issues_once(staff: Client) -> None:
    url = reverse("admin:pricing_discountcode_add")
    opened = [staff.get(url).context["form"]["form_id"].value() for _ in range(2)]

    answers = [staff.post(url, issue_fields(count="5", form_id=one)) for one in (opened[0], opened[0], opened[1])]

    assert [len(answer.context["issued"]) for answer in answers] == [5, 0, 5]
    assert "This form was sent before." in answers[1].content.decode()
    assert DiscountCode.objects.count() == 10


def test_a_batch_comes_as_a_file(staff: Client) -> None:
    answer = staff.post(reverse("admin:pricing_discountcode_add"), issue_fields(count="50", as_csv="on"))

    lines = answer.content.decode().split()
    assert answer["Content-Type"].startswith("text/csv")
    assert (lines[0], len(set(lines[1:])), DiscountCode.objects.count()) == ("code", 50, 50)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": "X5", "count": "2"}, "count"),
        ({"code": "X5", "user_id": "42"}, "user_id"),
        ({"max_uses_each": "1"}, "max_uses_each"),
        ({"count": "1001"}, "count"),
        ({"valid_until_0": "2020-01-01 00:00", "valid_until": "2020-01-01 00:00"}, "valid_until"),
        ({"valid_until": "9999-12-31 23:59"}, "valid_until"),
        ({"user_id": "9223372036854775808"}, "user_id"),
        ({"max_uses": "2147483648"}, "max_uses"),
        ({"promotion": "0"}, "promotion"),
    ],
)
def test_impossible_issues_are_said_at_their_field(staff: Client, fields: dict[str, Any], field: str) -> None:
    answer = staff.post(reverse("admin:pricing_discountcode_add"), issue_fields(**fields))

    assert field in answer.context["form"].errors
    assert not DiscountCode.objects.exists()


def test_staff_revoke_a_code(staff: Client) -> None:
    (code,) = services.issue_codes(promotion_id=promotion(), count=1, valid_from=clock.now())

    data = {"action": "revoke", "_selected_action": [code.code_id]}
    staff.post(reverse("admin:pricing_discountcode_changelist"), data)

    assert DiscountCode.objects.get().revoked_at is not None
    assert LogEntry.objects.get().change_message == "Revoked"


def test_a_preview_says_what_it_costs_and_why(staff: Client) -> None:
    make_sku("MUG", price=1_000)
    promotion(name="Trade week", needs_code=False, segment="trade", value=30)
    services.set_segment(user_id=42, segment="trade")
    url = reverse("admin:pricing_preview")

    assert "Trade week" in staff.get(url, {"sku_id": "MUG", "quantity": "2", "customer": "42"}).content.decode()
    guest = staff.get(url, {"sku_id": "MUG", "quantity": "2"}).content.decode()
    assert "Trade week" not in guest
    assert "£20.00" in guest
    assert "no such discount code" in staff.get(url, {"sku_id": "MUG", "quantity": "2", "code": "X"}).content.decode()
    assert "no price" in staff.get(url, {"sku_id": "NONE", "quantity": "2"}).content.decode()


def test_staff_without_permission_issue_and_preview_nothing(client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("s@example.com", "secret", is_staff=True))

    for name in ("pricing_discountcode_add", "pricing_preview", "pricing_promotion_changelist"):
        assert client.get(reverse(f"admin:{name}")).status_code == 403


def test_price_deltas_are_listed_filtered_and_exported(staff: Client) -> None:
    for number, shown in (("1", 1_500), ("2", 400)):
        PriceDelta.objects.create(
            owner="g:" + "a" * 64,
            cart_content_version=number,
            sku_id=f"=SKU-{number}",
            checkout_id=f"chk_{number}",
            currency="GBP",
            quantity=1,
            added_minor=1_000,
            shown_minor=shown,
            reasons=["price" if number == "1" else "code"],
        )
    url = reverse("admin:pricing_pricedelta_changelist")

    everything = staff.get(url).content.decode()
    assert "+50.0" in everything
    assert "-60.0" in everything
    assert "a" * 64 not in everything
    for query, seen in (
        ({"direction": "up"}, "1"),
        ({"direction": "half"}, "2"),
        ({"reason": "code"}, "2"),
        ({"stage": "shown", "direction": "down"}, "2"),
        ({"q": "=SKU-1"}, "1"),
    ):
        page = staff.get(url, query).content.decode()
        assert (f"SKU-{seen}</a>" in page or f"=SKU-{seen}" in page, f"=SKU-{3 - int(seen)}<" in page) == (True, False)
    chosen = list(PriceDelta.objects.order_by("pk").values_list("pk", flat=True))
    answer = staff.post(url, {"action": "export", "_selected_action": chosen})
    lines = answer.content.decode().splitlines()
    assert lines[0].startswith("updated_at,sku_id,quantity,currency,added_minor")
    assert sorted(line.split(",")[1] for line in lines[1:]) == ["'=SKU-1", "'=SKU-2"]
