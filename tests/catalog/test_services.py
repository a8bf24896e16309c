"""Writes of the catalogue, and what the database refuses."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import ProtectedError

from shop.catalog import services
from shop.catalog.errors import SkuInvalidError, SkuUnknownError
from shop.catalog.models import Product, Sku
from tests.catalog.helpers import product

pytestmark = pytest.mark.django_db


def test_stopping_says_what_changed_and_can_be_taken_back() -> None:
    product("mug", "MUG-1", "MUG-2")

    assert services.stop_selling(sku_ids=["MUG-1"]) == ("MUG-1",)
    assert services.stop_selling(sku_ids=["MUG-2", "MUG-1"]) == ("MUG-2",)
    assert services.start_selling(sku_ids=["MUG-1"]) == ("MUG-1",)
    assert dict(Sku.objects.values_list("sku_id", "is_sellable")) == {"MUG-1": True, "MUG-2": False}


def test_an_unknown_sku_among_them_changes_nothing() -> None:
    product("mug", "MUG-1")

    with pytest.raises(SkuUnknownError):
        services.stop_selling(sku_ids=["MUG-1", "NO"])

    assert Sku.objects.get().is_sellable


def test_products_are_added_once() -> None:
    product("mug", "MUG-1", title="Mug")
    product("mug", "MUG-9", title="Other")

    assert list(Product.objects.values_list("title", flat=True)) == ["Mug"]
    assert list(Sku.objects.values_list("sku_id", flat=True)) == ["MUG-1"]


def test_what_cannot_be_a_sku_is_not_added() -> None:
    with pytest.raises(SkuInvalidError):
        product("mug", "MUG-1", "@mug")

    assert not Product.objects.exists()


@pytest.mark.parametrize("sku_id", ["", " A", "A ", "@A", "A\nB", "A/B", "A,B", "..", "__proto__", "e\u0301"])
def test_the_database_refuses_what_cannot_be_a_sku(sku_id: str) -> None:
    product("mug", "MUG-1")

    with pytest.raises(IntegrityError, match="sku_id_is_canonical"):
        Sku.objects.create(sku_id=sku_id, product=Product.objects.get())


@pytest.mark.parametrize("sku_id", ["A\u202eB", "A\u200bB", "@A", "A\nB"])
def test_a_form_refuses_what_cannot_be_a_sku(sku_id: str) -> None:
    product("mug", "MUG-1")

    with pytest.raises(ValidationError) as refused:
        Sku(sku_id=sku_id, product=Product.objects.get()).full_clean()

    assert "sku_id" in refused.value.message_dict


def test_a_product_with_skus_cannot_be_deleted() -> None:
    product("mug", "MUG-1")

    with pytest.raises(ProtectedError):
        Product.objects.get().delete()
